#include "kernels/shared_hinge.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <algorithm>
#include <array>

#include "tests/support/gradients.h"

namespace reckon::shared_hinge_test {
namespace {

struct Case {
  torch::Tensor queries, negatives, limits, target_ids, negative_ids, weights, hits = {};

  torch::Tensor sum(const std::vector<torch::Tensor>& x) const {
    return shared_hinge(x[0], x[1], x[2], target_ids, negative_ids, weights, hits);
  }
};

Case make_case(int64_t positions, int64_t count, int64_t width, double limit, bool weighted,
               torch::ScalarType type = torch::kDouble) {
  const auto options = torch::TensorOptions().dtype(type);
  return {torch::randn({positions, width}, options),
          torch::randn({count, width}, options),
          torch::randn({count}, options) * 0.2 + limit,
          torch::randint(9, {positions}, torch::kLong),
          torch::randint(9, {count}, torch::kLong),
          weighted ? torch::rand({positions}, options) + 0.5 : torch::Tensor()};
}

// One pair after another, with its gradients.
struct Oracle {
  double sum = 0.0;
  torch::Tensor queries, negatives, limits;

  explicit Oracle(const Case& c)
      : queries(torch::zeros_like(c.queries)),
        negatives(torch::zeros_like(c.negatives)),
        limits(torch::zeros_like(c.limits)) {
    for (int64_t p = 0; p < c.queries.size(0); ++p)
      for (int64_t n = 0; n < c.negatives.size(0); ++n) {
        const double excess =
            (c.queries[p] * c.negatives[n]).sum().item<double>() - c.limits[n].item<double>();
        if (excess <= 0.0 || c.target_ids[p].equal(c.negative_ids[n])) continue;
        if (c.hits.defined() && c.hits[p][n].item<bool>()) continue;
        const double weight = c.weights.defined() ? c.weights[p].item<double>() : 1.0;
        sum += weight * excess;
        queries[p] += weight * c.negatives[n];
        negatives[n] += weight * c.queries[p];
        limits[n] -= weight;
      }
  }
};

// A low limit takes the path of many scores above it, a high one that of few.
TEST(SharedHinge, SumAndGradientsEqualThoseOfOnePairAfterAnother) {
  torch::manual_seed(1);
  for (const double limit : {-1.0, 1.5, 4.0, 50.0})
    for (const auto& [positions, count, width] :
         {std::array<int64_t, 3>{1, 1, 1}, {3, 1, 2}, {1, 70, 3}, {9, 33, 5}})
      for (const bool weighted : {false, true}) {
        auto c = make_case(positions, count, width, limit, weighted);
        if (count > 1 && weighted) c.hits = torch::rand({positions, count}) < 0.3;
        const Oracle expected(c);
        std::vector<torch::Tensor> x = {c.queries, c.negatives, c.limits};
        for (auto& t : x) t.requires_grad_();
        const auto sum = c.sum(x);
        EXPECT_NEAR(sum.item<double>(), expected.sum, 1e-10 * std::max(1.0, expected.sum));
        const auto made = torch::autograd::grad({3.0 * sum}, x);
        EXPECT_TRUE(torch::allclose(made[0], 3.0 * expected.queries, 1e-9, 1e-10));
        EXPECT_TRUE(torch::allclose(made[1], 3.0 * expected.negatives, 1e-9, 1e-10));
        EXPECT_TRUE(torch::allclose(made[2], 3.0 * expected.limits, 1e-9, 1e-10));
      }
}

TEST(SharedHinge, OfSeveralChunksInFloatEqualsPlainTensors) {
  torch::manual_seed(2);
  for (const double limit : {0.0, 3.0}) {
    const auto c = make_case(300, 700, 4, limit, true, torch::kFloat);  // 210,000 scores
    std::vector<torch::Tensor> x = {c.queries, c.negatives, c.limits};
    for (auto& t : x) t.requires_grad_();
    const auto plain = (torch::relu(torch::matmul(x[0], x[1].t()) - x[2])
                            .masked_fill(c.negative_ids.eq(c.target_ids.unsqueeze(1)), 0.0)
                            .sum(1) *
                        c.weights)
                           .sum();
    const auto sum = c.sum(x);
    EXPECT_NEAR(sum.item<double>(), plain.item<double>(), 1e-5 * plain.item<double>());
    const auto made = torch::autograd::grad({sum}, x), expected = torch::autograd::grad({plain}, x);
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_TRUE(torch::allclose(made[i], expected[i], 1e-4, 1e-3)) << i;
  }
}

TEST(SharedHinge, GradientsAreThoseOfTheFunction) {
  torch::manual_seed(3);
  for (const double limit : {-0.5, 2.0}) {
    const auto c = make_case(4, 6, 3, limit, true);
    expect_gradients([&](const std::vector<torch::Tensor>& x) { return c.sum(x); },
                     {c.queries, c.negatives, c.limits});
  }
}

TEST(SharedHinge, RefusesShapesThatDoNotFit) {
  const auto c = make_case(4, 6, 3, 0.0, true);
  const auto sum = [&](const Case& bad) {
    return bad.sum({bad.queries, bad.negatives, bad.limits});
  };
  for (auto part : {&Case::queries, &Case::negatives, &Case::limits, &Case::target_ids,
                    &Case::negative_ids, &Case::weights}) {
    auto bad = c;
    bad.*part = (bad.*part).slice(-1, 1);
    EXPECT_THROW(sum(bad), c10::Error);
  }
  EXPECT_NO_THROW(sum(c));
  auto hit = c;
  hit.hits = torch::zeros({4, 5}, torch::kBool);
  EXPECT_THROW(sum(hit), c10::Error);
}

}  // namespace
}  // namespace reckon::shared_hinge_test
