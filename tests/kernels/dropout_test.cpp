#include "kernels/dropout.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>

#include "tests/kernels/every_simd.h"

namespace reckon::dropout_test {
namespace {

torch::Tensor dropped(const torch::Tensor& x, double p, uint64_t seed, int64_t step = 0,
                      int64_t shard = 0) {
  const DropoutScope scope(seed, step, shard);
  return reckon::dropout(x, p, true);
}

torch::Tensor kept(const torch::Tensor& y) { return y.ne(0).to(torch::kDouble); }

TEST(Dropout, IsTheIdentityOutsideOfTrainingAndAtZero) {
  const auto x = torch::randn({5, 3});
  const DropoutScope scope(1, 0, 0);
  EXPECT_TRUE(reckon::dropout(x, 0.5, false).equal(x));
  EXPECT_TRUE(reckon::dropout(x, 0.0, true).equal(x));
}

TEST(Dropout, KeepsTheRightShareAndScalesIt) {
  const int64_t count = 1 << 20;
  const auto x = torch::full({count}, 3.0f);
  for (const double p : {0.1, 0.2, 0.5, 0.9}) {
    const auto y = dropped(x, p, 7);
    const double share = kept(y).mean().item<double>();
    const double deviation = std::sqrt(p * (1.0 - p) / static_cast<double>(count));
    EXPECT_NEAR(share, 1.0 - p, 4.0 * deviation) << "p=" << p;
    const auto scaled = static_cast<float>(3.0 / (1.0 - p));
    EXPECT_TRUE(torch::allclose(y.masked_select(y.ne(0)), torch::full({1}, scaled))) << "p=" << p;
  }
}

TEST(Dropout, EveryInstructionSetDropsTheSame) {
  const auto x = torch::randn({1003}), xd = x.to(torch::kDouble);
  const ForcedSimd portable(Simd::kPortable);
  const auto expected = dropped(x, 0.3, 11), expected_double = dropped(xd, 0.3, 11);
  EXPECT_TRUE(kept(expected).equal(kept(expected_double)));
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    EXPECT_TRUE(dropped(x, 0.3, 11).equal(expected)) << simd_name(simd);
    EXPECT_TRUE(dropped(xd, 0.3, 11).equal(expected_double)) << simd_name(simd);
  }
}

TEST(Dropout, MasksAreAFunctionOfSeedStepShardAndCallAlone) {
  const auto x = torch::ones({4096});
  EXPECT_TRUE(dropped(x, 0.5, 1, 2, 3).equal(dropped(x, 0.5, 1, 2, 3)));
  const DropoutScope scope(1, 2, 3);
  const auto first = reckon::dropout(x, 0.5, true);
  const auto second = reckon::dropout(x, 0.5, true);
  EXPECT_TRUE(first.equal(dropped(x, 0.5, 1, 2, 3)));
  EXPECT_FALSE(first.equal(second));
}

TEST(Dropout, TheScopeBeforeGoesOnWhereItStopped) {
  const auto x = torch::ones({4096});
  const DropoutScope outer(5, 0, 0);
  const auto first = reckon::dropout(x, 0.5, true);
  {
    dropped(x, 0.5, 6);
  }
  const auto second = reckon::dropout(x, 0.5, true);
  const DropoutScope again(5, 0, 0);
  EXPECT_TRUE(first.equal(reckon::dropout(x, 0.5, true)));
  EXPECT_TRUE(second.equal(reckon::dropout(x, 0.5, true)));
}

TEST(Dropout, DoesNotDependOnTheNumberOfThreads) {
  const auto x = torch::randn({300, 1000});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = dropped(x, 0.2, 9);
  at::set_num_threads(2);
  const auto two = dropped(x, 0.2, 9);
  at::set_num_threads(before);
  EXPECT_TRUE(one.equal(two));
}

// The share of common elements of two masks is that of independent ones, for neighbours of every
// kind: seeds, steps, shards, calls, and the elements beside each other.
TEST(Dropout, MasksOfNeighboursAreIndependent) {
  const int64_t count = 1 << 18;
  const auto x = torch::ones({count});
  const auto base = kept(dropped(x, 0.5, 100, 10, 1));
  const auto expect_independent = [&](const torch::Tensor& a, const torch::Tensor& b,
                                      const char* what) {
    const double both = (a * b).mean().item<double>();
    EXPECT_NEAR(both, 0.25, 5.0 * std::sqrt(0.1875 / static_cast<double>(count))) << what;
  };
  expect_independent(base, kept(dropped(x, 0.5, 101, 10, 1)), "seed");
  expect_independent(base, kept(dropped(x, 0.5, 100, 11, 1)), "step");
  expect_independent(base, kept(dropped(x, 0.5, 100, 10, 2)), "shard");
  const DropoutScope scope(100, 10, 1);
  reckon::dropout(x, 0.5, true);
  expect_independent(base, kept(reckon::dropout(x, 0.5, true)), "call");
  for (const int64_t lag : {1, 2, 3, 4, 8, 16, 50, 64, 128, 256, 3200, 65536})
    expect_independent(base, base.roll(lag), "lag");
}

TEST(Dropout, GradientIsTheMaskItself) {
  const DropoutScope scope(3, 0, 0);
  auto x = torch::randn({40, 7}, torch::TensorOptions(torch::kDouble).requires_grad(true));
  const auto y = reckon::dropout(x, 0.4, true);
  const auto upstream = torch::randn({40, 7}, torch::kDouble);
  const auto gradient = torch::autograd::grad({y}, {x}, {upstream}, std::nullopt, true)[0];
  const auto expected = upstream * kept(y.detach()) / 0.6;
  EXPECT_TRUE(torch::allclose(gradient, expected));
}

TEST(Dropout, GradientOfATransposedTensorLandsOnTheRightElements) {
  const DropoutScope scope(4, 0, 0);
  auto x = torch::randn({6, 9}, torch::requires_grad());
  const auto y = reckon::dropout(x.t(), 0.5, true);
  const auto gradient = torch::autograd::grad({y.sum()}, {x})[0];
  EXPECT_TRUE(torch::allclose(gradient, kept(y.detach()).t().to(torch::kFloat) * 2.0));
}

torch::Tensor rows_dropped(const torch::Tensor& x, const torch::Tensor& ids, double p,
                           int64_t step = 0, int64_t shard = 0) {
  const DropoutScope scope(21, step, shard);
  return dropout_rows(x, ids, p, true);
}

TEST(DropoutRows, AreRowsOfTheWholeTablesDropout) {
  torch::manual_seed(1);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const int64_t width : {1, 5, 64}) {
      const auto table = torch::randn({30, width});
      const auto whole = rows_dropped(table, torch::arange(30, torch::kLong), 0.4);
      const auto ids = torch::randint(30, {4, 7}, torch::kLong);
      // Another shard and another call of it, and still the same.
      const DropoutScope scope(21, 0, 3);
      dropout_rows(table, torch::arange(30, torch::kLong), 0.4, true);
      EXPECT_TRUE(dropout_rows(table.index({ids}), ids, 0.4, true).equal(whole.index({ids})));
    }
  }
}

TEST(DropoutRows, ThePlainPathDropsTheSame) {
  torch::manual_seed(2);
  const auto x = torch::randn({6, 50, 16});
  const auto ids = torch::randint(-2, 100000000, {6, 50}, torch::kLong);
  const auto own = kept(rows_dropped(x, ids, 0.3));
  // The own loop takes float32 and float64, ATen everything else.
  EXPECT_TRUE(own.equal(kept(rows_dropped(x.to(torch::kBFloat16), ids, 0.3))));
  EXPECT_TRUE(own.equal(kept(rows_dropped(x.to(torch::kDouble), ids, 0.3))));
}

TEST(DropoutRows, KeepTheRightShareAndChangeWithTheStep) {
  const int64_t count = 1 << 14, width = 64;
  const auto x = torch::ones({count, width});
  const auto ids = torch::arange(count, torch::kLong);
  const auto first = kept(rows_dropped(x, ids, 0.2)), next = kept(rows_dropped(x, ids, 0.2, 1));
  const double deviation = std::sqrt(0.16 / static_cast<double>(count * width));
  EXPECT_NEAR(first.mean().item<double>(), 0.8, 4.0 * deviation);
  EXPECT_NEAR((first * next).mean().item<double>(), 0.64, 6.0 * deviation);
}

TEST(DropoutRows, GradientIsTheMaskItself) {
  const DropoutScope scope(3, 0, 0);
  auto x = torch::randn({40, 7}, torch::TensorOptions(torch::kDouble).requires_grad(true));
  const auto ids = torch::randint(5, {40}, torch::kLong);
  const auto y = dropout_rows(x, ids, 0.4, true);
  const auto gradient = torch::autograd::grad({y.sum()}, {x})[0];
  EXPECT_TRUE(torch::allclose(gradient, kept(y.detach()) / 0.6));
}

TEST(DropoutRows, AreTheIdentityOutsideOfTrainingAndAtZero) {
  const auto x = torch::randn({5, 3});
  const auto ids = torch::arange(5, torch::kLong);
  const DropoutScope scope(1, 0, 0);
  EXPECT_TRUE(dropout_rows(x, ids, 0.5, false).equal(x));
  EXPECT_TRUE(dropout_rows(x, ids, 0.0, true).equal(x));
  EXPECT_THROW(dropout_rows(x, ids.slice(0, 1), 0.5, true), c10::Error);
  EXPECT_THROW(dropout_rows(x, ids, 1.0, true), c10::Error);
}

TEST(Dropout, RefusesProbabilitiesOutsideOfItsRange) {
  EXPECT_THROW(reckon::dropout(torch::ones({1}), 1.0, true), c10::Error);
  EXPECT_THROW(reckon::dropout(torch::ones({1}), -0.1, true), c10::Error);
}

}  // namespace
}  // namespace reckon::dropout_test
