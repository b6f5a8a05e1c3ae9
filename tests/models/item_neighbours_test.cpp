#include "models/item_neighbours.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/ids.h"

namespace reckon {
namespace {

// Rows of a dense 0-1 matrix as a sparse one.
SparseRows sparse(const torch::Tensor& dense) {
  SparseRows out{torch::zeros({dense.size(0) + 1}, torch::kLong), {}, {}};
  out.offsets.slice(0, 1).copy_(dense.sum(1).cumsum(0));
  out.columns = dense.nonzero().select(1, 1).to(torch::kInt);  // [E]
  out.values = torch::ones({out.columns.size(0)});             // [E]
  return out;
}

TEST(ItemNeighbours, AreTheLargestWeightsOfThePapersFormula) {
  torch::manual_seed(1);
  const int64_t users = 20, items = 12, count = 4;
  auto dense = torch::rand({users, items}).lt(0.3).to(torch::kFloat);  // [U, I]
  dense.select(1, 11).zero_();                                         // chosen by nobody
  const auto common = dense.t().matmul(dense);                         // [I, I]
  const auto sums = common.sum(1);                                     // [I]
  const auto got = item_neighbours(sparse(dense), items, count);
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
}  // namespace reckon
