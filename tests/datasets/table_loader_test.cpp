#include "datasets/table_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/ids.h"
#include "datasets/vocabulary.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing::table_loader_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Vocabulary, GoesByFrequencyThenByBytesWhateverTheOrderOfTheValues) {
  for (const std::vector<std::string>& values :
       {std::vector<std::string>{"b", "c", "a", "b", "a", "d"},
        std::vector<std::string>{"a", "d", "b", "a", "c", "b"}}) {
    VocabularyBuilder builder;
    for (const auto& value : values) builder.add(value);
    const auto all = builder.build(1);
    ASSERT_EQ(all.size(), 4);
    EXPECT_EQ(all.value(0), "a");
    EXPECT_EQ(all.value(1), "b");
    EXPECT_EQ(all.value(2), "c");
    EXPECT_EQ(all.value(3), "d");
    EXPECT_THAT(all.counts(), ElementsAre(2, 2, 1, 1));
    const auto frequent = builder.build(2);
    EXPECT_EQ(frequent.size(), 2);
    EXPECT_EQ(frequent.find("b"), 1);
    EXPECT_EQ(frequent.find("c"), kUnknownId);
    EXPECT_EQ(frequent.find(""), kUnknownId);
    EXPECT_EQ(builder.build(3).size(), 0);
  }
}

TEST(SplitValues, TrimsThemAndLeavesOutEmptyOnes) {
  EXPECT_THAT(split_values("Drama| War |Drama", "|"), ElementsAre("Drama", "War", "Drama"));
  EXPECT_THAT(split_values("a, b c,", ", "), ElementsAre("a", "b c,"));
  EXPECT_THAT(split_values("| \t|\r\n|", "|"), IsEmpty());
  EXPECT_THAT(split_values("", "|"), IsEmpty());
  EXPECT_THAT(split_values("one", "|"), ElementsAre("one"));
}

class ReadColumns : public ::testing::Test {
 protected:
  std::vector<ColumnContent> read(const std::string& items,
                                  const std::vector<ColumnRequest>& requests,
                                  const std::string& cleaning = "{}") {
    directory_.write("items.tsv", items);
    const auto options =
        data_options(directory_,
                     "{files: {interactions: {path: r.tsv}, items: {path: items.tsv, "
                     "missing_values: ['', '?']}}, cleaning: " +
                         cleaning + "}");
    const auto ids = IdMap::from_ids({"a", "b", "c"});
    warnings_.clear();
    return read_columns(options, TableRole::kItems, ids, requests, warnings_);
  }

  std::string error(const std::string& items, const std::vector<ColumnRequest>& requests) {
    return replaced(error_of([&] { read(items, requests); }), directory_.path(""), "");
  }

  TemporaryDirectory directory_;
  std::vector<std::string> warnings_;
};

const ColumnRequest kYear = {.column = "year", .is_number = true};
const ColumnRequest kGenres = {
    .column = "genres", .separator = "|", .max_values = 2, .option = "model.item.features"};

TEST_F(ReadColumns, GivesRowsByDenseIdWhateverTheOrderOfTheFile) {
  for (const std::string rows :
       {"b\t1990\tDrama\nx\t1\tnobody\na\t?\tWar|Drama\n", "a\t?\tWar|Drama\nb\t1990\tDrama\n"}) {
    const auto columns = read("item\tyear\tgenres\n" + rows, {kGenres, kYear});
    ASSERT_EQ(columns.size(), 2U);
    EXPECT_THAT(columns[0].texts, ElementsAre("War|Drama", "Drama", ""));
    EXPECT_THAT(columns[0].numbers, IsEmpty());
    EXPECT_TRUE(std::isnan(columns[1].numbers[0])) << "declared missing";
    EXPECT_EQ(columns[1].numbers[1], 1990.0);
    EXPECT_TRUE(std::isnan(columns[1].numbers[2])) << "has no row";
    EXPECT_THAT(warnings_, IsEmpty());
  }
}

TEST_F(ReadColumns, RefusesWhatIsNotWhatWasAskedForAtItsLine) {
  EXPECT_EQ(error("item\tyear\tgenres\na\t1990\tWar\nb\tsoon\tWar\n", {kYear}),
            "items.tsv:3: error: year: expected a number, got 'soon'\n"
            "    hint: 'cleaning: {malformed: skip}' counts such rows and goes on");
  auto not_negative = kYear;
  not_negative.at_least = 0.0;
  EXPECT_EQ(error("item\tyear\na\t-2.5\n", {not_negative}),
            "items.tsv:2: error: year: expected a number of at least 0, got -2.5\n"
            "    hint: 'cleaning: {malformed: skip}' counts such rows and goes on");
  EXPECT_EQ(error("item\tgenres\na\tx|y\nb\tx|y|z\n", {kGenres}),
            "items.tsv:3: error: genres: expected a list of at most 2 values, got 3 of them\n"
            "    hint: 'cleaning: {malformed: skip}' counts such rows and goes on");
  EXPECT_EQ(error("item\tgenre\na\tx\n", {kGenres}),
            "items.tsv:1: error: model.item.features: there is no column 'genres'\n"
            "    hint: did you mean 'genre'?");
}

TEST_F(ReadColumns, CountsRowsThatItSkipsAndTakesTheirValuesAsMissing) {
  const auto columns = read("item\tyear\na\t5\nb\tsoon\n", {kYear}, "{malformed: skip}");
  EXPECT_EQ(columns[0].numbers[0], 5.0);
  EXPECT_TRUE(std::isnan(columns[0].numbers[1]));
  EXPECT_THAT(warnings_,
              ElementsAre("item table items.tsv has 1 malformed rows; they were skipped"));
}

TEST_F(ReadColumns, TakesTheFirstRowOfAnId) {
  const auto columns = read("item\tyear\na\t5\na\t6\n", {kYear});
  EXPECT_EQ(columns[0].numbers[0], 5.0);
}

}  // namespace
}  // namespace reckon::testing::table_loader_test
