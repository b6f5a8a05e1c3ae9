#include "evaluation/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random.h"
#include "tests/evaluation/metrics_reference.h"

namespace reckon::metrics_test {
namespace {

constexpr double kTolerance = 1e-12;  // double arithmetic in another order

Hits hits_of(const std::vector<int64_t>& list, const std::vector<int64_t>& relevant) {
  return find_hits(list, relevant);
}

torch::Tensor rows(const std::vector<std::vector<float>>& vectors) {
  std::vector<torch::Tensor> tensors;
  for (const auto& vector : vectors) tensors.push_back(torch::tensor(vector));
  return torch::stack(tensors);
}

// The worked example of docs/metrics.md: list 7 3 9 1, relevant {1, 3, 5}, so hits at ranks 2 and 4.
class WorkedExample : public ::testing::Test {
 protected:
  const Hits hits = hits_of({7, 3, 9, 1}, {1, 3, 5});
};

TEST_F(WorkedExample, FindsHitsAtRanksTwoAndFour) {
  EXPECT_EQ(hits.ranks, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(hits.num_relevant, 3);
}

TEST_F(WorkedExample, RecallDividesByTheNumberOfRelevantItems) {
  EXPECT_DOUBLE_EQ(recall(hits, 1), 0.0);
  EXPECT_DOUBLE_EQ(recall(hits, 2), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(recall(hits, 4), 2.0 / 3.0);
}

TEST_F(WorkedExample, NdcgIdealHasAsManyHitsAsFit) {
  // At 2: gain 1 / log2(3) = .630930, ideal 1 + 1 / log2(3) = 1.630930 (two of three fit).
  EXPECT_NEAR(ndcg(hits, 2), 0.630930 / 1.630930, 1e-6);
  // At 4: gain 1 / log2(3) + 1 / log2(5) = 1.061606, ideal 1 + .630930 + .5 = 2.130930.
  EXPECT_NEAR(ndcg(hits, 4), 1.061606 / 2.130930, 1e-6);
}

TEST_F(WorkedExample, HitRateAsksForOneHitOnly) {
  EXPECT_DOUBLE_EQ(hit_rate(hits, 1), 0.0);
  EXPECT_DOUBLE_EQ(hit_rate(hits, 2), 1.0);
}

TEST_F(WorkedExample, ReciprocalRankIsOfTheFirstHitWithinTheCutoff) {
  EXPECT_DOUBLE_EQ(mrr(hits, 1), 0.0);
  EXPECT_DOUBLE_EQ(mrr(hits, 4), 0.5);
}

TEST_F(WorkedExample, AveragePrecisionDividesByWhatCouldBeFound) {
  EXPECT_DOUBLE_EQ(average_precision(hits, 2), 0.5 / 2.0);
  EXPECT_DOUBLE_EQ(average_precision(hits, 4), (1.0 / 2.0 + 2.0 / 4.0) / 3.0);
}

TEST_F(WorkedExample, PrecisionDividesByTheCutoffEvenWhenTheListIsShorter) {
  EXPECT_DOUBLE_EQ(precision(hits, 4), 0.5);
  EXPECT_DOUBLE_EQ(precision(hits, 10), 0.2);
}

TEST(RankingMetrics, AreNotANumberWithoutRelevantItems) {
  const auto hits = hits_of({1, 2, 3}, {});
  for (const auto metric : {recall, ndcg, hit_rate, mrr, average_precision, precision}) {
    EXPECT_TRUE(std::isnan(metric(hits, 2)));
  }
}

TEST(RankingMetrics, TakePlacesOfUnknownItemsAsMisses) {
  const auto hits = hits_of({-1, 4, -1}, {4});
  EXPECT_EQ(hits.ranks, std::vector<int64_t>{2});
}

TEST(RankingMetrics, AreOneForAPerfectListAndAnyCutoff) {
  const auto hits = hits_of({5, 1, 3}, {1, 3, 5});
  for (const int64_t k : {1, 2, 3, 100}) {
    EXPECT_DOUBLE_EQ(ndcg(hits, k), 1.0) << k;
    EXPECT_DOUBLE_EQ(average_precision(hits, k), 1.0) << k;
    EXPECT_DOUBLE_EQ(mrr(hits, k), 1.0) << k;
  }
}

TEST(RankingMetrics, EqualTheReference) {
  for (const auto& c : reference::kRanking) {
    const auto hits = hits_of(c.list, c.relevant);
    EXPECT_NEAR(recall(hits, c.k), c.recall, kTolerance);
    EXPECT_NEAR(ndcg(hits, c.k), c.ndcg, kTolerance);
    EXPECT_NEAR(hit_rate(hits, c.k), c.hit_rate, kTolerance);
    EXPECT_NEAR(mrr(hits, c.k), c.mrr, kTolerance);
    EXPECT_NEAR(average_precision(hits, c.k), c.average_precision, kTolerance);
    EXPECT_NEAR(precision(hits, c.k), c.precision, kTolerance);
  }
}

TEST(RankingMetrics, LieBetweenZeroAndOneAndGrowWithTheCutoff) {
  CounterRng random(RandomKey(11));
  for (int trial = 0; trial < 200; ++trial) {
    const auto items = static_cast<int64_t>(1 + random.below(30));
    auto list = permutation(items, RandomKey(12, uint64_t{0}, 0, trial));
    std::vector<int64_t> relevant = permutation(items, RandomKey(13, uint64_t{0}, 0, trial));
    relevant.resize(1 + random.below(relevant.size()));
    std::sort(relevant.begin(), relevant.end());
    list.resize(random.below(list.size() + 1));
    const auto hits = hits_of(list, relevant);
    for (const auto metric : {recall, ndcg, hit_rate, mrr, average_precision, precision}) {
      for (int64_t k = 1; k <= 40; ++k) {
        EXPECT_GE(metric(hits, k), 0.0);
        EXPECT_LE(metric(hits, k), 1.0 + kTolerance);
      }
    }
    for (const auto metric : {recall, hit_rate, mrr}) {
      for (int64_t k = 1; k < 40; ++k) EXPECT_LE(metric(hits, k), metric(hits, k + 1));
    }
  }
}

TEST(Auc, CountsEqualScoresHalf) {
  // Pairs (2, 1), (2, 2), (2, 3): right, equal, wrong.
  EXPECT_DOUBLE_EQ(auc(std::vector<float>{2}, std::vector<float>{1, 2, 3}), 0.5);
  EXPECT_DOUBLE_EQ(auc(std::vector<float>{2}, std::vector<float>{2, 2}), 0.5);
  EXPECT_DOUBLE_EQ(auc(std::vector<float>{3, 1}, std::vector<float>{2}), 0.5);
  EXPECT_DOUBLE_EQ(auc(std::vector<float>{3, 2}, std::vector<float>{1, 2}), 3.5 / 4.0);
}

TEST(Auc, IsNotANumberWhenOneSideIsEmpty) {
  EXPECT_TRUE(std::isnan(auc(std::vector<float>{}, std::vector<float>{1})));
  EXPECT_TRUE(std::isnan(auc(std::vector<float>{1}, std::vector<float>{})));
}

TEST(Auc, EqualsTheReference) {
  for (const auto& c : reference::kAuc) EXPECT_NEAR(auc(c.relevant, c.others), c.auc, kTolerance);
}

TEST(RatingMetrics, EqualAHandComputation) {
  // Errors 1, -1, 2: squares 1 + 1 + 4 over 3, absolute 4 over 3.
  const std::vector<float> predictions = {3, 2, 5};
  const std::vector<float> labels = {2, 3, 3};
  EXPECT_DOUBLE_EQ(rmse(predictions, labels), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(mae(predictions, labels), 4.0 / 3.0);
}

TEST(RatingMetrics, EqualTheReference) {
  for (const auto& c : reference::kRating) {
    EXPECT_NEAR(rmse(c.predictions, c.labels), c.rmse, kTolerance);
    EXPECT_NEAR(mae(c.predictions, c.labels), c.mae, kTolerance);
  }
}

TEST(RatingMetrics, RefuseUnequalLengths) {
  EXPECT_THROW(rmse(std::vector<float>{1, 2}, std::vector<float>{1}), c10::Error);
  EXPECT_THROW(mae(std::vector<float>{}, std::vector<float>{1}), c10::Error);
}

TEST(Gini, IsZeroForEqualCountsAndNearOneForOneWinner) {
  EXPECT_DOUBLE_EQ(gini(std::vector<int64_t>{3, 3, 3}), 0.0);
  // One of n items takes all: (n - 1) / n.
  EXPECT_DOUBLE_EQ(gini(std::vector<int64_t>{0, 7, 0, 0}), 0.75);
  // Sorted 1 2 3: (-2 * 1 + 0 * 2 + 2 * 3) / (3 * 6) = 4 / 18.
  EXPECT_DOUBLE_EQ(gini(std::vector<int64_t>{2, 3, 1}), 4.0 / 18.0);
  EXPECT_TRUE(std::isnan(gini(std::vector<int64_t>{0, 0})));
}

TEST(Coverage, CountsItemsInAnyList) {
  EXPECT_DOUBLE_EQ(coverage(std::vector<int64_t>{0, 5, 1, 0}), 0.5);
}

TEST(GiniAndCoverage, EqualTheReference) {
  for (const auto& c : reference::kGini) {
    EXPECT_NEAR(gini(c.counts), c.gini, kTolerance);
    EXPECT_NEAR(coverage(c.counts), c.coverage, kTolerance);
  }
}

TEST(Novelty, IsTheMeanSelfInformationInBits) {
  // Shares 1/2, 1/4, 1/4, and an item without interactions, which counts as one seen once: 1/4.
  const std::vector<int64_t> counts = {2, 1, 1, 0};
  EXPECT_DOUBLE_EQ(novelty(std::vector<int64_t>{0}, counts, 4), 1.0);
  EXPECT_DOUBLE_EQ(novelty(std::vector<int64_t>{0, 3}, counts, 4), 1.5);
  EXPECT_TRUE(std::isnan(novelty(std::vector<int64_t>{-1}, counts, 4)));
}

TEST(AveragePopularity, LeavesUnknownItemsOut) {
  const std::vector<int64_t> counts = {10, 4};
  EXPECT_DOUBLE_EQ(average_popularity(std::vector<int64_t>{0, -1, 1}, counts), 7.0);
}

TEST(Diversity, IsOneMinusTheMeanCosineOfPairs) {
  // East, north, west: cosines 0, -1, 0, mean -1/3.
  const auto vectors = unit_rows(torch::tensor({{2.0F, 0.0F}, {0.0F, 5.0F}, {-1.0F, 0.0F}}));
  EXPECT_NEAR(diversity(std::vector<int64_t>{0, 1, 2}, vectors), 4.0 / 3.0, kTolerance);
  EXPECT_NEAR(diversity(std::vector<int64_t>{0, 1}, vectors), 1.0, kTolerance);
  EXPECT_NEAR(diversity(std::vector<int64_t>{1, 1}, vectors), 0.0, kTolerance);
  EXPECT_TRUE(std::isnan(diversity(std::vector<int64_t>{1}, vectors)));
}

TEST(Diversity, TakesAZeroVectorAsUnlikeAllOthers) {
  const auto vectors = unit_rows(torch::tensor({{0.0F, 0.0F}, {1.0F, 1.0F}}));
  EXPECT_NEAR(diversity(std::vector<int64_t>{0, 1}, vectors), 1.0, kTolerance);
}

TEST(ListMetrics, EqualTheReference) {
  for (const auto& c : reference::kLists) {
    const auto total = std::accumulate(c.counts.begin(), c.counts.end(), int64_t{0});
    EXPECT_NEAR(average_popularity(c.list, c.counts), c.average_popularity, kTolerance);
    EXPECT_NEAR(novelty(c.list, c.counts, total), c.novelty, kTolerance);
    // Unit vectors are float32.
    EXPECT_NEAR(diversity(c.list, unit_rows(rows(c.vectors))), c.diversity, 1e-6);
  }
}

TEST(Summarize, LeavesOutWhatIsNotANumber) {
  // 1, 2, 3: deviation 1, standard error 1 / sqrt(3).
  const auto summary = summarize(std::vector<double>{1, std::nan(""), 2, 3});
  EXPECT_EQ(summary.count, 3);
  EXPECT_DOUBLE_EQ(summary.mean, 2.0);
  EXPECT_DOUBLE_EQ(summary.standard_error, 1.0 / std::sqrt(3.0));
  EXPECT_TRUE(std::isnan(summarize(std::vector<double>{1.0}).standard_error));
  EXPECT_TRUE(std::isnan(summarize(std::vector<double>{}).mean));
}

}  // namespace
}  // namespace reckon::metrics_test
