#include "kernels/shared_logistic.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <array>
#include <cmath>
#include <limits>

#include "tests/kernels/every_simd.h"
#include "tests/support/gradients.h"

namespace reckon::shared_logistic_test {
namespace {

struct Case {
  torch::Tensor queries, negatives, bias, chosen;
  PairWeights pairs = {};

  std::vector<torch::Tensor> inputs() const {
    std::vector<torch::Tensor> inputs = {queries, negatives, chosen};
    if (bias.defined()) inputs.push_back(bias);
    return inputs;
  }
  torch::Tensor sum(const std::vector<torch::Tensor>& x) const {
    return shared_logistic(x[0], x[1], x.size() > 3 ? x[3] : torch::Tensor(), x[2], pairs);
  }
};

// Scores from far below the chosen one to far above it.
Case make_case(int64_t positions, int64_t count, int64_t width, bool has_bias, bool weighted,
               torch::ScalarType type = torch::kFloat) {
  const auto options = torch::TensorOptions().dtype(type);
  return {torch::randn({positions, width}, options) * 3.0,
          torch::randn({count, width}, options) * 3.0,
          has_bias ? torch::randn({count}, options) : torch::Tensor(),
          torch::randn({positions}, options) * 2.0,
          {.weights = weighted ? torch::rand({positions}, options) + 0.5 : torch::Tensor()}};
}

// Of weights for each pair.
void weigh_pairs(Case& c) {
  c.pairs.scales = torch::rand_like(c.chosen);
  c.pairs.columns = torch::rand_like(c.negatives.select(1, 0));
}

// One pair after another in double, with its gradients.
struct Oracle {
  double sum = 0.0;
  torch::Tensor queries, negatives, chosen, bias;

  explicit Oracle(const Case& c) {
    const auto wide = [](const torch::Tensor& t) { return t.to(torch::kDouble); };
    const auto q = wide(c.queries), v = wide(c.negatives);
    queries = torch::zeros_like(q);
    negatives = torch::zeros_like(v);
    chosen = torch::zeros({q.size(0)}, torch::kDouble);
    bias = torch::zeros({v.size(0)}, torch::kDouble);
    for (int64_t p = 0; p < q.size(0); ++p)
      for (int64_t n = 0; n < v.size(0); ++n) {
        const auto& pairs = c.pairs;
        if (pairs.hits.defined() && pairs.hits[p][n].item<bool>()) continue;
        double x = (q[p] * v[n]).sum().item<double>() - c.chosen[p].item<double>();
        if (c.bias.defined()) x += c.bias[n].item<double>();
        double weight = pairs.weights.defined() ? pairs.weights[p].item<double>() : 1.0;
        if (pairs.scales.defined())
          weight += pairs.scales[p].item<double>() * pairs.columns[n].item<double>();
        const double derivative = weight / (1.0 + std::exp(-x));
        sum += weight * (std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
        queries[p] += derivative * v[n];
        negatives[n] += derivative * q[p];
        chosen[p] -= derivative;
        bias[n] += derivative;
      }
  }
};

TEST(SharedLogistic, SumAndGradientsEqualThoseOfOnePairAfterAnotherOnEveryPath) {
  torch::manual_seed(1);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const auto& [positions, count, width] :
         {std::array<int64_t, 3>{1, 1, 1}, {3, 31, 2}, {2, 70, 3}, {9, 33, 5}})
      for (const int which : {0, 1, 2, 3}) {
        const bool has_bias = which % 2 == 1;
        auto c = make_case(positions, count, width, has_bias, !has_bias);
        if (which >= 2) weigh_pairs(c);
        if (count > 31) c.pairs.hits = torch::rand({positions, count}) < 0.3;
        const Oracle expected(c);
        auto x = c.inputs();
        for (auto& t : x) t.requires_grad_();
        const auto sum = c.sum(x);
        EXPECT_NEAR(sum.item<double>(), expected.sum, 1e-6 * expected.sum + 1e-5);
        const auto made = torch::autograd::grad({3.0 * sum}, x);
        const std::array<torch::Tensor, 4> oracles = {expected.queries, expected.negatives,
                                                      expected.chosen, expected.bias};
        for (size_t i = 0; i < made.size(); ++i)
          EXPECT_TRUE(torch::allclose(made[i].to(torch::kDouble), 3.0 * oracles[i], 1e-5, 1e-4))
              << i << " of " << count << ", case " << which;
      }
  }
}

// More scores in a row than are multiplied at once, and more rows than a chunk.
TEST(SharedLogistic, OfSeveralChunksEqualsPlainTensors) {
  torch::manual_seed(2);
  for (const auto& [positions, count] : {std::array<int64_t, 2>{700, 1200}, {3, 70000}}) {
    auto c = make_case(positions, count, 4, true, true);
    auto x = c.inputs();
    for (auto& t : x) t.requires_grad_();
    const auto scores = torch::matmul(x[0], x[1].t()) + x[3] - x[2].unsqueeze(1);
    auto weights = c.pairs.weights.unsqueeze(1).expand_as(scores);
    if (positions == 700) {
      weigh_pairs(c);
      weights = weights + torch::outer(c.pairs.scales, c.pairs.columns);
    }
    const auto plain = (torch::softplus(scores) * weights).sum(1).to(torch::kDouble).sum();
    const auto sum = c.sum(x);
    EXPECT_NEAR(sum.item<double>() / plain.item<double>(), 1.0, 1e-5);
    const auto made = torch::autograd::grad({sum}, x), expected = torch::autograd::grad({plain}, x);
    for (size_t i = 0; i < x.size(); ++i) {
      const auto scale = expected[i].abs().max().item<double>();
      EXPECT_TRUE(torch::allclose(made[i], expected[i], 1e-4, 1e-5 * scale)) << i;
    }
  }
}

TEST(SharedLogistic, ScoresFarApartAreExactAndFinite) {
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    const auto negatives = torch::tensor({{500.0f}, {-500.0f}, {-20.0f}, {0.0f}});
    auto queries = torch::ones({1, 1}).requires_grad_();
    const PairWeights twice = {.scales = torch::ones({1}), .columns = torch::ones({4})};
    for (const double weight : {1.0, 2.0}) {
      const auto sum = shared_logistic(queries, negatives, {}, torch::zeros({1}),
                                       weight > 1.0 ? twice : PairWeights{});
      EXPECT_NEAR(sum.item<double>(), weight * (500.0 + std::log(2.0)), 1e-4);
      EXPECT_NEAR(torch::autograd::grad({sum}, {queries})[0].item<double>(), weight * 500.0, 1e-3);
    }
    const auto none = torch::full({40, 1}, std::numeric_limits<float>::quiet_NaN());
    for (const auto& pairs :
         {PairWeights{}, {.scales = torch::ones({1}), .columns = torch::ones({40})}})
      EXPECT_TRUE(
          shared_logistic(queries, none, {}, torch::zeros({1}), pairs).isnan().item<bool>());
  }
}

TEST(SharedLogistic, GradientsAreThoseOfTheFunction) {
  torch::manual_seed(3);
  auto c = make_case(4, 6, 3, true, true, torch::kDouble);
  weigh_pairs(c);
  c.pairs.hits = torch::rand({4, 6}) < 0.3;
  expect_gradients([&](const std::vector<torch::Tensor>& x) { return c.sum(x); }, c.inputs());
}

TEST(SharedLogistic, RefusesShapesThatDoNotFit) {
  auto c = make_case(4, 6, 3, true, true);
  weigh_pairs(c);
  EXPECT_NO_THROW(c.sum(c.inputs()));
  for (auto part : {&Case::queries, &Case::negatives, &Case::bias, &Case::chosen}) {
    auto bad = c;
    bad.*part = (bad.*part).slice(-1, 1);
    EXPECT_THROW(bad.sum(bad.inputs()), c10::Error);
  }
  for (auto part : {&PairWeights::weights, &PairWeights::scales, &PairWeights::columns}) {
    auto bad = c;
    bad.pairs.*part = (bad.pairs.*part).slice(-1, 1);
    EXPECT_THROW(bad.sum(bad.inputs()), c10::Error);
    bad.pairs.*part = (c.pairs.*part).clone().requires_grad_();
    EXPECT_THROW(bad.sum(bad.inputs()), c10::Error);
  }
  auto half = c;
  half.pairs.columns = torch::Tensor();
  EXPECT_THROW(half.sum(half.inputs()), c10::Error);
}

}  // namespace
}  // namespace reckon::shared_logistic_test
