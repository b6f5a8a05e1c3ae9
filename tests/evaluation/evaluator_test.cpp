#include "evaluation/evaluator.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

#include "core/diagnostics.h"
#include "core/ids.h"
#include "evaluation/metrics.h"
#include "models/random.h"
#include "tests/evaluation/evaluation_support.h"

namespace reckon::evaluator_test {
namespace {

constexpr double kTolerance = 1e-12;

const std::vector<std::string> kListMetrics = {"recall@1",     "recall@3",   "ndcg@3",
                                               "ndcg@50",      "hit_rate@2", "mrr@4",
                                               "map@3",        "map@20",     "auc",
                                               "precision@5",  "coverage@2", "gini@3",
                                               "popularity@4", "novelty@4",  "diversity@3"};

/// The slow obvious way: all scores of a user, all items sorted, nothing shared between users.
struct Oracle {
  GivenModel& model;
  const std::vector<UserSplit>& users;
  const EvaluationOptions& options;
  EvaluationInput input;

  std::vector<float> scores(int64_t user) const {
    const auto all = torch::arange(model.num_items()).unsqueeze(0);
    const auto state = State{{model.user_factors.narrow(0, user, 1)}};
    const auto row = model.score(state, all)[0].contiguous();
    return {row.const_data_ptr<float>(), row.const_data_ptr<float>() + row.numel()};
  }
  std::set<int64_t> masked(int64_t user) const {
    if (!options.mask_seen) return {};
    return {users[user].history.begin(), users[user].history.end()};
  }
  std::vector<int64_t> relevant(int64_t user) const {
    std::set<int64_t> items;
    for (size_t i = 0; i < users[user].targets.size(); ++i) {
      if (!options.relevant_from || users[user].labels[i] >= *options.relevant_from) {
        items.insert(users[user].targets[i]);
      }
    }
    return {items.begin(), items.end()};
  }
  std::vector<int64_t> ranking(int64_t user) const {
    const auto score = scores(user);
    const auto seen = masked(user);
    std::vector<int64_t> items;
    for (int64_t item = 0; item < model.num_items(); ++item) {
      if (seen.count(item) == 0) items.push_back(item);
    }
    std::stable_sort(items.begin(), items.end(),
                     [&](int64_t a, int64_t b) { return score[a] > score[b]; });
    return items;
  }
  std::vector<int64_t> top(int64_t user, int64_t k) const {
    auto items = ranking(user);
    items.resize(std::min<size_t>(items.size(), k));
    return items;
  }
  double area(int64_t user) const {
    const auto score = scores(user);
    const auto seen = masked(user);
    const auto targets = relevant(user);
    double won = 0.0;
    double pairs = 0.0;
    for (const int64_t target : targets) {
      if (seen.count(target)) continue;
      for (int64_t item = 0; item < model.num_items(); ++item) {
        if (seen.count(item) || std::count(targets.begin(), targets.end(), item)) continue;
        won += score[target] > score[item] ? 1.0 : score[target] == score[item] ? 0.5 : 0.0;
        pairs += 1.0;
      }
    }
    return pairs == 0.0 ? std::nan("") : won / pairs;
  }
  double value(const MetricName& name, int64_t user) const {
    const auto hits = find_hits(ranking(user), relevant(user));
    const auto counts = input.item_counts;
    const std::span<const int64_t> count{counts.const_data_ptr<int64_t>(),
                                         static_cast<size_t>(counts.numel())};
    switch (name.metric) {
      case Metric::kRecall:
        return recall(hits, name.k);
      case Metric::kNdcg:
        return ndcg(hits, name.k);
      case Metric::kHitRate:
        return hit_rate(hits, name.k);
      case Metric::kMrr:
        return mrr(hits, name.k);
      case Metric::kMap:
        return average_precision(hits, name.k);
      case Metric::kPrecision:
        return precision(hits, name.k);
      case Metric::kAuc:
        return area(user);
      case Metric::kPopularity:
        return average_popularity(top(user, name.k), count);
      case Metric::kNovelty:
        return novelty(top(user, name.k), count, counts.sum().item<int64_t>());
      case Metric::kDiversity:
        return diversity(top(user, name.k), unit_rows(model.item_factors));
      default:
        return std::nan("");
    }
  }
  std::vector<int64_t> recommended(int64_t k) const {
    std::vector<int64_t> counts(model.num_items(), 0);
    for (size_t user = 0; user < users.size(); ++user) {
      if (relevant(user).empty()) continue;
      for (const int64_t item : top(user, k)) ++counts[item];
    }
    return counts;
  }
};

void expect_same(double a, double b, const std::string& what) {
  if (std::isnan(a) && std::isnan(b)) return;
  EXPECT_NEAR(a, b, kTolerance) << what;
}

void expect_equals_oracle(GivenModel& model, const std::vector<UserSplit>& users,
                          const EvaluationOptions& options) {
  const auto input = input_of(users, model.num_items());
  const auto result = evaluate(model, input, options);
  const Oracle oracle{model, users, options, input};
  for (int64_t row = 0; row < result.users.size(0); ++row) {
    const int64_t user = result.users[row].item<int64_t>();
    for (size_t m = 0; m < result.per_user_metrics.size(); ++m) {
      const auto& name = result.per_user_metrics[m];
      expect_same(result.per_user[row][static_cast<int64_t>(m)].item<double>(),
                  oracle.value(name, user), name.to_string() + " of user " + std::to_string(user));
    }
  }
  for (const auto& value : result.metrics) {
    if (value.name.metric == Metric::kCoverage) {
      expect_same(value.mean, coverage(oracle.recommended(value.name.k)), "coverage");
    } else if (value.name.metric == Metric::kGini) {
      expect_same(value.mean, gini(oracle.recommended(value.name.k)), "gini");
    }
  }
}

// Way to rank, number of query vectors, whether seen items are masked.
class EvaluatorOracle : public ::testing::TestWithParam<std::tuple<bool, int64_t, bool>> {};

TEST_P(EvaluatorOracle, EqualsAFullSortOfAllScores) {
  const auto [offers_factors, num_vectors, mask_seen] = GetParam();
  for (const auto& [num_users, num_items] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {1, 7}, {5, 2}, {37, 23}}) {
    for (const int64_t limit : {1, 50}) {  // 1 makes many equal scores
      auto model = given_model(num_users, num_vectors, num_items, limit, 7);
      model->offers_factors = offers_factors;
      if (num_vectors > 1) model->reduction = Factors::Reduction::kMax;
      if (limit == 1) model->bias = torch::arange(num_items).remainder(2).to(torch::kFloat);
      const auto users = random_users(num_users, num_items, 8);
      auto options = options_for(kListMetrics);
      options.mask_seen = mask_seen;
      options.batch_size = 10;
      if (!offers_factors) {
        // Diversity has no vectors of its own here, and is covered by the other way.
        options.metrics.pop_back();
      }
      expect_equals_oracle(*model, users, options);
      // Without the area under the curve the factors go through the blocked kernel.
      std::erase(options.metrics, MetricName{Metric::kAuc, 0});
      expect_equals_oracle(*model, users, options);
      options.relevant_from = 4.0;
      expect_equals_oracle(*model, users, options);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, EvaluatorOracle,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(1, 3),
                                            ::testing::Bool()));

TEST(Evaluator, RanksEqualScoresByTheLowerItem) {
  // All scores are 0: the list of everybody is 0, 1, 2, ... without what was seen.
  auto model = given_model(1, 1, 6, 0, 1);
  const std::vector<UserSplit> users = {{.history = {0, 2}, .targets = {3}}};
  auto options = options_for({"mrr@6"});
  options.top_k_lists = 3;
  for (const bool offers_factors : {true, false}) {
    model->offers_factors = offers_factors;
    const auto result = evaluate(*model, input_of(users, 6), options);
    EXPECT_DOUBLE_EQ(result.metrics[0].mean, 0.5);
    EXPECT_TRUE(result.lists->items.equal(torch::tensor({1, 3, 4}, torch::kInt64)));
  }
}

TEST(Evaluator, NeverRanksWhatTheUserHadUnlessAskedTo) {
  auto model = given_model(1, 1, 4, 0, 1);
  const std::vector<UserSplit> users = {{.history = {1}, .targets = {1}}};
  auto options = options_for({"recall@4"});
  auto result = evaluate(*model, input_of(users, 4), options);
  EXPECT_DOUBLE_EQ(result.metrics[0].mean, 0.0);
  EXPECT_EQ(result.num_masked_targets, 1);
  options.mask_seen = false;
  result = evaluate(*model, input_of(users, 4), options);
  EXPECT_DOUBLE_EQ(result.metrics[0].mean, 1.0);
  EXPECT_EQ(result.num_masked_targets, 0);
}

TEST(Evaluator, SeesTheWholeCatalogueBehindACutoffAboveIt) {
  auto model = given_model(1, 1, 3, 5, 1);
  const std::vector<UserSplit> users = {{.history = {0}, .targets = {1, 2}}};
  auto options = options_for({"recall@100", "precision@100"});
  options.top_k_lists = 100;
  const auto result = evaluate(*model, input_of(users, 3), options);
  EXPECT_DOUBLE_EQ(result.metrics[0].mean, 1.0);
  EXPECT_DOUBLE_EQ(result.metrics[1].mean, 0.02);
  EXPECT_EQ(result.lists->size(), 2);
}

TEST(Evaluator, LeavesOutUsersWithoutARelevantItem) {
  auto model = given_model(2, 1, 4, 0, 1);
  const std::vector<UserSplit> users = {{.history = {}, .targets = {0}, .labels = {2}},
                                        {.history = {}, .targets = {0}, .labels = {5}}};
  auto options = options_for({"recall@1"});
  options.relevant_from = 4.0;
  const auto result = evaluate(*model, input_of(users, 4), options);
  EXPECT_EQ(result.num_users_left_out, 1);
  EXPECT_EQ(result.metrics[0].num_users, 1);
  EXPECT_TRUE(result.users.equal(torch::tensor({1}, torch::kInt64)));
}

TEST(Evaluator, GivesTheSameBitsWithAnyNumberOfThreads) {
  const auto users = random_users(200, 60, 3);
  for (const bool offers_factors : {true, false}) {
    auto model = given_model(200, 2, 60, 9, 2);
    model->offers_factors = offers_factors;
    auto options = options_for({"recall@5", "ndcg@10", "auc", "coverage@5", "rmse"});
    options.top_k_lists = 5;
    options.batch_size = 16;
    options.threads = 1;
    const auto one = evaluate(*model, input_of(users, 60), options);
    options.threads = 4;
    const auto four = evaluate(*model, input_of(users, 60), options);
    EXPECT_EQ(to_json(one), to_json(four));
    EXPECT_TRUE(one.per_user.nan_to_num(-1).equal(four.per_user.nan_to_num(-1)));
    EXPECT_TRUE(one.lists->items.equal(four.lists->items));
    EXPECT_TRUE(one.lists->scores.equal(four.lists->scores));
  }
}

TEST(Evaluator, PermutesResultsWhenUsersArePermuted) {
  const int64_t num_users = 50;
  auto model = given_model(num_users, 1, 30, 9, 5);
  const auto users = random_users(num_users, 30, 6);
  const auto options = options_for({"recall@5", "ndcg@10", "auc"});
  const auto expected = evaluate(*model, input_of(users, 30), options);

  const auto order = torch::arange(num_users - 1, -1, -1);  // [V]
  auto permuted_users = users;
  std::reverse(permuted_users.begin(), permuted_users.end());
  model->user_factors = model->user_factors.index_select(0, order);
  const auto permuted = evaluate(*model, input_of(permuted_users, 30), options);
  EXPECT_TRUE(permuted.per_user.index_select(0, order).nan_to_num(-1).equal(
      expected.per_user.nan_to_num(-1)));
  for (size_t m = 0; m < expected.metrics.size(); ++m) {
    EXPECT_NEAR(permuted.metrics[m].mean, expected.metrics[m].mean, kTolerance);
  }
}

TEST(Evaluator, KeepsListsThatEqualTheOracle) {
  auto model = given_model(20, 1, 25, 3, 5);
  const auto users = random_users(20, 25, 6);
  auto options = options_for({"recall@2"});
  options.top_k_lists = 7;
  options.batch_size = 6;
  const auto input = input_of(users, 25);
  const auto result = evaluate(*model, input, options);
  const Oracle oracle{*model, users, options, input};
  ASSERT_EQ(result.lists->num_users(), 20);
  for (int64_t user = 0; user < 20; ++user) {
    const int64_t begin = result.lists->offsets[user].item<int64_t>();
    const int64_t end = result.lists->offsets[user + 1].item<int64_t>();
    const auto top = oracle.top(user, 7);
    EXPECT_TRUE(result.lists->items.slice(0, begin, end).equal(torch::tensor(top, torch::kInt64)));
    for (int64_t place = begin; place < end; ++place) {
      EXPECT_EQ(result.lists->scores[place].item<float>(), oracle.scores(user)[top[place - begin]]);
    }
  }
}

TEST(Evaluator, KeepsTheSameScoresWhetherAUsersBiasIsInTheFactorsOrNot) {
  const auto users = random_users(20, 25, 6);
  auto options = options_for({"ndcg@5"});
  options.top_k_lists = 7;
  auto model = given_model(20, 1, 25, 3, 5);
  model->user_bias = torch::arange(20, torch::kFloat) - 10;  // [U]
  const auto offered = evaluate(*model, input_of(users, 25), options);
  model->offers_factors = false;
  const auto hidden = evaluate(*model, input_of(users, 25), options);
  EXPECT_TRUE(offered.lists->items.equal(hidden.lists->items));
  EXPECT_TRUE(offered.lists->scores.equal(hidden.lists->scores));
  EXPECT_EQ(offered.metrics[0].mean, hidden.metrics[0].mean);
}

TEST(Evaluator, MeasuresRatingsOverAllOfThem) {
  // Scores of items 0, 1, 2 are 1, 2, 3 for user 0 and 2, 4, 6 for user 1.
  auto model = std::make_shared<GivenModel>();
  model->user_factors = torch::tensor({1.0F, 2.0F}).view({2, 1, 1});
  model->item_factors = torch::tensor({1.0F, 2.0F, 3.0F}).view({3, 1});
  const std::vector<UserSplit> users = {{.history = {}, .targets = {0, 2}, .labels = {2, 3}},
                                        {.history = {}, .targets = {1}, .labels = {1}}};
  // Errors -1, 0 and 3.
  const auto result = evaluate(*model, input_of(users, 3), options_for({"rmse", "mae"}));
  EXPECT_DOUBLE_EQ(result.value({Metric::kRmse, 0}), std::sqrt(10.0 / 3.0));
  EXPECT_DOUBLE_EQ(result.value({Metric::kMae, 0}), 4.0 / 3.0);
  EXPECT_DOUBLE_EQ(result.per_user[0][0].item<double>(), std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(result.per_user[1][1].item<double>(), 3.0);
  // Deviations of the users' sums: 1 - 2 * 4/3 and 3 - 4/3, squares 25/9 each;
  // sqrt(50/9 * 2/1) / 3 = 10/9.
  EXPECT_NEAR(result.metrics[1].standard_error, 10.0 / 9.0, kTolerance);
}

TEST(Evaluator, RefusesToCompareRatingsThatTheDataDoesNotHave) {
  auto model = given_model(2, 1, 4, 5, 1);
  auto input = input_of({{.history = {}, .targets = {0}}, {.history = {1}, .targets = {2}}}, 4);
  input.data.target_labels = torch::Tensor();
  EXPECT_NO_THROW(evaluate(*model, input, options_for({"ndcg@2", "auc"})));
  const auto problem_of = [&](const EvaluationOptions& options) -> std::string {
    try {
      evaluate(*model, input, options);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(problem_of(options_for({"ndcg@2", "rmse"}))
                .find("evaluation.metrics[1]: rmse compares ratings, and the data has none"),
            std::string::npos);
  EXPECT_NE(problem_of(options_for({"mae"})).find("metrics[0]: mae"), std::string::npos);
  auto options = options_for({"ndcg@2"});
  options.relevant_from = 4.0;
  EXPECT_NE(problem_of(options).find(
                "evaluation.relevant_from: is a rating, and the data has none"),
            std::string::npos);
}

TEST(Evaluator, NamesTheUserWhoseScoresAreNotANumber) {
  const auto users = random_users(30, 10, 4);
  auto ids = IdMap();
  for (int i = 0; i < 30; ++i) ids.add("user-" + std::to_string(i));
  auto input = input_of(users, 10);
  input.users = &ids;
  auto model = given_model(30, 1, 10, 3, 4);
  model->user_factors.select(0, 17).fill_(std::nan(""));
  auto options = options_for({"recall@5"});
  options.batch_size = 8;
  for (const bool offers_factors : {true, false}) {
    model->offers_factors = offers_factors;
    try {
      evaluate(*model, input, options);
      FAIL() << "expected an error";
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find("user 'user-17'"), std::string::npos)
          << error.what();
    }
  }
}

TEST(Evaluator, NamesTheItemWhoseVectorIsNotANumber) {
  auto model = given_model(3, 1, 10, 3, 4);
  model->item_factors[6][0] = std::nan("");
  try {
    evaluate(*model, input_of(random_users(3, 10, 4), 10), options_for({"recall@5"}));
    FAIL() << "expected an error";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("item '6'"), std::string::npos) << error.what();
  }
}

TEST(Evaluator, RanksInEvaluationModeAndRestoresTheOldOne) {
  auto model = given_model(3, 1, 5, 3, 4);
  model->train();
  evaluate(*model, input_of(random_users(3, 5, 4), 5), options_for({"recall@5"}));
  EXPECT_FALSE(model->was_in_training_mode);
  EXPECT_TRUE(model->is_training());
}

TEST(Evaluator, LeavesTheNumberOfThreadsAsItWas) {
  auto model = given_model(30, 1, 5, 3, 4);
  const int before = at::get_num_threads();
  auto options = options_for({"recall@5"});
  options.batch_size = 4;
  options.threads = 3;
  evaluate(*model, input_of(random_users(30, 5, 4), 5), options);
  EXPECT_EQ(at::get_num_threads(), before);
}

TEST(Evaluator, RefusesAModelOfAnotherCatalogue) {
  auto model = given_model(3, 1, 5, 3, 4);
  EXPECT_THROW(evaluate(*model, input_of(random_users(3, 6, 4), 6), options_for({"recall@5"})),
               c10::Error);
}

TEST(Evaluator, RefusesDiversityWithoutVectors) {
  auto model = given_model(3, 1, 5, 3, 4);
  model->offers_factors = false;
  auto input = input_of(random_users(3, 5, 4), 5);
  const auto options = options_for({"diversity@5"});
  EXPECT_THROW(evaluate(*model, input, options), ConfigError);
  // Given vectors (categories, say) take their place: all alike, so no diversity.
  input.item_vectors = torch::ones({5, 2});
  EXPECT_NEAR(evaluate(*model, input, options).metrics[0].mean, 0.0, 1e-6);
}

TEST(Evaluator, FindsARandomModelAtItsExpectation) {
  // Every user has 20 of 120 items behind it and one target: recall@10 is 10 / 100.
  constexpr int64_t kUsers = 4000;
  std::vector<UserSplit> users(kUsers);
  for (int64_t u = 0; u < kUsers; ++u) {
    for (int32_t i = 0; i < 20; ++i) users[u].history.push_back((u * 7 + i) % 120);
    users[u].targets = {static_cast<int32_t>((u * 7 + 20 + u % 100) % 120)};
  }
  Random model({}, Model::Deps{.num_users = kUsers, .num_items = 120});
  const auto options = options_for({"recall@10", "auc"});
  const auto result = evaluate(model, input_of(users, 120), options);
  EXPECT_EQ(result.num_masked_targets, 0);
  // Four deviations of a share of 4,000 users, and of a uniform number.
  EXPECT_NEAR(result.metrics[0].mean, 0.1, 4.0 * std::sqrt(0.09 / kUsers));
  EXPECT_NEAR(result.metrics[1].mean, 0.5, 4.0 * std::sqrt(1.0 / 12.0 / kUsers));
}

TEST(SampledEvaluation, FindsARandomModelAtItsExpectation) {
  constexpr int64_t kUsers = 3000;
  std::vector<UserSplit> users(kUsers);
  for (int64_t u = 0; u < kUsers; ++u) {
    users[u] = {.history = {static_cast<int32_t>(u % 500)},
                .targets = {static_cast<int32_t>((u + 250) % 500)}};
  }
  Random model({}, Model::Deps{.num_users = kUsers, .num_items = 500});
  auto options = options_for({"recall@5", "auc"});
  options.protocol = EvaluationProtocol::kSampled;
  options.negatives = NegativeSampling{.count = 49};
  const auto result = evaluate(model, input_of(users, 500), options);
  // The target is one of 50: recall@5 is 5 / 50.
  EXPECT_NEAR(result.metrics[0].mean, 0.1, 4.0 * std::sqrt(0.09 / kUsers));
  EXPECT_NEAR(result.metrics[1].mean, 0.5, 4.0 * std::sqrt(1.0 / 12.0 / kUsers));
  EXPECT_TRUE(result.is_sampled);
  EXPECT_EQ(result.protocol,
            "sampled: 49 uniform items beside the relevant ones, seed 0, seen items masked");
}

TEST(SampledEvaluation, EqualsTheFullOneWhenAllItemsAreDrawn) {
  auto model = given_model(40, 1, 30, 2, 9);
  const auto users = random_users(40, 30, 10);
  auto options = options_for({"recall@3", "ndcg@10", "auc", "map@4"});
  options.top_k_lists = 6;
  const auto full = evaluate(*model, input_of(users, 30), options);
  options.protocol = EvaluationProtocol::kSampled;
  options.negatives = NegativeSampling{.count = 1000};
  const auto sampled = evaluate(*model, input_of(users, 30), options);
  EXPECT_TRUE(full.per_user.nan_to_num(-1).equal(sampled.per_user.nan_to_num(-1)));
  EXPECT_TRUE(full.lists->items.equal(sampled.lists->items));
  EXPECT_NE(
      std::find(sampled.notes.begin(), sampled.notes.end(),
                "40 users have fewer items left than are to be drawn, and all of those compete"),
      sampled.notes.end());
}

TEST(EvaluateLists, GivesWhatTheEvaluatorFoundForItsOwnLists) {
  auto model = given_model(40, 1, 30, 9, 9);
  const auto users = random_users(40, 30, 10);
  auto options = options_for({"recall@3", "ndcg@10", "coverage@5", "popularity@5"});
  options.top_k_lists = 10;
  const auto input = input_of(users, 30);
  const auto own = evaluate(*model, input, options);
  const auto again = evaluate_lists(*own.lists, input, options);
  EXPECT_TRUE(own.per_user.equal(again.per_user));
  for (size_t m = 0; m < own.metrics.size(); ++m) {
    EXPECT_EQ(own.metrics[m].mean, again.metrics[m].mean);
  }
}

TEST(EvaluateLists, CountsWhatIsMissingSeenOrUnknownAsMisses) {
  const std::vector<UserSplit> users = {{.history = {0}, .targets = {1, 0}},
                                        {.history = {}, .targets = {2}}};
  // User 0 is given an unknown item, a seen one (a target too) and a hit at rank 3.
  const RankedLists lists = {.users = torch::tensor({0}, torch::kInt64),
                             .offsets = torch::tensor({0, 3}, torch::kInt64),
                             .items = torch::tensor({kUnknownId, int64_t{0}, int64_t{1}}),
                             .scores = torch::tensor({3.0F, 2.0F, 1.0F})};
  const auto result =
      evaluate_lists(lists, input_of(users, 3), options_for({"mrr@3", "recall@3", "auc"}));
  ASSERT_EQ(result.metrics.size(), 2);
  EXPECT_DOUBLE_EQ(result.per_user[0][0].item<double>(), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(result.per_user[0][1].item<double>(), 0.5);
  EXPECT_DOUBLE_EQ(result.per_user[1][0].item<double>(), 0.0);
  const std::vector<std::string> notes = {
      "1 relevant item had been seen by the user, is masked and counts as a miss",
      "left out, since lists alone do not give them: auc",
      "1 user of the split has no list and counts with an empty one",
      "1 recommended item had been seen by the user and counts as a miss"};
  EXPECT_EQ(result.notes, notes);
}

TEST(EvaluateLists, RefusesWhenNoMetricIsLeft) {
  const RankedLists lists = {.users = torch::empty({0}, torch::kInt64),
                             .offsets = torch::zeros({1}, torch::kInt64),
                             .items = torch::empty({0}, torch::kInt64),
                             .scores = torch::empty({0})};
  const std::vector<UserSplit> users = {{.history = {}, .targets = {0}}};
  EXPECT_THROW(evaluate_lists(lists, input_of(users, 1), options_for({"auc", "rmse"})),
               ConfigError);
}

}  // namespace
}  // namespace reckon::evaluator_test
