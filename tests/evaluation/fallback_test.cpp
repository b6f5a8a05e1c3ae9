// Users of whom the model knows nothing get what serving gives them: popularity, and are counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/ids.h"
#include "evaluation/evaluator.h"
#include "tests/evaluation/evaluation_support.h"

namespace reckon::fallback_test {
namespace {

constexpr int64_t kUsers = 9, kItems = 20, kNumKnown = 4;

/// Knows the first few users only.
class PartlyTrainedModel : public GivenModel {
 public:
  torch::Tensor known_users(const torch::Tensor& users) override {
    return users.masked_fill(users.ge(kNumKnown), kUnknownId);  // [B]
  }
};

struct Fixture {
  explicit Fixture(bool offers_factors) {
    const auto given = given_model(kUsers, 2, kItems, 4, 11);
    model.user_factors = given->user_factors;
    model.item_factors = given->item_factors;
    model.offers_factors = offers_factors;
    popularity.user_factors = torch::ones({kUsers, 1, 1});
    popularity.item_factors = input.item_counts.to(torch::kFloat).unsqueeze(1);
  }

  std::vector<UserSplit> users = random_users(kUsers, kItems, 12);
  EvaluationInput input = input_of(users, kItems);
  PartlyTrainedModel model;
  GivenModel popularity;  // whose scores are the counts
};

void expect_fallback_rows(const EvaluationResult& mixed, const EvaluationResult& own,
                          const EvaluationResult& popular) {
  for (int64_t row = 0; row < mixed.users.size(0); ++row) {
    const bool known = mixed.users[row].item<int64_t>() < kNumKnown;
    const auto& expected = known ? own : popular;
    // A user may have no area under the curve, in both.
    EXPECT_TRUE(
        torch::equal(mixed.per_user[row].nan_to_num(-1.0), expected.per_user[row].nan_to_num(-1.0)))
        << row;
  }
  EXPECT_EQ(mixed.num_fallback_users, kUsers - kNumKnown);
  EXPECT_THAT(mixed.notes,
              ::testing::Contains(
                  "5 users have nothing that the model can use (no rows in training, no "
                  "history) and get the items most popular in training"));
  EXPECT_EQ(own.num_fallback_users, 0);
}

TEST(Fallback, UnknownUsersAreRankedByPopularityInEveryWayToRank) {
  for (const bool offers_factors : {true, false})
    for (const std::string extra : {"map@5", "auc"})
      for (const bool sampled : {false, true}) {
        Fixture f(offers_factors);
        auto options = options_for({"ndcg@5", "recall@3", extra});
        if (sampled) {
          options.protocol = EvaluationProtocol::kSampled;
          options.negatives = NegativeSampling{.count = 8};
        }
        SCOPED_TRACE(extra + (offers_factors ? " factors" : " scores") +
                     (sampled ? " sampled" : ""));
        GivenModel all_known = f.model;
        expect_fallback_rows(evaluate(f.model, f.input, options),
                             evaluate(all_known, f.input, options),
                             evaluate(f.popularity, f.input, options));
      }
}

TEST(Fallback, ListsOfUnknownUsersAreThoseOfPopularityWithoutWhatWasSeen) {
  for (const bool offers_factors : {true, false}) {
    Fixture f(offers_factors);
    auto options = options_for({"ndcg@5"});
    options.top_k_lists = 5;
    const auto lists = *evaluate(f.model, f.input, options).lists;
    const auto popular = *evaluate(f.popularity, f.input, options).lists;
    for (int64_t user = kNumKnown; user < kUsers; ++user) {
      const auto of = [&](const RankedLists& all, const torch::Tensor& values) {
        return values.slice(0, all.offsets[user].item<int64_t>(),
                            all.offsets[user + 1].item<int64_t>());
      };
      EXPECT_TRUE(torch::equal(of(lists, lists.items), of(popular, popular.items))) << user;
      EXPECT_TRUE(torch::equal(of(lists, lists.scores), of(popular, popular.scores))) << user;
    }
  }
}

TEST(Fallback, RatingsOfUnknownUsersAreTheModelsOwn) {
  Fixture f(true);
  GivenModel all_known = f.model;
  const auto options = options_for({"rmse"});
  const auto result = evaluate(f.model, f.input, options);
  EXPECT_EQ(result.value(MetricName::parse("rmse")),
            evaluate(all_known, f.input, options).value(MetricName::parse("rmse")));
  EXPECT_EQ(result.num_fallback_users, 0) << "nothing was ranked";
}

TEST(Fallback, WithoutCountsItSaysWhatIsMissing) {
  Fixture f(true);
  f.input.item_counts = torch::Tensor();
  EXPECT_THROW(evaluate(f.model, f.input, options_for({"ndcg@5"})), c10::Error);
}

}  // namespace
}  // namespace reckon::fallback_test
