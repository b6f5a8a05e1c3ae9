#include "kernels/row_sums.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "kernels/kernel_threads.h"
#include "tests/kernels/every_simd.h"

namespace reckon::row_sums_test {
namespace {

struct Case {
  torch::Tensor table, rows, weights;
};

// Bags of all lengths: some rows in no bag, one more than once in a bag, an empty bag, and weights of zero.
Case make_case(int64_t height, int64_t width, torch::ScalarType type = torch::kFloat) {
  torch::manual_seed(3);
  Case out;
  out.table = torch::randn({height, width}, type);
  out.rows = torch::randint(height, {7, 9}, torch::kLong);
  out.weights = torch::randn({7, 9}, type) * torch::rand({7, 9}).gt(0.4);
  out.rows[1].fill_(height - 1);
  out.weights[2].zero_();
  return out;
}

torch::Tensor oracle(const Case& c) {
  return (c.table.index_select(0, c.rows.flatten()).view({7, 9, -1}) * c.weights.unsqueeze(-1))
      .sum(1);
}

TEST(WeightedRowSums, EqualTheSumOfGatheredRowsOnEveryInstructionSet) {
  for (const int64_t width : {1, 8, 16, 24, 64, 75, 150}) {
    const auto c = make_case(20, width);
    for (const auto simd : runnable_simd()) {
      const ForcedSimd forced(simd);
      EXPECT_TRUE(
          torch::allclose(weighted_row_sums(c.table, c.rows, c.weights), oracle(c), 1e-5, 1e-5))
          << simd_name(simd) << " " << width;
    }
  }
}

TEST(WeightedRowSums, TheGradientIsThatOfTheFormulaAndNamesEachRowThatCountsOnce) {
  // A table that is looked through, and one of so many rows that names are sorted instead.
  for (const int64_t height : {20, 5000}) {
    auto c = make_case(height, 6, torch::kDouble);
    c.table.requires_grad_();
    const auto direction = torch::randn({7, 6}, torch::kDouble);
    const auto grad = [&](const torch::Tensor& sums) {
      return torch::autograd::grad({(sums * direction).sum()}, {c.table})[0];
    };
    const auto got = grad(weighted_row_sums(c.table, c.rows, c.weights));
    ASSERT_TRUE(got.is_sparse());
    EXPECT_TRUE(torch::allclose(got.to_dense(), grad(oracle(c))));
    const auto named = got._indices()[0];
    EXPECT_TRUE(
        torch::equal(named, std::get<0>(at::_unique(c.rows.masked_select(c.weights.ne(0))))));
  }
}

TEST(WeightedRowSums, AnyNumberOfThreadsGivesTheSameBits) {
  auto c = make_case(20, 64);
  c.rows = c.rows.repeat({300, 40});
  c.weights = c.weights.repeat({300, 40});
  c.table.requires_grad_();
  const auto run = [&](int threads) {
    const KernelThreads guard(threads);
    const auto sums = weighted_row_sums(c.table, c.rows, c.weights);
    return std::pair(sums, torch::autograd::grad({sums.square().sum()}, {c.table})[0].to_dense());
  };
  const auto one = run(1), three = run(3);
  EXPECT_TRUE(torch::equal(one.first, three.first));
  EXPECT_TRUE(torch::equal(one.second, three.second));
}

TEST(WeightedRowSums, NothingAddsUpToZeroAndHasAnEmptyGradient) {
  const auto table = torch::randn({4, 5}, torch::requires_grad());
  for (const int64_t length : {0, 3}) {
    const auto sums = weighted_row_sums(table, torch::zeros({2, length}, torch::kLong),
                                        torch::zeros({2, length}));
    EXPECT_TRUE(torch::equal(sums, torch::zeros({2, 5})));
    EXPECT_EQ(torch::autograd::grad({sums.sum()}, {table})[0]._nnz(), 0);
  }
}

TEST(WeightedRowSums, RefusesRowsThatTheTableDoesNotHave) {
  const auto table = torch::randn({4, 5});
  for (const int64_t row : {-1, 4}) {
    const auto rows = torch::full({1, 2}, row, torch::kLong);
    EXPECT_THROW(weighted_row_sums(table, rows, torch::ones({1, 2})), c10::Error);
  }
  EXPECT_THROW(weighted_row_sums(table, torch::zeros({1, 2}, torch::kLong), torch::ones({1, 3})),
               c10::Error);
}

}  // namespace
}  // namespace reckon::row_sums_test
