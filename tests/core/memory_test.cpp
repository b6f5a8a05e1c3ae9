#include "core/memory.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace reckon::memory_test {
namespace {

TEST(AvailableMemory, IsWhatTheSystemSays) {
  const auto bytes = available_memory();
  ASSERT_EQ(bytes.has_value(), std::filesystem::exists("/proc/meminfo"));
  if (!bytes) return;
  EXPECT_GT(*bytes, int64_t{1} << 24) << "this test runs in less";
  EXPECT_LT(*bytes, int64_t{1} << 50) << "bytes, and no other unit";
}

}  // namespace
}  // namespace reckon::memory_test
