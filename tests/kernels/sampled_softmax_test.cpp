#include "kernels/sampled_softmax.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "tests/kernels/every_simd.h"
#include "tests/support/gradients.h"

namespace reckon::sampled_softmax_test {
namespace {

constexpr int64_t kItems = 40;

struct Case {
  torch::Tensor queries, items, offsets, chosen, target_ids, negative_ids, weights, hits = {};

  bool is_shared() const { return negative_ids.dim() == 1; }
  std::vector<torch::Tensor> inputs() const {
    std::vector<torch::Tensor> all = {queries, items, chosen};
    if (offsets.defined()) all.push_back(offsets);
    return all;
  }
  torch::Tensor loss() const { return loss(inputs()); }
  // `x` in the order of inputs().
  torch::Tensor loss(const std::vector<torch::Tensor>& x) const {
    const auto offset = x.size() > 3 ? x[3] : torch::Tensor();
    if (is_shared())
      return shared_sampled_softmax(x[0], x[1].index_select(0, negative_ids), offset, x[2],
                                    target_ids, negative_ids, weights, hits);
    return position_sampled_softmax(x[0], x[1], offset, x[2], target_ids, negative_ids, weights);
  }
  Case in_double() const {
    const auto wide = [](const torch::Tensor& t) { return t.defined() ? t.to(torch::kDouble) : t; };
    return {wide(queries), wide(items),  wide(offsets), wide(chosen),
            target_ids,    negative_ids, wide(weights), hits};
  }
};

Case make_case(bool shared, int64_t positions, int64_t negatives, int64_t width, bool has_offsets,
               bool has_weights) {
  const auto ids = shared ? torch::randint(kItems, {negatives}, torch::kLong)
                          : torch::randint(kItems, {positions, negatives}, torch::kLong);
  return {torch::randn({positions, width}),
          torch::randn({kItems, width}),
          has_offsets ? torch::randn(ids.sizes()) : torch::Tensor(),
          torch::randn({positions}),
          torch::randint(kItems, {positions}, torch::kLong),
          ids,
          has_weights ? torch::rand({positions}) : torch::Tensor()};
}

// One negative after another, by the formula.
double oracle(const Case& c) {
  const auto d = c.in_double();
  double loss = 0.0;
  for (int64_t p = 0; p < c.queries.size(0); ++p) {
    double sum = 1.0;
    for (int64_t n = 0; n < c.negative_ids.size(-1); ++n) {
      const auto id = (c.is_shared() ? c.negative_ids[n] : c.negative_ids[p][n]).item<int64_t>();
      if (id == c.target_ids[p].item<int64_t>()) continue;
      if (c.hits.defined() && c.hits[p][n].item<bool>()) continue;
      double score = (d.queries[p] * d.items[id]).sum().item<double>();
      if (d.offsets.defined())
        score += (c.is_shared() ? d.offsets[n] : d.offsets[p][n]).item<double>();
      sum += std::exp(score - d.chosen[p].item<double>());
    }
    loss += (d.weights.defined() ? d.weights[p].item<double>() : 1.0) * std::log(sum);
  }
  return loss;
}

std::vector<torch::Tensor> gradients(const Case& c) {
  std::vector<torch::Tensor> leaves;
  for (const auto& input : c.inputs()) leaves.push_back(input.detach().clone().requires_grad_());
  return torch::autograd::grad({c.loss(leaves) * 0.5}, leaves);
}

void for_each_case(const std::function<void(const Case&, const std::string&)>& check) {
  for (const auto& [positions, negatives, width] :
       {std::tuple{1, 1, 1}, {3, 5, 2}, {33, 64, 8}, {70, 200, 17}, {5, 300, 64}})
    for (const bool shared : {true, false})
      for (const bool has_offsets : {false, true})
        for (const bool has_weights : {false, true}) {
          auto c = make_case(shared, positions, negatives, width, has_offsets, has_weights);
          // All of the first query's too: nothing is left to it.
          if (shared && has_weights) {
            c.hits = torch::rand({positions, negatives}) < 0.3;
            c.hits[0].fill_(true);
          }
          check(c, (shared ? "shared, " : "own, ") + std::to_string(negatives) + " negatives" +
                       (has_offsets ? ", offsets" : "") + (has_weights ? ", weights" : ""));
        }
}

TEST(SampledSoftmax, EqualsTheFormulaOnEveryPath) {
  torch::manual_seed(1);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for_each_case([&](const Case& c, const std::string& what) {
      const double expected = oracle(c);
      EXPECT_NEAR(c.loss().item<double>(), expected, 5e-6 * std::max(1.0, std::abs(expected)))
          << simd_name(simd) << ", " << what;
      EXPECT_NEAR(c.in_double().loss().item<double>(), expected, 1e-9 * std::max(1.0, expected))
          << what;
    });
  }
}

TEST(SampledSoftmax, GradientsEqualThoseOfThePlainPathInDouble) {
  torch::manual_seed(2);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for_each_case([&](const Case& c, const std::string& what) {
      const auto got = gradients(c), expected = gradients(c.in_double());
      ASSERT_EQ(got.size(), expected.size());
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(torch::allclose(got[i].to(torch::kDouble), expected[i], 1e-4, 1e-5))
            << simd_name(simd) << ", " << what << ", input " << i << ": "
            << (got[i] - expected[i]).abs().max().item<double>();
    });
  }
}

TEST(SampledSoftmax, PlainPathHasTheGradientOfItsLoss) {
  torch::manual_seed(3);
  for (const bool shared : {true, false}) {
    const auto c = make_case(shared, 4, 6, 3, true, true).in_double();
    expect_gradients([&](const std::vector<torch::Tensor>& x) { return c.loss(x); }, c.inputs());
  }
}

TEST(SampledSoftmax, WithEveryNegativeTheTargetItselfTheLossAndItsGradientsAreZero) {
  for (const bool shared : {true, false}) {
    auto c = make_case(shared, 3, 4, 5, false, false);
    c.target_ids.fill_(7);
    c.negative_ids.fill_(7);
    EXPECT_EQ(c.loss().item<float>(), 0.0f);
    for (const auto& gradient : gradients(c)) EXPECT_EQ(gradient.abs().max().item<float>(), 0.0f);
  }
}

TEST(SampledSoftmax, StaysFiniteForScoresOfAnySize) {
  for (const bool shared : {true, false})
    for (const float size : {1e4f, -1e4f}) {
      auto c = make_case(shared, 2, 3, 4, false, false);
      c.chosen.fill_(size);
      for (const auto& gradient : gradients(c)) EXPECT_TRUE(gradient.isfinite().all().item<bool>());
      EXPECT_TRUE(std::isfinite(c.loss().item<float>()));
    }
}

TEST(SampledSoftmax, NotANumberShowsInTheLoss) {
  for (const bool shared : {true, false})
    for (const int input : {0, 1, 2}) {
      auto c = make_case(shared, 3, 50, 4, false, false);
      c.target_ids.fill_(0);
      c.negative_ids.fill_(1);
      c.inputs()[input].fill_(std::numeric_limits<float>::quiet_NaN());
      EXPECT_TRUE(std::isnan(c.loss().item<float>())) << input;
    }
}

TEST(SampledSoftmax, BothFormsAgreeWhereEverybodyHasTheSameNegatives) {
  torch::manual_seed(4);
  const auto shared = make_case(true, 9, 20, 8, true, true);
  auto own = shared;
  own.negative_ids = shared.negative_ids.expand({9, 20}).contiguous();
  own.offsets = shared.offsets.expand({9, 20}).contiguous();
  EXPECT_NEAR(own.loss().item<double>(), shared.loss().item<double>(), 1e-4);
  EXPECT_TRUE(torch::allclose(gradients(own)[1], gradients(shared)[1], 1e-4, 1e-5));
}

TEST(SampledSoftmax, RefusesWhatDoesNotFit) {
  auto hit = make_case(true, 2, 3, 4, false, false);
  hit.hits = torch::zeros({2, 4}, torch::kBool);
  EXPECT_THROW(hit.loss(), c10::Error);
  auto c = make_case(false, 2, 3, 4, false, false);
  c.negative_ids[1][2] = kItems;
  EXPECT_THROW(c.loss(), c10::Error);
  c.negative_ids[1][2] = -2;
  EXPECT_THROW(c.loss(), c10::Error);
  auto wide = make_case(true, 2, 3, 4, false, false);
  wide.queries = torch::ones({2, 5});
  EXPECT_THROW(wide.loss(), c10::Error);
  auto none = make_case(true, 2, 3, 4, false, false);
  none.negative_ids = torch::empty({0}, torch::kLong);
  EXPECT_THROW(none.loss(), c10::Error);
}

}  // namespace
}  // namespace reckon::sampled_softmax_test
