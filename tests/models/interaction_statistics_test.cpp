#include "models/interaction_statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/ids.h"

namespace reckon::interaction_statistics_test {
namespace {

// Interactions of a dense matrix of zeros and ones, the first of each user twice.
Interactions interactions_of(const torch::Tensor& dense) {
  Interactions train;
  train.num_users = dense.size(0);
  train.num_items = dense.size(1);
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> items;
  for (int64_t u = 0; u < train.num_users; ++u) {
    for (int32_t i = 0; i < train.num_items; ++i)
      if (dense[u][i].item<float>() > 0) items.push_back(i);
    if (static_cast<int64_t>(items.size()) > offsets.back()) items.push_back(items[offsets.back()]);
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  train.user_offsets = torch::tensor(offsets, torch::kLong);  // [U + 1]
  train.items = torch::tensor(items, torch::kInt);            // [E]
  return train;
}

TEST(InteractionStatistics, CountWhatIsDistinctAndSeekNoNeighboursUnasked) {
  torch::manual_seed(2);
  const auto dense = torch::rand({20, 12}).lt(0.3).to(torch::kFloat);  // [U, I]
  const auto got = interaction_statistics(interactions_of(dense), 0);
  EXPECT_TRUE(torch::equal(got.user_degrees, dense.sum(1)));
  EXPECT_TRUE(torch::equal(got.item_degrees, dense.sum(0)));
  EXPECT_FALSE(got.neighbours.ids.defined());
}

TEST(InteractionStatistics, NeighboursAreTheLargestWeightsOfThePapersFormula) {
  torch::manual_seed(1);
  const int64_t users = 20, items = 12, count = 4;
  auto dense = torch::rand({users, items}).lt(0.3).to(torch::kFloat);  // [U, I]
  dense.select(1, 11).zero_();                                         // chosen by nobody
  const auto common = dense.t().matmul(dense);                         // [I, I]
  const auto sums = common.sum(1);                                     // [I]
  const auto got = interaction_statistics(interactions_of(dense), count).neighbours;
  for (int64_t i = 0; i < items; ++i) {
    std::vector<std::pair<double, int64_t>> expected;
    for (int64_t j = 0; j < items; ++j) {
      const double shared = common[i][j].item<double>();
      if (j == i || shared == 0.0) continue;
      const double of_i = sums[i].item<double>(), of_j = sums[j].item<double>();
      expected.emplace_back(-shared / (of_i - common[i][i].item<double>()) * std::sqrt(of_i / of_j),
                            j);
    }
    std::sort(expected.begin(), expected.end());
    for (int64_t k = 0; k < count; ++k) {
      const bool is_there = k < static_cast<int64_t>(expected.size());
      EXPECT_NEAR(got.weights[i][k].item<double>(), is_there ? -expected[k].first : 0.0, 1e-6);
      if (!is_there) {
        EXPECT_EQ(got.ids[i][k].item<int64_t>(), kPaddingId);
      }
    }
  }
  EXPECT_TRUE(got.ids[11].eq(kPaddingId).all().item<bool>());
}

}  // namespace
}  // namespace reckon::interaction_statistics_test
