#include "evaluation/sampled_candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace reckon::sampled_candidates_test {
namespace {

using Distribution = NegativeSampling::Distribution;

TEST(SampledCandidates, AreDistinctAscendingAndNotExcluded) {
  const std::unordered_set<int64_t> excluded = {0, 3, 50, 99};
  for (const int64_t count : {1, 30, 96, 200}) {
    const SampledCandidates sampler(100, {}, {.count = count});
    for (int64_t user = 0; user < 20; ++user) {
      const auto items = sampler.draw(user, excluded);
      EXPECT_EQ(items.size(), std::min<int64_t>(count, 96));
      EXPECT_TRUE(std::is_sorted(items.begin(), items.end(), std::less_equal<>()));
      for (const int64_t item : items) EXPECT_EQ(excluded.count(item), 0);
    }
  }
}

TEST(SampledCandidates, DependOnSeedAndUserAlone) {
  const SampledCandidates a(1000, {}, {.count = 20, .seed = 1});
  const SampledCandidates b(1000, {}, {.count = 20, .seed = 1});
  const SampledCandidates c(1000, {}, {.count = 20, .seed = 2});
  a.draw(3, {});
  EXPECT_EQ(a.draw(7, {}), b.draw(7, {}));
  EXPECT_NE(a.draw(7, {}), a.draw(8, {}));
  EXPECT_NE(a.draw(7, {}), c.draw(7, {}));
}

TEST(SampledCandidates, FollowTheTrainingCountsWhenAskedTo) {
  constexpr int64_t kDraws = 8000;
  const auto counts = torch::tensor({0, 1, 2, 5}, torch::kInt64);
  const SampledCandidates sampler(4, counts,
                                  {.count = 1, .distribution = Distribution::kPopularity});
  std::vector<int64_t> drawn(4, 0);
  for (int64_t user = 0; user < kDraws; ++user) ++drawn[sampler.draw(user, {}).at(0)];
  EXPECT_EQ(drawn[0], 0);
  for (int64_t item = 1; item < 4; ++item) {
    const double p = counts[item].item<double>() / 8.0;
    EXPECT_NEAR(static_cast<double>(drawn[item]) / kDraws, p,
                4.0 * std::sqrt(p * (1 - p) / kDraws));
  }
}

TEST(SampledCandidates, KeepTheirDistributionWhenOneItemTakesNearlyAllDraws) {
  // Item 0 always comes first, and the second is 1 or 2 in proportion 1 : 3; rejection alone would
  // rarely get there.
  constexpr int64_t kDraws = 4000;
  const auto counts = torch::tensor({1000000, 1, 3}, torch::kInt64);
  const SampledCandidates sampler(3, counts,
                                  {.count = 2, .distribution = Distribution::kPopularity});
  int64_t ones = 0;
  for (int64_t user = 0; user < kDraws; ++user) {
    const auto items = sampler.draw(user, {});
    ASSERT_EQ(items.size(), 2);
    ASSERT_EQ(items[0], 0);
    ones += items[1] == 1;
  }
  EXPECT_NEAR(static_cast<double>(ones) / kDraws, 0.25, 4.0 * std::sqrt(0.1875 / kDraws));
}

TEST(SampledCandidates, AreAllThatIsLeftHoweverManyAreAskedFor) {
  const auto counts = torch::cat({torch::zeros({5}, torch::kInt64), torch::arange(1, 46)});  // [I]
  for (const auto distribution : {Distribution::kUniform, Distribution::kPopularity}) {
    std::vector<int64_t> expected;
    const int64_t first = distribution == Distribution::kUniform ? 0 : 5;
    for (int64_t item = first; item < 50; ++item)
      if (item != 7) expected.push_back(item);
    for (const int64_t count : {int64_t{1} << 50, std::numeric_limits<int64_t>::max()}) {
      const SampledCandidates sampler(50, counts, {.count = count, .distribution = distribution});
      EXPECT_EQ(sampler.draw(3, {7}), expected);
    }
  }
}

TEST(SampledCandidates, KeepTheirDistributionWhereNearlyAllItemsAreDrawn) {
  // Which of four is left out when three come in proportion 1 : 2 : 3 : 4, one after another.
  constexpr int64_t kDraws = 8000;
  const auto counts = torch::tensor({1, 2, 3, 4}, torch::kInt64);
  const SampledCandidates sampler(4, counts,
                                  {.count = 3, .distribution = Distribution::kPopularity});
  std::vector<double> expected(4, 0.0);
  const std::vector<double> weight = {1, 2, 3, 4};
  std::vector<int64_t> order = {0, 1, 2, 3};
  do {
    double p = 1.0, left = 10.0;
    for (int place = 0; place < 3; ++place) {
      p *= weight[order[place]] / left;
      left -= weight[order[place]];
    }
    expected[order[3]] += p;
  } while (std::next_permutation(order.begin(), order.end()));
  std::vector<int64_t> left_out(4, 0);
  for (int64_t user = 0; user < kDraws; ++user) {
    const auto items = sampler.draw(user, {});
    ASSERT_EQ(items.size(), 3);
    ++left_out[6 - items[0] - items[1] - items[2]];
  }
  for (size_t item = 0; item < 4; ++item) {
    const double p = expected[item];
    EXPECT_NEAR(static_cast<double>(left_out[item]) / kDraws, p,
                4.0 * std::sqrt(p * (1 - p) / kDraws));
  }
}

TEST(SampledCandidates, NeedCountsForPopularity) {
  EXPECT_THROW(SampledCandidates(4, {}, {.distribution = Distribution::kPopularity}), c10::Error);
}

}  // namespace
}  // namespace reckon::sampled_candidates_test
