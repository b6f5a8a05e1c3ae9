#include "export/methods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <memory>

#include "core/diagnostics.h"
#include "tests/export/tiny_model.h"

namespace reckon::methods_test {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Ids = ExportedFile::Ids;
using IdLists = ExportedFile::IdLists;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const DataError& e) {
    return e.what();
  }
  return "no DataError";
}

// A model, its data, and the file made of them.
struct Exported {
  explicit Exported(const TinyOptions& options, ExportOptions export_options = {})
      : model(options), data(options), target("model.pt") {
    export_options.check = false;
    export_options.display = Ids{"title", "year"};
    export_model(model, data.inputs(), target.path(), export_options);
    file = std::make_unique<ExportedFile>(target.path());
    model.eval();
  }

  // The model's own scores of all items for one row of dense ids.
  torch::Tensor scores(int64_t user, const std::vector<int64_t>& history) {
    const torch::NoGradGuard no_grad;
    Batch request(1);
    request.set(batch_key::kUsers, torch::full({1}, user, torch::kLong));
    auto items = torch::full({1, 1}, kPaddingId, torch::kLong);
    if (!history.empty()) items = torch::tensor(history, torch::kLong).unsqueeze(0);
    request.set(batch_key::kHistory, items);
    const auto all = torch::arange(model.num_items()).unsqueeze(0);
    return model.score(model.encode(request), all).squeeze(0);  // [I]
  }

  TinyModel model;
  TinyData data;
  TemporaryPath target;
  std::unique_ptr<ExportedFile> file;
};

// The k best of `scores` as raw ids, in the plainest way.
Ids best(const torch::Tensor& scores, int64_t k, const std::vector<int64_t>& without = {}) {
  const auto [_, order] = torch::sort(scores, /*stable=*/true, 0, /*descending=*/true);
  Ids out;
  for (int64_t r = 0; r < order.size(0) && static_cast<int64_t>(out.size()) < k; ++r) {
    const auto id = order[r].item<int64_t>();
    if (std::find(without.begin(), without.end(), id) == without.end())
      out.push_back("item-" + std::to_string(id));
  }
  return out;
}

class HistoryFile : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { exported_ = new Exported({}); }
  static void TearDownTestSuite() { delete exported_; }
  static Exported* exported_;
  const ExportedFile& file_ = *exported_->file;
};
Exported* HistoryFile::exported_ = nullptr;

TEST_F(HistoryFile, RecommendsWhatTheModelRanksFirst) {
  const auto got = file_.recommend({{"item-4", "item-9", "item-2"}}, 6);
  const auto scores = exported_->scores(kUnknownId, {4, 9, 2});
  EXPECT_EQ(got.items[0], best(scores, 6));
  EXPECT_NEAR(got.scores[0][0].item<double>(), scores.max().item<double>(), 1e-5);
}

TEST_F(HistoryFile, IgnoresIdsThatItDoesNotKnow) {
  const auto got = file_.recommend({{"nope", "item-4", "", "item-9", "item-99"}}, 23);
  EXPECT_EQ(got.items, file_.recommend({{"item-4", "item-9"}}, 23).items);
}

TEST_F(HistoryFile, FallsBackToPopularityWithTiesByItemIndex) {
  // Counts are item index modulo 4: the items with 3 come first, by index.
  const auto got = file_.recommend({{}, {"nope"}}, 7);
  for (const auto& row : got.items)
    EXPECT_THAT(row, ElementsAre("item-3", "item-7", "item-11", "item-15", "item-19", "item-2",
                                 "item-6"));
  EXPECT_EQ(got.scores[0][0].item<float>(), 3.0F);
}

TEST_F(HistoryFile, TreatsEachRowAsIfItStoodAlone) {
  const IdLists rows = {
      {"item-1"}, {}, {"item-5", "item-6", "item-7"}, {"nope"}, {"item-8", "item-8"}};
  const auto together = file_.recommend(rows, 9);
  for (size_t row = 0; row < rows.size(); ++row)
    EXPECT_EQ(together.items[row], file_.recommend({rows[row]}, 9).items[0]) << "row " << row;
}

TEST_F(HistoryFile, ReadsTheNewestItemsOfALongHistory) {
  const Ids longer = {"item-0", "item-1", "item-2", "item-3", "item-4", "item-5", "item-6"};
  const Ids newest(longer.end() - 5, longer.end());
  EXPECT_EQ(file_.recommend({longer}, 23).items, file_.recommend({newest}, 23).items);
  EXPECT_EQ(file_.recommend({longer}, 23).items[0],
            best(exported_->scores(kUnknownId, {2, 3, 4, 5, 6}), 23));
}

TEST_F(HistoryFile, GivesFewerWhenTheCatalogueIsSmallerThanK) {
  const auto got =
      file_.recommend({{"item-1"}, {"item-2"}}, 100, {{"item-1"}, {"item-2", "item-3"}});
  EXPECT_THAT(got.items[0], SizeIs(22));
  EXPECT_THAT(got.items[1], SizeIs(21));
  EXPECT_EQ(got.scores.size(1), 22);
  EXPECT_EQ(got.scores[1][21].item<float>(), -std::numeric_limits<float>::infinity());
}

TEST_F(HistoryFile, LeavesOutExactlyWhatIsExcluded) {
  const Ids history = {"item-4", "item-9"};
  const auto got = file_.recommend({history, history}, 23, {history, {"nope", "item-0"}});
  const auto scores = exported_->scores(kUnknownId, {4, 9});
  EXPECT_EQ(got.items[0], best(scores, 23, {4, 9}));
  EXPECT_EQ(got.items[1], best(scores, 23, {0}));
}

TEST_F(HistoryFile, ChoosesFromCandidatesOnly) {
  const auto got = file_.recommend({{"item-4"}}, 10, {{"item-8"}},
                                   {"item-20", "nope", "item-8", "item-1", "item-20", "item-0"});
  std::vector<int64_t> others;
  for (int64_t i = 0; i < 23; ++i)
    if (i != 20 && i != 1 && i != 0) others.push_back(i);
  EXPECT_EQ(got.items[0], best(exported_->scores(kUnknownId, {4}), 10, others));
}

TEST_F(HistoryFile, GivesNothingWhenNoCandidateIsKnown) {
  const auto got = file_.recommend({{"item-4"}, {}}, 10, {}, {"nope"});
  EXPECT_THAT(got.items, ElementsAre(IsEmpty(), IsEmpty()));
}

TEST_F(HistoryFile, AnswersNoRequestsWithNoLists) {
  EXPECT_THAT(file_.recommend({}, 10).items, IsEmpty());
  EXPECT_THAT(file_.similar_items({}, 10).items, IsEmpty());
}

TEST_F(HistoryFile, SaysWhatIsWrongWithAnArgument) {
  EXPECT_THAT(message_of([&] { file_.recommend({{"item-1"}}, 0); }),
              HasSubstr("k must be at least 1, got 0"));
  EXPECT_THAT(message_of([&] { file_.recommend({{"item-1"}, {}}, 5, {{}}); }),
              HasSubstr("exclude must have one list for each of the 2 requests, got 1"));
  EXPECT_THAT(message_of([&] { file_.score({{}, {}, {}}, {{}, {}}); }),
              HasSubstr("items must have one list for each of the 3 requests, got 2"));
  EXPECT_THAT(message_of([&] { file_.similar_items({"item-1"}, -1); }),
              HasSubstr("k must be at least 1, got -1"));
}

TEST_F(HistoryFile, RefusesUsersWithASentence) {
  const auto message = message_of([&] { file_.recommend_user({"user-1"}, 5); });
  EXPECT_THAT(message, HasSubstr("this file holds no users"));
  EXPECT_THAT(message, HasSubstr("include_users: true"));
  EXPECT_EQ(file_.description().num_users, 0);
}

TEST_F(HistoryFile, ScoresTheItemsThatAreAsked) {
  const auto got = file_.score({{"item-4"}, {}}, {{"item-1", "nope", "item-2"}, {"item-3"}});
  const auto scores = exported_->scores(kUnknownId, {4});
  EXPECT_NEAR(got[0][0].item<double>(), scores[1].item<double>(), 1e-5);
  EXPECT_TRUE(std::isnan(got[0][1].item<float>()));
  EXPECT_NEAR(got[0][2].item<double>(), scores[2].item<double>(), 1e-5);
  EXPECT_EQ(got[1][0].item<float>(), 3.0F);  // the fallback: how often item-3 was chosen
  EXPECT_TRUE(std::isnan(got[1][1].item<float>()));
}

TEST_F(HistoryFile, ScoresOneListOfItemsForAllRequests) {
  const auto one = file_.score({{"item-4"}, {"item-5"}}, {{"item-1", "item-2"}});
  const auto each =
      file_.score({{"item-4"}, {"item-5"}}, {{"item-1", "item-2"}, {"item-1", "item-2"}});
  EXPECT_TRUE(torch::equal(one, each));
}

TEST_F(HistoryFile, FindsSimilarItemsByCosine) {
  const auto got = file_.similar_items({"item-6", "nope"}, 4);
  const auto vectors = exported_->model.item_vectors()->detach();
  const auto cosines = torch::cosine_similarity(vectors, vectors[6].unsqueeze(0));
  EXPECT_EQ(got.items[0], best(cosines, 4, {6}));
  EXPECT_THAT(got.items[1], IsEmpty());
  EXPECT_NEAR(got.scores[0][0].item<double>(),
              cosines[std::stoi(got.items[0][0].substr(5))].item<double>(), 1e-5);
}

TEST_F(HistoryFile, ShowsTheColumnsOfItems) {
  const auto columns = file_.display({"item-22", "nope", "item-3", "item-0"});
  EXPECT_THAT(columns, ElementsAre(ElementsAre("Title 22", "", "", "Title 0"),
                                   ElementsAre("2012", "", "1993", "1990")));
}

TEST_F(HistoryFile, KnowsWhichRequestsGetTheFallback) {
  EXPECT_THAT(file_.serves_histories({{"item-1"}, {}, {"nope"}, {"nope", "item-2"}}),
              ElementsAre(true, false, false, true));
}

TEST_F(HistoryFile, KnowsItsItems) {
  EXPECT_THAT(file_.known_items({"item-0", "item-23", "item-22", ""}),
              ElementsAre(true, false, true, false));
}

TEST_F(HistoryFile, ForwardGivesTheScoresOfAllItemsFromTensorsAlone) {
  const auto history = torch::tensor({{-2, -2, 4}, {-2, -2, -2}, {1, 2, 3}}, torch::kLong);
  const auto got = file_.forward({history});
  EXPECT_TRUE(torch::allclose(got[0], exported_->scores(kUnknownId, {4}), 1e-5, 1e-5));
  EXPECT_TRUE(torch::equal(got[1], exported_->data.counts.to(torch::kFloat)));
  EXPECT_TRUE(torch::allclose(got[2], exported_->scores(kUnknownId, {1, 2, 3}), 1e-5, 1e-5));
}

TEST(UserFile, ServesKnownUsersByIdAndUnknownOnesByTheFallback) {
  Exported exported({.max_length = 0, .reads_users = true});
  const auto got =
      exported.file->recommend_user({"user-3", "nobody", "user-6"}, 5, {{"item-1"}, {}, {}});
  EXPECT_EQ(got.items[0], best(exported.scores(3, {}), 5, {1}));
  EXPECT_THAT(got.items[1], ElementsAre("item-3", "item-7", "item-11", "item-15", "item-19"));
  EXPECT_EQ(got.items[2], best(exported.scores(6, {}), 5));
  EXPECT_THAT(exported.file->known_users({"user-6", "user-7"}), ElementsAre(true, false));
  EXPECT_THAT(exported.file->serves_users({"user-6", "user-7"}), ElementsAre(true, false));
  EXPECT_NEAR(exported.file->score_user({"user-3"}, {{"item-2"}})[0][0].item<double>(),
              exported.scores(3, {})[2].item<double>(), 1e-5);
  EXPECT_TRUE(torch::allclose(exported.file->forward({torch::tensor({3, -1}, torch::kLong)})[0],
                              exported.scores(3, {}), 1e-5, 1e-5));
}

TEST(UserFile, RefusesAHistoryThatItsModelCannotRead) {
  Exported exported({.max_length = 0, .reads_users = true});
  EXPECT_THAT(message_of([&] { exported.file->recommend({{"item-1"}}, 5); }),
              HasSubstr("this model cannot use a history"));
  EXPECT_THAT(message_of([&] { exported.file->score({{"item-1"}}, {{"item-1"}}); }),
              HasSubstr("call recommend_user or score_user"));
}

TEST(UserFile, SaysThatSeenItemsAreNotInIt) {
  Exported exported({.max_length = 0, .reads_users = true});
  EXPECT_THAT(message_of([&] { exported.file->recommend_user({"user-3"}, 5, {}, {}, true); }),
              HasSubstr("the items that users have seen are not in this file"));
}

TEST(UserFile, LeavesOutStoredItemsThoughItsModelReadsNone) {
  Exported exported({.max_length = 0, .reads_users = true},
                    {.include_users = true, .user_items = 50});
  // User 3 chose the items 3, 4, 5 and 6.
  const auto got = exported.file->recommend_user({"user-3"}, 30, {}, {}, true);
  EXPECT_EQ(got.items[0], best(exported.scores(3, {}), 30, {3, 4, 5, 6}));
}

TEST(StoredHistories, ServeAUserLikeTheHistoryItself) {
  Exported exported({}, {.include_users = true});
  const auto& file = *exported.file;
  // User 6 chose 6 .. 12, of which the model reads the newest five.
  const Ids newest = {"item-8", "item-9", "item-10", "item-11", "item-12"};
  EXPECT_EQ(file.recommend_user({"user-6"}, 23).items, file.recommend({newest}, 23).items);
  EXPECT_EQ(file.recommend_user({"user-2", "user-0", "nobody"}, 9).items,
            file.recommend({{"item-2", "item-3", "item-4"}, {}, {}}, 9).items);
  EXPECT_EQ(file.description().user_items, 0);
  EXPECT_THAT(file.serves_users({"user-2", "user-0", "nobody"}), ElementsAre(true, false, false));
  EXPECT_THAT(file.known_users({"user-2", "user-0", "nobody"}), ElementsAre(true, true, false));
}

TEST(StoredHistories, LeaveOutAllThatAUserHasThoughTheModelReadsLess) {
  Exported exported({}, {.include_users = true});
  const auto& file = *exported.file;
  const auto got = file.recommend_user({"user-6"}, 23, {}, {}, true).items[0];
  EXPECT_EQ(got,
            best(exported.scores(kUnknownId, {8, 9, 10, 11, 12}), 23, {6, 7, 8, 9, 10, 11, 12}));
  EXPECT_THAT(file.items_left_out({"user-6", "user-2", "nobody"}), ElementsAre(0, 0, 0));
}

TEST(StoredHistories, KeepAsManyItemsAsAskedAndSayHowManyTheyLack) {
  Exported exported({}, {.include_users = true, .user_items = 2});
  const auto& file = *exported.file;
  EXPECT_EQ(file.recommend_user({"user-6"}, 23, {}, {}, true).items,
            file.recommend({{"item-11", "item-12"}}, 23, {{"item-11", "item-12"}}).items);
  EXPECT_THAT(file.items_left_out({"user-6", "user-2", "user-1", "user-0", "nobody"}),
              ElementsAre(5, 1, 0, 0, 0));
  EXPECT_THAT(file.description().method("recommend_user")->meaning,
              HasSubstr("ranked by the newest 2 items that the file holds of each"));
}

TEST(StoredHistories, GoWithUserVectorsOfTheSameModel) {
  Exported exported({.reads_users = true}, {.include_users = true});
  const auto got = exported.file->recommend_user({"user-2", "user-0", "nobody"}, 8);
  EXPECT_EQ(got.items[0], best(exported.scores(2, {2, 3, 4}), 8));
  EXPECT_EQ(got.items[1], best(exported.scores(0, {}), 8));  // no items, yet a vector of its own
  EXPECT_THAT(got.items[2], ElementsAre("item-3", "item-7", "item-11", "item-15", "item-19",
                                        "item-2", "item-6", "item-10"));
}

TEST(UserAndHistoryFile, ServesNewUsersByHistoryAndKnownOnesByVector) {
  Exported exported({.reads_users = true});
  EXPECT_EQ(exported.file->recommend({{"item-1", "item-2"}}, 8).items[0],
            best(exported.scores(kUnknownId, {1, 2}), 8));
  EXPECT_EQ(exported.file->recommend_user({"user-4"}, 8).items[0], best(exported.scores(4, {}), 8));
}

TEST(UserAndHistoryFile, RanksByUserAndHistoryTogetherAsItsMetricsWereMeasured) {
  for (const bool stored : {false, true}) {
    Exported exported({.reads_users = true}, {.include_users = stored});
    const auto& file = *exported.file;
    const IdLists histories = {{"item-1", "item-2"}, {"item-7"}, {}};
    const auto got =
        file.recommend_user({"user-4", "nobody", "nobody"}, 8, {}, {}, false, histories);
    EXPECT_EQ(got.items[0], best(exported.scores(4, {1, 2}), 8));
    EXPECT_EQ(got.items[1], best(exported.scores(kUnknownId, {7}), 8));
    EXPECT_EQ(got.items[2][0], "item-3");  // the fallback
    EXPECT_THAT(file.serves_users({"user-4", "nobody", "nobody"}, histories),
                ElementsAre(true, true, false));
    EXPECT_NEAR(
        file.score_user({"user-4"}, {{"item-9"}}, {{"item-1", "item-2"}})[0][0].item<double>(),
        exported.scores(4, {1, 2})[9].item<double>(), 1e-5);
    // User 2 has the items 2, 3 and 4, which only the second file knows.
    const auto seen = file.recommend_user({"user-2"}, 23, {}, {}, true, {{"item-1", "item-2"}});
    const std::vector<int64_t> left_out =
        stored ? std::vector<int64_t>{1, 2, 3, 4} : std::vector<int64_t>{1, 2};
    EXPECT_EQ(seen.items[0], best(exported.scores(2, {1, 2}), 23, left_out));
    EXPECT_THAT(message_of([&] {
                  file.recommend_user({"user-2", "user-3"}, 5, {}, {}, false, {{"item-1"}});
                }),
                HasSubstr("histories must have one list for each of the 2 requests, got 1"));
  }
}

TEST(UserAndHistoryFile, SaysThatItHoldsNoHistoriesWhereItHoldsNone) {
  const auto meaning_of = [](bool stored) {
    Exported exported({.reads_users = true}, {.include_users = stored});
    return exported.file->description().method("recommend_user")->meaning;
  };
  EXPECT_THAT(meaning_of(false), HasSubstr("The file holds no histories"));
  EXPECT_THAT(meaning_of(true), Not(HasSubstr("holds no histories")));
}

TEST(UserFile, RefusesAHistoryBesideAUserToo) {
  Exported exported({.max_length = 0, .reads_users = true});
  EXPECT_THAT(message_of([&] {
                exported.file->recommend_user({"user-3"}, 5, {}, {}, false, {{"item-1"}});
              }),
              HasSubstr("this model reads no history"));
}

TEST(UserFile, GivesTheFallbackToUsersOfWhomNothingWasLearnt) {
  Exported exported({.max_length = 0, .reads_users = true, .num_untrained = 3},
                    {.include_users = true});
  const auto& file = *exported.file;
  const auto got = file.recommend_user({"user-2", "user-3"}, 5);
  EXPECT_THAT(got.items[0], ElementsAre("item-3", "item-7", "item-11", "item-15", "item-19"));
  EXPECT_EQ(got.items[1], best(exported.scores(3, {}), 5));
  EXPECT_THAT(file.serves_users({"user-2", "user-3"}), ElementsAre(false, true));
  EXPECT_THAT(file.known_users({"user-2", "user-3"}), ElementsAre(true, true));
  // What the file holds of such a user is left out all the same.
  EXPECT_THAT(file.recommend_user({"user-2"}, 2, {}, {}, true).items[0],
              ElementsAre("item-7", "item-11"));
  EXPECT_TRUE(torch::equal(file.forward({torch::tensor({2}, torch::kLong)})[0],
                           exported.data.counts.to(torch::kFloat)));
}

TEST(UserAndHistoryFile, RanksByTheHistoryAloneWhereNothingWasLearntOfTheUser) {
  Exported exported({.reads_users = true, .num_untrained = 3}, {.include_users = true});
  EXPECT_EQ(exported.file->recommend_user({"user-2"}, 8).items[0],
            best(exported.scores(kUnknownId, {2, 3, 4}), 8));
  EXPECT_THAT(exported.file->serves_users({"user-2", "user-0"}), ElementsAre(true, false));
}

TEST(BiasedUserFile, AddsTheBiasOfTheUserOnceToItsScores) {
  Exported exported({.reads_users = true, .user_bias = true});
  const auto got = exported.file->recommend_user({"user-4"}, 23, {}, {}, false, {{"item-1"}});
  const auto scores = exported.scores(4, {1});
  EXPECT_EQ(got.items[0], best(scores, 23));
  EXPECT_NEAR(got.scores[0][0].item<double>(), scores.max().item<double>(), 1e-4);
  EXPECT_NEAR(
      exported.file->score_user({"user-4"}, {{"item-9"}}, {{"item-1"}})[0][0].item<double>(),
      scores[9].item<double>(), 1e-4);
}

TEST(EverybodyFile, RanksForAnyRequestAndBreaksTiesAtTheBorderByIndex) {
  const TinyOptions options{.num_items = 9, .max_length = 0, .reads_users = true};
  const auto counts = torch::tensor({1, 5, 2, 5, 5, 2, 9, 2, 5}, torch::kFloat);
  TinyPopularity model(counts);
  TinyData data(options);
  const TemporaryPath target("model.pt");
  const auto report = export_model(model, data.inputs(), target.path(), {});
  EXPECT_GT(report.num_comparisons, 0);
  const ExportedFile file(target.path());
  const auto first = std::vector<std::string>{"item-6", "item-1", "item-3"};
  EXPECT_EQ(file.recommend({{"item-2"}, {}}, 3).items, (IdLists{first, first}));
  EXPECT_EQ(file.recommend_user({"user-1", "nobody"}, 3).items, (IdLists{first, first}));
  EXPECT_THAT(file.recommend({{}}, 20).items[0],
              ElementsAre("item-6", "item-1", "item-3", "item-4", "item-8", "item-2", "item-5",
                          "item-7", "item-0"));
  EXPECT_THAT(message_of([&] { file.similar_items({"item-1"}, 2); }),
              HasSubstr("this model has no item vectors"));
}

TEST(ManyQueriesFile, RanksByTheBestQuery) {
  Exported exported({.num_queries = 3, .reduce_max = true});
  EXPECT_EQ(exported.file->recommend({{"item-3", "item-9"}}, 23).items[0],
            best(exported.scores(kUnknownId, {3, 9}), 23));
}

TEST(ScoredFile, RanksWithoutAnInnerProduct) {
  Exported exported({.inner_product = false});
  EXPECT_EQ(exported.file->recommend({{"item-3", "item-9"}, {"item-1"}}, 23).items[0],
            best(exported.scores(kUnknownId, {3, 9}), 23));
  EXPECT_FALSE(exported.file->factor_items().defined());
}

TEST(ScoredFile, RanksACatalogueLargerThanABlock) {
  Exported exported({.num_items = 9001, .inner_product = false});
  EXPECT_EQ(exported.file->recommend({{"item-3", "item-9000"}}, 50).items[0],
            best(exported.scores(kUnknownId, {3, 9000}), 50));
}

}  // namespace
}  // namespace reckon::methods_test
