#include "kernels/row_update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/kernels/every_simd.h"

namespace reckon::row_update_test {
namespace {

struct Case {
  torch::Tensor weight, rows, grads;
};

Case make_case(int64_t height, int64_t width, int64_t touched, torch::ScalarType type) {
  return {torch::randn({height, width}, type),
          torch::randperm(height, torch::kLong).slice(0, 0, touched).contiguous(),
          torch::randn({touched, width}, type)};
}

// A copy that the own loop does not take: the same numbers through plain ATen.
torch::Tensor strided(const torch::Tensor& t) { return t.t().contiguous().t(); }

template <class Check>
void for_all_cases(const Check& check) {
  torch::manual_seed(1);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    SCOPED_TRACE(simd_name(simd));
    for (const auto type : {torch::kFloat, torch::kDouble})
      for (const auto& [height, width, touched] :
           {std::tuple{1, 1, 1}, {5, 3, 0}, {7, 4, 3}, {40, 64, 40}, {900, 17, 700}})
        check(make_case(height, width, touched, type), type == torch::kFloat ? 1e-6 : 1e-12);
  }
}

TEST(SumRows, EqualsTheSumOverEqualIdsInAscendingOrder) {
  torch::manual_seed(2);
  for (const auto type : {torch::kFloat, torch::kDouble, torch::kHalf})
    for (const auto& [entries, height] : {std::pair{0, 5}, {1, 1}, {6, 3}, {5000, 300}}) {
      const auto ids = torch::randint(height, {entries}, torch::kLong);
      const auto grads = torch::randint(-4, 5, {entries, 3}, torch::kFloat).to(type);
      std::map<int64_t, torch::Tensor> expected;
      for (int64_t i = 0; i < entries; ++i) {
        auto& sum = expected[ids[i].item<int64_t>()];
        sum = sum.defined() ? sum + grads[i] : grads[i];
      }
      const auto [rows, sums] = sum_rows(ids, grads);
      ASSERT_EQ(rows.numel(), static_cast<int64_t>(expected.size()));
      int64_t r = 0;
      for (const auto& [id, sum] : expected) {
        EXPECT_EQ(rows[r].item<int64_t>(), id);
        EXPECT_TRUE(sums[r].equal(sum));
        ++r;
      }
    }
}

TEST(SubtractRows, ChangesTheNamedRowsAndNoOther) {
  for_all_cases([](const Case& c, double) {
    auto expected = c.weight.clone();
    for (int64_t i = 0; i < c.rows.size(0); ++i) expected[c.rows[i].item<int64_t>()] -= c.grads[i];
    for (auto weight : {c.weight.clone(), strided(c.weight)}) {
      subtract_rows(weight, c.rows, c.grads);
      EXPECT_TRUE(weight.equal(expected));
    }
  });
}

TEST(RowSgd, EqualsTheFormula) {
  for_all_cases([](const Case& c, double tolerance) {
    const RowSgdOptions options{.lr = 0.1, .weight_decay = 0.3};
    auto expected = c.weight.clone();
    for (int64_t i = 0; i < c.rows.size(0); ++i) {
      auto row = expected[c.rows[i].item<int64_t>()];
      row.sub_(0.1 * (c.grads[i] + 0.3 * row));
    }
    for (auto weight : {c.weight.clone(), strided(c.weight)}) {
      row_sgd(weight, c.rows, c.grads, options);
      EXPECT_TRUE(torch::allclose(weight, expected, tolerance, tolerance));
    }
  });
}

TEST(RowAdagrad, EqualsTheFormulaOverSeveralSteps) {
  for_all_cases([](const Case& c, double tolerance) {
    const RowAdagradOptions options{.lr = 0.1, .eps = 1e-8, .weight_decay = 0.2};
    auto expected = c.weight.clone();
    auto expected_state = torch::zeros({c.weight.size(0)}, c.weight.options());
    for (int step = 0; step < 3; ++step)
      for (int64_t i = 0; i < c.rows.size(0); ++i) {
        const auto r = c.rows[i].item<int64_t>();
        const auto gradient = (c.grads[i] + 0.2 * expected[r]).clone();
        expected_state[r] += gradient.square().mean();
        expected[r] -= 0.1 * gradient / (expected_state[r].sqrt() + 1e-8);
      }
    for (auto weight : {c.weight.clone(), strided(c.weight)}) {
      auto state = torch::zeros({c.weight.size(0)}, c.weight.options());
      for (int step = 0; step < 3; ++step) row_adagrad(weight, state, c.rows, c.grads, options);
      EXPECT_TRUE(torch::allclose(weight, expected, 10 * tolerance, 10 * tolerance));
      EXPECT_TRUE(torch::allclose(state, expected_state, 10 * tolerance, 10 * tolerance));
    }
  });
}

TEST(RowLazyAdam, EqualsTheFormulaOverSeveralSteps) {
  for_all_cases([](const Case& c, double tolerance) {
    const LazyAdamOptions options{
        .lr = 0.01, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    auto expected = c.weight.clone();
    auto m = torch::zeros_like(c.weight), v = torch::zeros_like(c.weight);
    for (int step = 1; step <= 3; ++step)
      for (int64_t i = 0; i < c.rows.size(0); ++i) {
        const auto r = c.rows[i].item<int64_t>();
        const auto gradient = (c.grads[i] + 0.1 * expected[r]).clone();
        m[r] = 0.8 * m[r] + 0.2 * gradient;
        v[r] = 0.95 * v[r] + 0.05 * gradient.square();
        const auto m_hat = m[r] / (1.0 - std::pow(0.8, step));
        const auto v_hat = v[r] / (1.0 - std::pow(0.95, step));
        expected[r] -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
      }
    for (auto weight : {c.weight.clone(), strided(c.weight)}) {
      auto moment1 = torch::zeros_like(c.weight), moment2 = torch::zeros_like(c.weight);
      for (int step = 1; step <= 3; ++step)
        row_lazy_adam(weight, moment1, moment2, c.rows, c.grads, step, options);
      EXPECT_TRUE(torch::allclose(weight, expected, 20 * tolerance, 20 * tolerance));
      EXPECT_TRUE(torch::allclose(moment1, m, 10 * tolerance, 10 * tolerance));
      EXPECT_TRUE(torch::allclose(moment2, v, 10 * tolerance, 10 * tolerance));
    }
  });
}

TEST(RowUpdate, RefusesRowsOutsideOfTheTableAndOtherShapes) {
  auto weight = torch::zeros({3, 2});
  const auto rows = torch::tensor({0, 3}, torch::kLong);
  EXPECT_THROW(subtract_rows(weight, rows, torch::zeros({2, 2})), c10::Error);
  EXPECT_THROW(subtract_rows(weight, torch::tensor({-1}, torch::kLong), torch::zeros({1, 2})),
               c10::Error);
  EXPECT_THROW(row_sgd(weight, rows.slice(0, 0, 1), torch::zeros({1, 3}), {}), c10::Error);
  EXPECT_THROW(row_adagrad(weight, torch::zeros({2}), rows.slice(0, 0, 1), torch::zeros({1, 2}),
                           {}),
               c10::Error);
  EXPECT_THROW(row_lazy_adam(weight, torch::zeros({3, 2}), torch::zeros({3, 2}),
                             rows.slice(0, 0, 1), torch::zeros({1, 2}), 0, {}),
               c10::Error);
  EXPECT_TRUE(weight.equal(torch::zeros({3, 2})));
}

}  // namespace
}  // namespace reckon::row_update_test
