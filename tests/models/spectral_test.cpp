// PureSvd and GfCf: what their singular vectors make of histories.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "models/gf_cf.h"
#include "models/pure_svd.h"
#include "tests/models/linear_support.h"

namespace reckon::spectral_test {
namespace {

// V V^T of the `rank` largest singular values, in float64.
torch::Tensor projector(const torch::Tensor& matrix, int64_t rank) {
  const auto [u, s, vt] = at::linalg_svd(matrix, /*full_matrices=*/false);
  const auto kept = vt.slice(0, 0, rank);
  return kept.t().matmul(kept);  // [I, I]
}

TEST(PureSvd, ProjectsHistoriesOnTheLargestSingularVectors) {
  for (const auto& [users, items, factors] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{1, 1, 1}, {60, 25, 4}, {20, 30, 64}}) {
    const auto data = made_interactions(users, items, 11);
    const auto x = dense_of(data, /*ratings=*/false);  // [U, I]
    PureSvd model({.factors = factors, .iterations = 20}, {.num_users = users, .num_items = items});
    model.fit(data, {});
    const auto state = model.encode(requests_of(data));
    const auto candidates = torch::arange(items).unsqueeze(0).expand({users, items});
    const auto expected = x.matmul(projector(x, std::min({factors, users, items})));
    const auto got = model.score(state, candidates).to(torch::kDouble);
    EXPECT_TRUE(torch::allclose(got, expected, 1e-2, 5e-3)) << (got - expected).abs().max();
    const auto products =
        model.queries(state).squeeze(1).matmul(model.factors()->items.t()).to(torch::kDouble);
    EXPECT_TRUE(torch::allclose(products, got, 1e-5, 1e-5));
  }
}

TEST(PureSvd, RefusesVectorsThatAreNoNumbers) {
  const auto data = made_interactions(10, 6, 12);
  PureSvd model({.factors = 3}, {.num_users = 10, .num_items = 6});
  model.fit(data, {});
  EXPECT_NO_THROW(model.check_buffers());
  model.buffers()[0][2][1] = std::nan("");
  EXPECT_THROW(model.check_buffers(), std::invalid_argument);
}

TEST(GfCf, IsTheLinearFilterPlusAlphaTimesTheIdealOne) {
  for (const auto& [users, items, factors] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{1, 2, 1}, {70, 20, 3}, {15, 30, 64}}) {
    const auto data = made_interactions(users, items, 13);
    const auto x = dense_of(data, false);                       // [U, I]
    const auto of_users = x.sum(1, true).clamp_min(1).rsqrt();  // [U, 1]
    const auto degrees = x.sum(0, true);                        // [1, I]
    const auto of_items = degrees.clamp_min(1).rsqrt();         // [1, I]
    const auto a = x * of_users * of_items;                     // [U, I]
    const auto filter = a.t().matmul(a).fill_diagonal_(0);      // [I, I]
    const auto ideal = projector(a, std::min({factors, users, items}));
    const auto expected =
        x.matmul(filter) + 0.7 * (x * of_items).matmul(ideal) * degrees.sqrt();  // [U, I]
    GfCf model({.alpha = 0.7, .factors = factors, .iterations = 20},
               {.num_users = users, .num_items = items});
    model.fit(data, {});
    const auto got = all_scores(model, requests_of(data)).to(torch::kDouble);
    EXPECT_TRUE(torch::allclose(got, expected, 1e-2, 1e-2)) << (got - expected).abs().max();
  }
}

TEST(GfCf, KeepsTheLargestElementsOfTheLinearFilter) {
  const auto data = made_interactions(60, 20, 14);
  GfCf all({.alpha = 0.0, .factors = 2}, {.num_users = 60, .num_items = 20});
  GfCf few({.alpha = 0.0, .factors = 2, .neighbors = 3}, {.num_users = 60, .num_items = 20});
  all.fit(data, {});
  few.fit(data, {});
  Batch request(20);
  request.set(batch_key::kHistory, torch::arange(20).unsqueeze(1));
  const auto whole = all_scores(all, request), kept = all_scores(few, request);
  for (int64_t i = 0; i < 20; ++i) {
    const auto least = std::get<0>(whole[i].sort(0, /*descending=*/true))[2];
    EXPECT_TRUE(torch::equal(kept[i], whole[i] * whole[i].ge(least))) << i;
  }
}

TEST(GfCf, TheNumberOfThreadsChangesNothingAndBuffersAreChecked) {
  const auto data = made_interactions(80, 30, 15);
  const int threads = at::get_num_threads();
  const auto scores = [&](int with) {
    at::set_num_threads(with);
    GfCf model({.factors = 8}, {.num_users = 80, .num_items = 30});
    model.fit(data, {.seed = 3});
    EXPECT_NO_THROW(model.check_buffers());
    const auto out = all_scores(model, requests_of(data));
    for (auto& buffer : model.named_buffers())
      if (buffer.key() == "inputs") buffer.value().fill_(std::nan(""));
    EXPECT_THROW(model.check_buffers(), std::invalid_argument);
    return out;
  };
  const auto one = scores(1), two = scores(2);
  at::set_num_threads(threads);
  EXPECT_TRUE(torch::allclose(one, two, 0.0, 0.0));
}

}  // namespace
}  // namespace reckon::spectral_test
