#include "core/diagnostics.h"

#include <gtest/gtest.h>

namespace reckon::diagnostics_test {
namespace {

TEST(ConfigError, ShowsEveryProblemWithPlaceAndHint) {
  const ConfigError error({{{"a.yaml", 3, 5}, "lr: must be positive, got -1", ""},
                           {{"a.yaml", 7, 1}, "droput: unknown key", "did you mean 'dropout'?"}});
  EXPECT_STREQ(error.what(),
               "a.yaml:3:5: error: lr: must be positive, got -1\n"
               "a.yaml:7:1: error: droput: unknown key\n"
               "    hint: did you mean 'dropout'?");
}

TEST(ConfigError, WithoutAPlaceBeginsWithTheWordError) {
  EXPECT_STREQ(ConfigError("no such thing", "try another").what(),
               "error: no such thing\n    hint: try another");
}

TEST(DataError, NamesPathAndLine) {
  EXPECT_STREQ(DataError("d.tsv", 12, "3 fields, expected 4").what(),
               "d.tsv:12: error: 3 fields, expected 4");
  EXPECT_STREQ(DataError("d.tsv", 0, "is empty", "fetch it").what(),
               "d.tsv: error: is empty\n    hint: fetch it");
}

TEST(Problems, AreThrownInTheOrderOfTheirLinesFileByFile) {
  Problems problems;
  problems.add({"b.yaml", 9, 1}, "third");
  problems.add({"b.yaml", 2, 8}, "second");
  problems.add({"b.yaml", 2, 1}, "first");
  problems.add({"a.yaml", 1, 1}, "fourth");
  try {
    problems.throw_if_any();
    FAIL();
  } catch (const ConfigError& error) {
    std::vector<std::string> messages;
    for (const auto& diagnostic : error.diagnostics()) messages.push_back(diagnostic.message);
    EXPECT_EQ(messages, (std::vector<std::string>{"first", "second", "third", "fourth"}));
  }
}

TEST(Nearest, FindsTyposSwapsAndDashes) {
  const std::vector<std::string> words = {"dropout", "num_heads", "activation"};
  EXPECT_EQ(nearest("droput", words), "dropout");
  EXPECT_EQ(nearest("drpoout", words), "dropout");
  EXPECT_EQ(nearest("num-heads", words), "num_heads");
  EXPECT_EQ(nearest("Activation", words), "activation");
}

TEST(Nearest, SuggestsNothingForAWordUnlikeAll) {
  EXPECT_EQ(nearest("banana", {"dropout", "num_heads"}), "");
  EXPECT_EQ(nearest("a", {"b"}), "");
  EXPECT_EQ(nearest("", {"b"}), "");
}

TEST(Suggest, ListsWhatIsKnownWhenNothingIsNear) {
  EXPECT_EQ(suggest("banana", {"dropout", "num_heads"}), "known: dropout, num_heads");
  EXPECT_EQ(suggest("droput", {"dropout", "num_heads"}), "did you mean 'dropout'?");
}

}  // namespace
}  // namespace reckon::diagnostics_test
