#include "core/memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "core/sanitizers.h"

namespace reckon::memory_test {
namespace {

TEST(AvailableMemory, IsWhatTheSystemSays) {
  const auto bytes = available_memory();
  ASSERT_EQ(bytes.has_value(), std::filesystem::exists("/proc/meminfo"));
  if (!bytes) return;
  EXPECT_GT(*bytes, int64_t{1} << 24) << "this test runs in less";
  EXPECT_LT(*bytes, int64_t{1} << 50) << "bytes, and no other unit";
}

// Pages of this process that lie in memory.
int64_t resident_pages() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident;
}

// What was freed below a block that is still held is kept by the heap, until it is asked to let go.
TEST(GiveBackMemory, LowersWhatTheProcessHolds) {
  if (kHasAddressSanitizer) GTEST_SKIP() << "the heap of a sanitizer keeps what is freed";
  if (!std::filesystem::exists("/proc/self/statm")) GTEST_SKIP() << "no /proc";
  constexpr size_t kBlocks = 2000, kBlockSize = 32 << 10;
  std::vector<std::vector<char>> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.emplace_back(kBlockSize, 'x');
  const auto last = std::move(blocks.back());
  blocks.clear();
  const auto before = resident_pages();
  give_back_memory();
  constexpr int64_t kPageSize = 4096, kFreed = int64_t{kBlocks * kBlockSize} / kPageSize;
  EXPECT_LT(resident_pages(), before - kFreed / 2);
  EXPECT_EQ(last.front(), 'x');
}

}  // namespace
}  // namespace reckon::memory_test
