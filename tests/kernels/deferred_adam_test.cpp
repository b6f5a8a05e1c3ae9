#include "kernels/deferred_adam.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <thread>

#include "tests/kernels/every_simd.h"

namespace reckon::deferred_adam_test {
namespace {

using Options = DeferredAdam::Options;

std::vector<Options> all_options() {
  return {{},
          {.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6},
          {.l2 = 0.1},
          {.decay = 0.2},
          {.beta1 = 0.0, .l2 = 1e-3}};
}

struct Table {
  torch::Tensor weight, moment1, moment2;
};

Table make_table(int64_t height, int64_t width) {
  torch::manual_seed(height * 100 + width);
  return {torch::randn({height, width}), torch::zeros({height, width}),
          torch::zeros({height, width})};
}

Table copy(const Table& table) {
  return {table.weight.clone(), table.moment1.clone(), table.moment2.clone()};
}

double rate(int64_t step) { return 0.05 / (1.0 + 0.1 * static_cast<double>(step)); }

// Which rows have a gradient in a step, and what it is.
std::pair<torch::Tensor, torch::Tensor> gradient_at(int64_t step, int64_t height, int64_t width) {
  torch::manual_seed(7 + static_cast<uint64_t>(step));
  const auto rows = torch::randperm(height).slice(0, 0, 1 + step % 3);
  return {rows, torch::randn({rows.size(0), width})};
}

// The textbook, in float64, all rows at once.
struct Oracle {
  torch::Tensor w, m, v;
  Options o;

  void step(const torch::Tensor& rows, const torch::Tensor& gradients, int64_t number) {
    auto g = torch::zeros_like(w);
    g.index_copy_(0, rows, gradients.to(torch::kDouble));
    g = g + o.l2 * w;
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    const auto t = static_cast<double>(number);
    w = (1 - rate(number) * o.decay) * w - rate(number) * (m / (1 - std::pow(o.beta1, t))) /
                                               ((v / (1 - std::pow(o.beta2, t))).sqrt() + o.eps);
  }
};

void run_step(DeferredAdam& adam, const Table& table, int64_t number) {
  const auto [rows, gradients] = gradient_at(number, table.weight.size(0), table.weight.size(1));
  adam.settle(rows);  // a row with a gradient was read
  adam.begin_step(table.weight, table.moment1, table.moment2, number, rate(number));
  adam.step_rows(rows, gradients);
}

TEST(DeferredAdam, WhoeverReadsARowFindsWhatAllStepsMadeOfIt) {
  for (const auto simd : runnable_simd())
    for (const auto& options : all_options())
      for (const int64_t width : {1, 7, 64}) {
        const ForcedSimd forced(simd);
        constexpr int64_t kHeight = 23;
        const auto table = make_table(kHeight, width);
        Oracle oracle{table.weight.to(torch::kDouble), table.moment1.to(torch::kDouble),
                      table.moment2.to(torch::kDouble), options};
        DeferredAdam adam(options);
        for (int64_t number = 1; number <= 60; ++number) {
          const auto [rows, gradients] = gradient_at(number, kHeight, width);
          run_step(adam, table, number);
          oracle.step(rows, gradients, number);
          const auto read = torch::randint(kHeight, {2, 3}, torch::kLong);
          adam.settle(read);
          ASSERT_TRUE(torch::allclose(table.weight.index({read}).to(torch::kDouble),
                                      oracle.w.index({read}), 1e-4, 1e-5))
              << simd_name(simd) << ", width " << width << ", step " << number;
        }
        EXPECT_EQ(adam.num_open(), 60);
        adam.settle(0, kHeight);
        EXPECT_TRUE(torch::allclose(table.weight.to(torch::kDouble), oracle.w, 1e-4, 1e-5));
        EXPECT_TRUE(torch::allclose(table.moment1.to(torch::kDouble), oracle.m, 1e-4, 1e-6));
        EXPECT_TRUE(torch::allclose(table.moment2.to(torch::kDouble), oracle.v, 1e-4, 1e-7));
      }
}

TEST(DeferredAdam, HowStepsArePutOffChangesNoBit) {
  for (const auto simd : runnable_simd())
    for (const auto& options : all_options()) {
      const ForcedSimd forced(simd);
      const auto late = make_table(31, 20), at_once = copy(late), in_between = copy(late);
      DeferredAdam puts_off(options), never(options), clears(options);
      for (int64_t number = 1; number <= 50; ++number) {
        run_step(puts_off, late, number);
        run_step(never, at_once, number);
        never.settle(0, 31);
        run_step(clears, in_between, number);
        if (number % 11 == 0) {
          clears.settle(0, 31);
          clears.clear();
        }
      }
      puts_off.settle(0, 31);
      clears.settle(0, 31);
      for (const auto* other : {&at_once, &in_between}) {
        EXPECT_TRUE(torch::equal(late.weight, other->weight)) << simd_name(simd);
        EXPECT_TRUE(torch::equal(late.moment1, other->moment1));
        EXPECT_TRUE(torch::equal(late.moment2, other->moment2));
      }
    }
}

TEST(DeferredAdam, ThreadsMayReadTheSameRows) {
  constexpr int64_t kHeight = 400;
  const auto alone = make_table(kHeight, 64), shared = copy(alone);
  DeferredAdam one({.l2 = 1e-3}), many({.l2 = 1e-3});
  for (int64_t number = 1; number <= 40; ++number) {
    run_step(one, alone, number);
    run_step(many, shared, number);
    if (number % 5 != 0) continue;
    const auto rows = torch::randint(kHeight, {900}, torch::kLong);
    one.settle(rows);
    std::vector<std::thread> readers;
    std::vector<torch::Tensor> found(4);
    for (size_t r = 0; r < found.size(); ++r)
      readers.emplace_back([&, r] {
        many.settle(rows);
        found[r] = shared.weight.index_select(0, rows);
      });
    for (auto& reader : readers) reader.join();
    for (const auto& rows_found : found)
      EXPECT_TRUE(torch::equal(rows_found, alone.weight.index_select(0, rows)));
  }
}

// A first moment that is multiplied by .9 for ever leaves the numbers that processors are fast with.
TEST(DeferredAdam, WhatIsForgottenEndsAtZero) {
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    const auto table = make_table(1, 16);
    DeferredAdam adam({});
    const auto row = torch::zeros({1}, torch::kLong);
    adam.begin_step(table.weight, table.moment1, table.moment2, 1, 0.01);
    adam.step_rows(row, torch::full({1, 16}, 1e-3));
    for (int64_t number = 2; number < 900; ++number)
      adam.begin_step(table.weight, table.moment1, table.moment2, number, 0.01);
    adam.settle(row);
    EXPECT_TRUE(torch::equal(table.moment1, torch::zeros({1, 16})));
    EXPECT_TRUE(table.weight.isfinite().all().item<bool>());
  }
}

TEST(DeferredAdam, RowsThatCameLaterHaveNoStepsBehindThem) {
  const auto small = make_table(5, 4);
  DeferredAdam adam({.l2 = 0.1});
  run_step(adam, small, 1);
  adam.settle(0, 5);
  adam.settle(torch::tensor({4, 6}, torch::kLong));  // a new row may be read before its first step
  const auto grown = [](const torch::Tensor& tensor) {
    return torch::cat({tensor, torch::full({2, 4}, 0.5)});
  };
  const Table large{grown(small.weight), grown(small.moment1), grown(small.moment2)};
  const auto before = large.weight.clone();
  adam.settle(0, 7);
  EXPECT_TRUE(torch::equal(large.weight, before));
  adam.begin_step(large.weight, large.moment1, large.moment2, 2, 0.01);
  EXPECT_EQ(adam.num_open(), 1);
  adam.settle(0, 7);
  EXPECT_FALSE(large.weight.eq(before).any().item<bool>()) << "every row makes the second step";
}

TEST(DeferredAdam, RefusesWhatDoesNotFit) {
  const auto table = make_table(5, 4);
  DeferredAdam adam({});
  EXPECT_FALSE(DeferredAdam::can_move(torch::zeros({3})));
  EXPECT_FALSE(DeferredAdam::can_move(torch::zeros({3, 2}, torch::kDouble)));
  EXPECT_FALSE(DeferredAdam::can_move(torch::zeros({3, 2}).t()));
  EXPECT_THROW(adam.begin_step(table.weight, table.moment1.slice(0, 1), table.moment2, 1, 0.1),
               c10::Error);
  adam.begin_step(table.weight, table.moment1, table.moment2, 1, 0.1);
  const auto row = torch::tensor({2}, torch::kLong);
  EXPECT_THROW(adam.step_rows(row, torch::zeros({1, 3})), c10::Error);
  EXPECT_THROW(adam.step_rows(row + 3, torch::zeros({1, 4})), c10::Error);
  EXPECT_THROW(adam.settle(row - 3), c10::Error);
  adam.step_rows(row, torch::zeros({1, 4}));
  EXPECT_THROW(adam.step_rows(row, torch::zeros({1, 4})), c10::Error) << "twice in one step";
}

}  // namespace
}  // namespace reckon::deferred_adam_test
