#include "models/slim.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/models/linear_support.h"

namespace reckon::slim_test {
namespace {

torch::Tensor fitted_weights(const Interactions& data, const Slim::Options& options,
                             double* loss = nullptr) {
  Slim model(options, {.num_users = data.num_users, .num_items = data.num_items});
  const double value = model.fit(data, {});
  if (loss != nullptr) *loss = value;
  Batch request(data.num_items);
  request.set(batch_key::kHistory, torch::arange(data.num_items).unsqueeze(1));
  return all_scores(model, request);  // [I, I]
}

// Proximal gradient steps on the dense problem of all items at once: slow, obvious, another way.
torch::Tensor oracle_weights(const torch::Tensor& x, const Slim::Options& o,
                             const torch::Tensor& allowed) {
  const auto gram = x.t().matmul(x);  // [I, I]
  const double rate = 1.0 / (gram.norm().item<double>() + o.l2);
  auto w = torch::zeros_like(gram);
  for (int step = 0; step < 20000; ++step) {
    auto next = w - rate * (gram.matmul(w) - gram + o.l2 * w);
    next = next.sign() * (next.abs() - rate * o.l1).clamp_min(0);
    if (o.non_negative) next = next.clamp_min(0);
    w = next * allowed;
  }
  return w;
}

double loss_of(const torch::Tensor& x, const torch::Tensor& w, const Slim::Options& o) {
  return (0.5 * (x - x.matmul(w)).square().sum() + o.l1 * w.abs().sum() +
          0.5 * o.l2 * w.square().sum())
             .item<double>() /
         static_cast<double>(x.size(1));
}

TEST(Slim, SolvesTheElasticNetOfEachItem) {
  for (const auto& [users, items] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {12, 5}, {70, 18}})
    for (const bool non_negative : {true, false}) {
      const auto data = made_interactions(users, items, 21);
      const auto x = dense_of(data, /*ratings=*/false);
      const Slim::Options o{.l1 = 0.3,
                            .l2 = 0.8,
                            .non_negative = non_negative,
                            .max_sweeps = 2000,
                            .tolerance = 1e-7};
      double loss = 0.0;
      const auto got = fitted_weights(data, o, &loss).to(torch::kDouble);
      auto allowed = torch::ones({items, items}, torch::kDouble);
      // With negative weights only items that share a user are asked.
      if (!non_negative) allowed = x.t().matmul(x).gt(0).to(torch::kDouble);
      const auto expected = oracle_weights(x, o, allowed.fill_diagonal_(0));
      EXPECT_TRUE(torch::allclose(got, expected, 1e-3, 1e-4)) << (got - expected).abs().max();
      EXPECT_NEAR(loss, loss_of(x, got, o), 1e-4);
    }
}

TEST(Slim, WeightsAreSparserWithMoreL1AndNeverNegativeUnlessAsked) {
  const auto data = made_interactions(90, 20, 22);
  const auto little = fitted_weights(data, {.l1 = 0.1, .l2 = 1.0});
  const auto more = fitted_weights(data, {.l1 = 3.0, .l2 = 1.0});
  EXPECT_LT(more.ne(0).sum().item<int64_t>(), little.ne(0).sum().item<int64_t>());
  EXPECT_TRUE(little.ge(0).all().item<bool>());
  const auto any = fitted_weights(data, {.l1 = 0.1, .l2 = 1.0, .non_negative = false});
  EXPECT_TRUE(any.lt(0).any().item<bool>());
}

TEST(Slim, KeepsTheLargestWeightsOfEachCandidate) {
  const auto data = made_interactions(90, 20, 23);
  const auto all = fitted_weights(data, {.l1 = 0.1, .l2 = 1.0});
  const auto few = fitted_weights(data, {.l1 = 0.1, .l2 = 1.0, .keep = 2});
  for (int64_t j = 0; j < 20; ++j) {
    const auto least = std::get<0>(all.select(1, j).sort(0, /*descending=*/true))[1];
    EXPECT_TRUE(torch::equal(few.select(1, j), all.select(1, j) * all.select(1, j).ge(least))) << j;
  }
}

TEST(Slim, TheNumberOfThreadsChangesNothing) {
  const auto data = made_interactions(100, 40, 24);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = fitted_weights(data, {.l1 = 0.2, .l2 = 1.0});
  at::set_num_threads(2);
  EXPECT_TRUE(torch::equal(fitted_weights(data, {.l1 = 0.2, .l2 = 1.0}), one));
  at::set_num_threads(threads);
}

TEST(Slim, AnItemThatNobodyHasGetsNoWeights) {
  auto data = made_interactions(30, 6, 25);
  data.num_items = 8;
  const auto weights = fitted_weights(data, {.l1 = 0.0, .l2 = 0.0});
  EXPECT_TRUE(weights.isfinite().all().item<bool>());
  EXPECT_FALSE(weights.slice(0, 6).ne(0).any().item<bool>());
  EXPECT_FALSE(weights.slice(1, 6).ne(0).any().item<bool>());
}

}  // namespace
}  // namespace reckon::slim_test
