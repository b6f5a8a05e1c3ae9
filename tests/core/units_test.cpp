#include "core/units.h"

#include <gtest/gtest.h>

#include "tests/core/toy.h"

namespace reckon::units_test {
namespace {

TEST(Duration, ReadsEveryUnit) {
  EXPECT_EQ(parse_duration("500ms")->seconds, 0.5);
  EXPECT_EQ(parse_duration("10s")->seconds, 10);
  EXPECT_EQ(parse_duration("5m")->seconds, 300);
  EXPECT_EQ(parse_duration("1.5 h")->seconds, 5400);
  EXPECT_EQ(parse_duration("2d")->seconds, 172800);
  EXPECT_EQ(parse_duration("90")->seconds, 90);
  for (const auto* text : {"", "s", "-1s", "1x", "1 0s", "nan", "inf", "1h30m", "1e999"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Duration, IsWrittenSoThatItReadsBack) {
  EXPECT_EQ(to_string(Duration{600}), "10m");
  EXPECT_EQ(to_string(Duration{0}), "0s");
  for (const double seconds :
       {0.001, 0.1, 1.5, 59.0, 60.0, 61.0, 3600.0, 86400.0, 1e9, 1e17, 1.0 / 3})
    EXPECT_EQ(parse_duration(to_string(Duration{seconds}))->seconds, seconds) << seconds;
}

TEST(ByteSize, TellsPowersOf1024FromPowersOf1000) {
  EXPECT_EQ(parse_byte_size("512MiB")->bytes, int64_t{512} << 20);
  EXPECT_EQ(parse_byte_size("1GB")->bytes, 1'000'000'000);
  EXPECT_EQ(parse_byte_size("1.5KiB")->bytes, 1536);
  EXPECT_EQ(parse_byte_size("17")->bytes, 17);
  for (const auto* text : {"", "MiB", "-1B", "0.5B", "1mb", "99999999TiB"})
    EXPECT_FALSE(parse_byte_size(text)) << text;
}

TEST(ByteSize, IsWrittenSoThatItReadsBack) {
  for (const int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{1000}, int64_t{1024}, int64_t{1500},
                              int64_t{1} << 40, int64_t{1000001}})
    EXPECT_EQ(parse_byte_size(to_string(ByteSize{bytes}))->bytes, bytes) << bytes;
}

TEST(Units, ExplainThemselvesInErrors) {
  Problems problems;
  read_config<toy::TrainingOptions>(parse_yaml("save_every: soon\nmemory: \"5\"\n", "f"), Catalog(),
                                    problems);
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems.diagnostics()[0].message,
            "save_every: expected a duration such as 10s, 5m or 2h, got 'soon'");
  EXPECT_EQ(problems.diagnostics()[1].message,
            "memory: expected a size such as 512MiB or 1GB, got the text \"5\"");
  EXPECT_EQ(problems.diagnostics()[1].hint, "remove the quotes");
}

}  // namespace
}  // namespace reckon::units_test
