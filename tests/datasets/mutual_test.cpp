// Data of pairs of users, who are recommended to each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/diagnostics.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing::mutual_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Pairs = std::set<std::pair<int64_t, int64_t>>;

// Loops, and pairs that are given twice, in both directions or in one.
constexpr const char* kFew =
    "user\tfriend\nann\tbob\nbob\tcid\nbob\tann\ncid\tcid\nann\tbob\ndan\tann\n";

std::string files_and(const std::string& more) {
  return "files: {interactions: {path: friends.tsv, roles: {item: friend}}}\nmutual: true\n" + more;
}

Dataset prepared(const TemporaryDirectory& directory, const std::string& text,
                 const std::string& more) {
  directory.write("friends.tsv", text);
  return prepare_dataset(data_options(directory, files_and(more))).dataset;
}

// A ring with chords: everybody knows the next one, and who comes three later; each pair has a time.
std::string ring(int64_t num_users) {
  std::string text = "user\tfriend\ttimestamp\n";
  int64_t time = 0;
  for (int64_t user = 0; user < num_users; ++user)
    for (const int64_t step : {1, 3})
      text += "u" + std::to_string(user) + "\tu" + std::to_string((user + step) % num_users) +
              "\t" + std::to_string(++time) + "\n";
  return text;
}

Pairs pairs_of(const Interactions& data) {
  Pairs pairs;
  for (int64_t user = 0; user < data.num_users; ++user)
    for (auto row = data.user_offsets[user].item<int64_t>();
         row < data.user_offsets[user + 1].item<int64_t>(); ++row)
      EXPECT_TRUE(pairs.emplace(user, data.items[row].item<int64_t>()).second) << "twice";
  return pairs;
}

TEST(MutualData, CountsEachPairOnceInEachDirectionAndNobodyWithThemselves) {
  const TemporaryDirectory directory;
  const auto dataset = prepared(directory, kFew, "split: none\n");
  EXPECT_TRUE(dataset.interactions().mutual);
  EXPECT_EQ(dataset.users().to_vector(), dataset.items().to_vector());
  EXPECT_THAT(sequences(dataset),
              UnorderedElementsAre("ann: bob dan", "bob: cid ann", "cid: bob", "dan: ann"));
  const auto report = nlohmann::json::parse(dataset.report());
  std::map<std::string, int64_t> removed;
  for (const auto& step : report.at("steps")) removed[step.at("name")] = step.at("removed");
  EXPECT_EQ(removed.at("of one with itself"), 1);
  EXPECT_EQ(removed.at("given before, either way"), 2);
}

TEST(MutualData, HoldsAPairOutInBothDirections) {
  const TemporaryDirectory directory;
  for (const std::string split : {"{type: ratio, scope: global, validation: 0.2, test: 0.3}",
                                  "{type: ratio, scope: global, order: temporal, validation: 0.2, "
                                  "test: 0.3}",
                                  "{type: time, validation_from: 21, test_from: 31}",
                                  "{type: k_fold, folds: 3, fold: 2, validation: 0.2}"}) {
    const auto dataset = prepared(directory, ring(20), "split: " + split + "\n");
    const auto all = pairs_of(dataset.interactions());
    EXPECT_EQ(all.size(), 80U);
    Pairs found;
    for (const auto part : {Split::kTrain, Split::kValidation, Split::kTest}) {
      const auto data = dataset.part(part);
      EXPECT_TRUE(data.mutual);
      const auto pairs = pairs_of(data);
      EXPECT_FALSE(pairs.empty());
      for (const auto& [user, other] : pairs) {
        EXPECT_NE(user, other);
        EXPECT_TRUE(pairs.contains({other, user})) << "the other direction is in another part";
        EXPECT_TRUE(found.emplace(user, other).second) << "in two parts";
      }
    }
    EXPECT_EQ(found, all);
  }
}

TEST(MutualData, HoldsOutTheShareThatIsAskedForAndNotTwice) {
  const TemporaryDirectory directory;
  const auto dataset = prepared(directory, ring(20),
                                "split: {type: ratio, scope: global, validation: 0, test: 0.25}\n");
  EXPECT_EQ(dataset.part(Split::kTest).size(), 20);
  EXPECT_EQ(dataset.part(Split::kTrain).size(), 60);
}

TEST(MutualData, HasEverybodySeenThemselves) {
  const TemporaryDirectory directory;
  const auto dataset = prepared(directory, ring(20),
                                "split: {type: ratio, scope: global, validation: 0, test: 0.25}\n");
  const auto test = dataset.evaluation(Split::kTest);
  const auto train = pairs_of(dataset.part(Split::kTrain));
  ASSERT_GT(test.users.numel(), 0);
  for (int64_t v = 0; v < test.users.numel(); ++v) {
    const auto user = test.users[v].item<int64_t>();
    const auto begin = test.history_offsets[v].item<int64_t>();
    EXPECT_EQ(test.history_items[begin].item<int64_t>(), user);
    for (auto h = begin + 1; h < test.history_offsets[v + 1].item<int64_t>(); ++h)
      EXPECT_TRUE(train.contains({user, test.history_items[h].item<int64_t>()}));
    for (auto t = test.target_offsets[v].item<int64_t>();
         t < test.target_offsets[v + 1].item<int64_t>(); ++t)
      EXPECT_NE(test.target_items[t].item<int64_t>(), user);
  }
  const auto seen = dataset.seen();
  EXPECT_EQ(seen.size(), dataset.interactions().size() + 20);
  for (int64_t user = 0; user < 20; ++user) {
    const auto begin = seen.user_offsets[user].item<int64_t>();
    const auto end = seen.user_offsets[user + 1].item<int64_t>();
    EXPECT_EQ(seen.items[begin].item<int64_t>(), user);
    EXPECT_THAT(values_of<int32_t>(seen.items.slice(0, begin + 1, end)),
                ::testing::ElementsAreArray(values_of<int32_t>(
                    dataset.interactions().items.slice(0, begin - user, end - user - 1))));
  }
}

TEST(MutualData, OfOtherDataNobodyIsAmongTheItems) {
  const TemporaryDirectory directory;
  directory.write("friends.tsv", kFew);
  const auto dataset =
      prepare_dataset(
          data_options(directory,
                       "files: {interactions: {path: friends.tsv, roles: {item: friend}}}\n"
                       "split: none\n"))
          .dataset;
  EXPECT_FALSE(dataset.interactions().mutual);
  EXPECT_EQ(dataset.seen().size(), 6);
}

TEST(MutualData, ACoreCountsBothDirections) {
  // A triangle with a tail: whoever has one friend goes, and then who had but one more.
  const TemporaryDirectory directory;
  const auto dataset = prepared(directory, "user\tfriend\na\tb\nb\tc\na\tc\nc\td\nd\te\n",
                                "split: none\ncleaning: {k_core: {users: 2, items: 2}}\n");
  EXPECT_THAT(sequences(dataset), UnorderedElementsAre("a: b c", "b: c a", "c: b a"));
  const auto report = nlohmann::json::parse(dataset.report());
  for (const auto& step : report.at("steps"))
    if (step.at("name") == "k-core") {
      EXPECT_EQ(step.at("removed"), 2) << "pairs of the file";
    }
}

TEST(MutualData, APairOfTwoFilesBelongsToTheFirst) {
  const TemporaryDirectory directory;
  directory.write("train.tsv", "user\tfriend\na\tb\nb\tc\n");
  directory.write("test.tsv", "user\tfriend\nb\ta\nc\ta\n");
  const auto dataset =
      prepare_dataset(
          data_options(directory,
                       "files: {interactions: {path: train.tsv, roles: {item: friend}}, "
                       "test: {path: test.tsv, roles: {item: friend}}}\n"
                       "mutual: true\nsplit: files\n"))
          .dataset;
  EXPECT_THAT(sequences(dataset, Split::kTrain), UnorderedElementsAre("a: b", "b: c a", "c: b"));
  EXPECT_THAT(sequences(dataset, Split::kTest), UnorderedElementsAre("c: a", "a: c", "b:"));
}

TEST(MutualData, TheCacheRemembersThatItIs) {
  const TemporaryDirectory directory;
  directory.write("friends.tsv", kFew);
  const auto options = data_options(directory, files_and("split: none\n"));
  prepare_dataset(options);
  const auto again = prepare_dataset(options);
  EXPECT_TRUE(again.from_cache);
  EXPECT_TRUE(again.dataset.interactions().mutual);
}

TEST(MutualData, DoesNotGoOnFromDataThatNumbersUsersAndItemsApart) {
  const TemporaryDirectory directory;
  directory.write("friends.tsv", kFew);
  const auto before = prepare_dataset(
      data_options(directory,
                   "files: {interactions: {path: friends.tsv, roles: {item: friend}}}\n"
                   "split: none\n"));
  const auto options = data_options(directory, files_and("split: none\nids_from: '" +
                                                         before.cache_directory + "'\n"));
  EXPECT_THAT(error_of([&] { prepare_dataset(options); }),
              HasSubstr("numbers users and items apart, and in mutual data they are the same"));
}

}  // namespace
}  // namespace reckon::testing::mutual_test
