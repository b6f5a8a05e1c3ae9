#include "kernels/softmax_cross_entropy.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>
#include <limits>

#include "tests/kernels/every_simd.h"
#include "tests/support/gradients.h"

namespace reckon::softmax_cross_entropy_test {
namespace {

struct Case {
  torch::Tensor queries, items, bias, targets, weights;
};

Case make_case(int64_t num_queries, int64_t num_items, int64_t width, bool has_bias,
               bool has_weights) {
  return {torch::randn({num_queries, width}), torch::randn({num_items, width}),
          has_bias ? torch::randn({num_items}) : torch::Tensor(),
          torch::randint(num_items, {num_queries}, torch::kLong),
          has_weights ? torch::rand({num_queries}) : torch::Tensor()};
}

torch::Tensor to_double(const torch::Tensor& t) { return t.defined() ? t.to(torch::kDouble) : t; }

// One position after another, by the formula.
double oracle(const Case& c) {
  double loss = 0.0;
  for (int64_t p = 0; p < c.queries.size(0); ++p) {
    auto scores = at::matmul(to_double(c.items), to_double(c.queries[p]));
    if (c.bias.defined()) scores = scores + to_double(c.bias);
    const double log_sum =
        std::log((scores - scores.max()).exp().sum().item<double>()) + scores.max().item<double>();
    const double chosen = scores[c.targets[p].item<int64_t>()].item<double>();
    loss += (c.weights.defined() ? c.weights[p].item<double>() : 1.0) * (log_sum - chosen);
  }
  return loss;
}

std::vector<torch::Tensor> gradients(const Case& c) {
  auto queries = c.queries.detach().requires_grad_(), items = c.items.detach().requires_grad_();
  std::vector<torch::Tensor> inputs = {queries, items};
  torch::Tensor bias = c.bias;
  if (bias.defined()) inputs.push_back(bias = bias.detach().requires_grad_());
  const auto loss = softmax_cross_entropy(queries, items, bias, c.targets, c.weights);
  return torch::autograd::grad({loss * 0.5}, inputs);
}

TEST(SoftmaxCrossEntropy, EqualsTheFormulaOnEveryPath) {
  torch::manual_seed(1);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const auto& [num_queries, num_items, width] :
         {std::tuple{1, 1, 1}, {3, 5, 2}, {40, 31, 4}, {33, 64, 8}, {70, 1000, 16}})
      for (const bool has_bias : {false, true})
        for (const bool has_weights : {false, true}) {
          const auto c = make_case(num_queries, num_items, width, has_bias, has_weights);
          const double expected = oracle(c);
          const double got = softmax_cross_entropy(c.queries, c.items, c.bias, c.targets, c.weights)
                                 .item<double>();
          EXPECT_NEAR(got, expected, 2e-6 * std::max(1.0, std::abs(expected)) * 3)
              << simd_name(simd) << ", items " << num_items;
        }
  }
}

TEST(SoftmaxCrossEntropy, GradientsEqualThoseOfThePlainPathInDouble) {
  torch::manual_seed(2);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const bool has_bias : {false, true}) {
      // Several chunks, the last of them short.
      const auto c = make_case(150, 20000, 8, has_bias, true);
      const Case d = {to_double(c.queries), to_double(c.items), to_double(c.bias), c.targets,
                      to_double(c.weights)};
      const auto got = gradients(c), expected = gradients(d);
      // Sums over 20,000 items in float32; the plain path in float32 is off by 1e-4 here.
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(torch::allclose(got[i].to(torch::kDouble), expected[i], 1e-4, 5e-5))
            << simd_name(simd) << ", input " << i << ": "
            << (got[i] - expected[i]).abs().max().item<double>();
    }
  }
}

TEST(SoftmaxCrossEntropy, PlainPathHasTheGradientOfItsLoss) {
  torch::manual_seed(3);
  const auto c = make_case(4, 6, 3, true, true);
  const auto targets = c.targets;
  const auto weights = to_double(c.weights);
  expect_gradients(
      [&](const std::vector<torch::Tensor>& x) {
        return softmax_cross_entropy(x[0], x[1], x[2], targets, weights);
      },
      {to_double(c.queries), to_double(c.items), to_double(c.bias)});
}

TEST(SoftmaxCrossEntropy, StaysFiniteForScoresOfAnySize) {
  const auto queries = torch::tensor({{300.0f}, {-300.0f}}),
             items = torch::tensor({{1.0f}, {-1.0f}});
  auto q = queries.clone().requires_grad_();
  const auto loss = softmax_cross_entropy(q, items, {}, torch::tensor({0, 0}, torch::kLong), {});
  EXPECT_FLOAT_EQ(loss.item<float>(), 600.0f);
  EXPECT_TRUE(
      torch::allclose(torch::autograd::grad({loss}, {q})[0], torch::tensor({{0.0f}, {-2.0f}})));
}

TEST(SoftmaxCrossEntropy, NotANumberInOneItemShowsInTheLoss) {
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    auto c = make_case(3, 200, 4, false, false);
    c.targets.fill_(0);
    c.items[150].fill_(std::numeric_limits<float>::quiet_NaN());
    const auto loss = softmax_cross_entropy(c.queries, c.items, c.bias, c.targets, c.weights);
    EXPECT_TRUE(std::isnan(loss.item<float>())) << simd_name(simd);
  }
}

TEST(SoftmaxCrossEntropy, TheSumOfPartsIsTheWhole) {
  torch::manual_seed(4);
  const auto c = make_case(50, 300, 8, true, true);
  const auto part = [&](int64_t begin, int64_t end) {
    return softmax_cross_entropy(c.queries.slice(0, begin, end), c.items, c.bias,
                                 c.targets.slice(0, begin, end), c.weights.slice(0, begin, end))
        .item<double>();
  };
  EXPECT_NEAR(part(0, 50), part(0, 17) + part(17, 50), 1e-4);
}

TEST(SoftmaxCrossEntropy, RefusesTargetsOutsideOfTheItems) {
  const auto q = torch::ones({1, 2}), items = torch::ones({3, 2});
  EXPECT_THROW(softmax_cross_entropy(q, items, {}, torch::tensor({3}, torch::kLong), {}),
               c10::Error);
  EXPECT_THROW(softmax_cross_entropy(q, items, {}, torch::tensor({-1}, torch::kLong), {}),
               c10::Error);
  EXPECT_THROW(softmax_cross_entropy(q, torch::ones({3, 4}), {}, torch::tensor({0}, torch::kLong),
                                     {}),
               c10::Error);
}

}  // namespace
}  // namespace reckon::softmax_cross_entropy_test
