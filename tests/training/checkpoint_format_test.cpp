#include "training/checkpoint_format.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "core/files.h"

namespace reckon::checkpoint_format_test {
namespace {

template <class Array>
std::string_view bytes_of(const Array& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), sizeof(numbers)};
}

// A seed that the reader refuses leads a fuzzer nowhere; so it is what the writer writes today.
TEST(CheckpointFormat, TheSeedOfTheFuzzerIsWhatTheWriterWrites) {
  const std::array<float, 6> weight = {0.5F, -1.0F, 2.0F, 0.0F, 0.25F, -8.0F};
  const std::array<int64_t, 2> steps = {3, 5};
  const CheckpointContent content = {
      .json = R"({"program":"reckon","step":3})",
      .tensors = {{"model/items.weight", StoredType::kFloat32, {3, 2}, bytes_of(weight)},
                  {"state/steps", StoredType::kInt64, {2}, bytes_of(steps)}}};
  const auto written = ::testing::TempDir() + "two_tensors.ckpt";
  write_checkpoint(written, content);
  const auto seed =
      std::string(RECKON_SOURCE_DIR) + "/tests/fuzz/corpus/checkpoint/two_tensors.ckpt";
  EXPECT_TRUE(read_file(seed) == read_file(written)) << "copy " << written << " there";
  const auto bytes = read_file(seed);
  const auto read = parse_checkpoint(bytes, seed);
  ASSERT_EQ(read.tensors.size(), 2U);
  EXPECT_EQ(read.tensors[0].bytes, bytes_of(weight));
  EXPECT_EQ(read.tensors[1].bytes, bytes_of(steps));
  std::filesystem::remove(written);
}

}  // namespace
}  // namespace reckon::checkpoint_format_test
