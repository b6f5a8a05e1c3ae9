#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datasets/table_reader.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing::times_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Dataset prepared(const TemporaryDirectory& directory, const std::string& file,
                 const std::string& rest = "split: none") {
  return prepare_dataset(
             data_options(directory, "{files: {interactions: " + file + "}, " + rest + "}"))
      .dataset;
}

std::string problem(const TemporaryDirectory& directory, const std::string& file,
                    const std::string& rest = "split: none") {
  return replaced(error_of([&] { prepared(directory, file, rest); }), directory.path(""), "");
}

TEST(Times, AreOrderedByWhatLiesBehindTheSeconds) {
  const TemporaryDirectory directory;
  directory.write("numbers.csv", "user,item,timestamp\nu,c,0.9\nu,a,0.1\nu,b,0.5\nu,z,-0.5\n");
  directory.write("large.csv", "user,item,timestamp\nu,b,1700000000.123\nu,a,1700000000.1229\n");
  directory.write("dates.csv",
                  "user,item,timestamp\n"
                  "u,b,2001-01-01T00:00:00.25Z\nu,a,2001-01-01T00:00:00.125Z\n");
  directory.write("n.jsonl",
                  "{\"user\": \"u\", \"item\": \"b\", \"time\": 7.75}\n"
                  "{\"user\": \"u\", \"item\": \"a\", \"time\": 7.5}\n");
  EXPECT_THAT(sequences(prepared(directory, "{path: numbers.csv}")), ElementsAre("u: z a b c"));
  EXPECT_THAT(sequences(prepared(directory, "{path: large.csv}")), ElementsAre("u: a b"));
  EXPECT_THAT(sequences(prepared(directory, "{path: dates.csv}")), ElementsAre("u: a b"));
  EXPECT_THAT(sequences(prepared(directory, "{path: n.jsonl}")), ElementsAre("u: a b"));
}

TEST(Times, ColumnsOfAnyUnitAreOrderedByAllTheirDigits) {
  const TemporaryDirectory directory;
  const auto units = {arrow::TimeUnit::MILLI, arrow::TimeUnit::MICRO, arrow::TimeUnit::NANO};
  for (const auto unit : units) {
    arrow::TimestampBuilder times(arrow::timestamp(unit), arrow::default_memory_pool());
    ASSERT_TRUE(times.AppendValues({5, 4, 3, -1}).ok());
    write_parquet(directory.path("t.parquet"), {{"user", text_array({"u", "u", "u", "u"})},
                                                {"item", text_array({"d", "c", "b", "a"})},
                                                {"timestamp", times.Finish().ValueOrDie()}});
    EXPECT_THAT(sequences(prepared(directory, "{path: t.parquet}")), ElementsAre("u: a b c d"))
        << arrow::timestamp(unit)->ToString();
  }
}

TEST(Times, AreKeptWholeOrScaledAsFinelyAsTheyNeed) {
  const TemporaryDirectory directory;
  const auto kept = [&](const std::string& times) {
    directory.write("r.csv", "user,item,timestamp\n" + times);
    const auto data = prepared(directory, "{path: r.csv}").interactions();
    return std::pair(data.time_scale, values_of<int64_t>(data.times));
  };
  using Kept = std::pair<int64_t, std::vector<int64_t>>;
  EXPECT_EQ(kept("u,a,1700000000123456789\nu,b,1700000000123456790\n"),
            (Kept{1, {1700000000123456789, 1700000000123456790}}));
  EXPECT_EQ(kept("u,a,-1.5\nu,b,2\n"), (Kept{1000, {-1500, 2000}}));
  EXPECT_EQ(kept("u,a,1700000000.000001\nu,b,1700000001\n"),
            (Kept{1000000, {1700000000000001, 1700000001000000}}));
  EXPECT_EQ(kept("u,a,1969-12-31T23:59:59.999999999\n"), (Kept{1000000000, {-1}}));
  // Billionths of numbers this large do not fit: as many digits as do are kept.
  EXPECT_EQ(kept("u,a,1700000000000000.000000001\nu,b,1700000000000000.5\n"),
            (Kept{1000, {1700000000000000000, 1700000000000000500}}));
}

TEST(Times, SplitsAndRangesLookAtFractions) {
  const TemporaryDirectory directory;
  directory.write("r.csv", "user,item,timestamp\nu,a,1.2\nu,b,1.4\nu,c,1.6\nu,d,1.8\n");
  const auto split = prepared(directory, "{path: r.csv}",
                              "split: {type: time, validation_from: '1.4', test_from: '1.61'}");
  EXPECT_THAT(values_of<uint8_t>(split.split_of()), ElementsAre(0, 1, 1, 2));
  EXPECT_THAT(sequences(prepared(directory, "{path: r.csv}",
                                 "cleaning: {time: {from: '1.3', until: '1.8'}}, split: none")),
              ElementsAre("u: b c"));
}

TEST(Times, OfADeclaredUnitBecomeSeconds) {
  const TemporaryDirectory directory;
  directory.write("ms.csv",
                  "user,item,timestamp\nu,a,978307200123\nu,b,978307199999.5\nu,c,978307201000\n");
  directory.write("us.csv", "user,item,timestamp\nu,a,978307200000000\n");
  directory.write("ns.csv", "user,item,timestamp\nu,a,978307200000000001\n");
  const auto data = prepared(directory, "{path: ms.csv, timestamp_unit: ms}",
                             "split: {type: time, test_from: '2001-01-01T00:00:01Z'}");
  EXPECT_EQ(data.interactions().time_scale, 1000000);
  EXPECT_THAT(values_of<int64_t>(data.interactions().times),
              ElementsAre(978307199999500, 978307200123000, 978307201000000));
  EXPECT_THAT(values_of<uint8_t>(data.split_of()), ElementsAre(0, 0, 2));
  EXPECT_THAT(values_of<int64_t>(
                  prepared(directory, "{path: us.csv, timestamp_unit: us}").interactions().times),
              ElementsAre(978307200));
  EXPECT_THAT(values_of<int64_t>(
                  prepared(directory, "{path: ns.csv, timestamp_unit: ns}").interactions().times),
              ElementsAre(978307200000000001));
}

TEST(Times, ADateBesideNumbersOfAnUnknownUnitIsRefused) {
  const TemporaryDirectory directory;
  directory.write("ms.csv", "user,item,timestamp\nu,a,978307200\nu,b,1700000000000\n");
  const std::string said =
      " compares times with a date, but the number here is too large for seconds\n"
      "    hint: give the file's 'timestamp_unit: ms' (or us, ns)";
  EXPECT_EQ(problem(directory, "{path: ms.csv}", "split: {type: time, test_from: '2001-01-01'}"),
            "ms.csv:3: error: split" + said);
  EXPECT_EQ(problem(directory, "{path: ms.csv}",
                    "cleaning: {time: {until: '2001-01-01'}}, split: none"),
            "ms.csv:3: error: cleaning.time" + said);
  EXPECT_EQ(
      problem(directory, "{path: ms.csv}",
              "cleaning: {filters: [{column: timestamp, at_least: '2001-01-01'}]}, split: none"),
      "ms.csv:3: error: cleaning.filters[0]" + said);
  EXPECT_EQ(problem(directory, "{path: ms.csv}", "split: {type: time, test_from: '1700000000000'}"),
            "nothing");
  // A far date is no number.
  directory.write("far.csv", "user,item,timestamp\nu,a,2001-01-01\nu,b,9999-12-31\n");
  EXPECT_EQ(problem(directory, "{path: far.csv}", "split: {type: time, test_from: '2001-01-02'}"),
            "nothing");
}

TEST(ParseTime, ReadsDecimalsAsTheyAreWritten) {
  const auto read = [](const std::string& text) {
    Instant instant{-7, 7};
    EXPECT_TRUE(parse_time(text, true, true, instant)) << text;
    return std::pair(instant.whole, instant.billionths);
  };
  EXPECT_EQ(read("0.1"), std::pair(int64_t{0}, 100000000));
  EXPECT_EQ(read("-0.1"), std::pair(int64_t{-1}, 900000000));
  EXPECT_EQ(read("+3.25"), std::pair(int64_t{3}, 250000000));
  EXPECT_EQ(read("1.7e9"), std::pair(int64_t{1700000000}, 0));
  EXPECT_EQ(read("15e-1"), std::pair(int64_t{1}, 500000000));
  EXPECT_EQ(read("1970-01-01T00:00:00.000000001999"), std::pair(int64_t{0}, 1));
  EXPECT_EQ(read("1970-01-01T00:00:00,5+00:01"), std::pair(int64_t{-60}, 500000000));
  Instant unused;
  for (const char* text : {"1.x", ".", "1.2.3", "1970-01-01T00:00:00.", "nan", "1e30", ""})
    EXPECT_FALSE(parse_time(text, true, true, unused)) << text;
}

}  // namespace
}  // namespace reckon::testing::times_test
