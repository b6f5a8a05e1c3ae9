#include "core/format.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

namespace reckon::format_test {
namespace {

TEST(FormatCount, GroupsThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(1234567), "1,234,567");
  EXPECT_EQ(format_count(-123456), "-123,456");
  EXPECT_EQ(format_count(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(FormatBytes, ChoosesTheUnitThatFits) {
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes((int64_t{1} << 20) - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes(int64_t{3} << 30), "3.0 GiB");
}

TEST(FormatDuration, ChoosesTheUnitThatFits) {
  EXPECT_EQ(format_duration(0.0123), "12 ms");
  EXPECT_EQ(format_duration(12.34), "12.3 s");
  EXPECT_EQ(format_duration(59.96), "1 min 00 s");
  EXPECT_EQ(format_duration(245), "4 min 05 s");
  EXPECT_EQ(format_duration(7380), "2 h 03 min");
  EXPECT_EQ(format_duration(3 * 86400 + 4 * 3600), "3 d 04 h");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "unknown");
}

TEST(FormatNumbers, KeepTheDigitsAskedFor) {
  EXPECT_EQ(format_percent(0.1234), "12.3%");
  EXPECT_EQ(format_percent(1.0, 0), "100%");
  EXPECT_EQ(format_fixed(0.53214, 4), "0.5321");
  EXPECT_EQ(format_fixed(-12.5, digits_of_column(12.5)), "-12.5000");
  EXPECT_EQ(format_fixed(0.0, digits_of_column(0.0)), "0.0000");
  EXPECT_EQ(format_fixed(4.25e-5, digits_of_column(4.25e-5)), "0.00004250");
  EXPECT_EQ(format_significant(0.053142, 3), "0.0531");
  EXPECT_EQ(format_significant(12), "12");
}

TEST(TextTable, AlignsColumnsByCharactersNotBytes) {
  TextTable table({"film", "score"}, {TextTable::Align::kLeft, TextTable::Align::kRight});
  table.add_row({"L\xc3\xa9on", "0.5"});
  table.add_row({"Up", "10.25"});
  table.add_row({"Alone"});
  EXPECT_EQ(table.to_string(),
            "film   score\n"
            "-----  -----\n"
            "L\xc3\xa9on     0.5\n"
            "Up     10.25\n"
            "Alone\n");
  EXPECT_THROW(table.add_row({"a", "b", "c"}), std::invalid_argument);
}

}  // namespace
}  // namespace reckon::format_test
