#include "models/ease.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/models/linear_support.h"

namespace reckon::ease_test {
namespace {

// X P with the diagonal taken out, in float64.
torch::Tensor oracle_weights(const Interactions& data, double regularization, double dropout) {
  const auto x = dense_of(data, /*ratings=*/false);  // [U, I]
  auto gram = x.t().matmul(x);                       // [I, I]
  gram = gram + torch::diag(gram.diagonal()) * (dropout / (1 - dropout)) +
         regularization * torch::eye(data.num_items, torch::kDouble);
  const auto p = torch::inverse(gram);
  return (-p / p.diagonal().unsqueeze(0)).fill_diagonal_(0);  // [I, I]
}

torch::Tensor fitted_weights(const Interactions& data, const Ease::Options& options) {
  Ease model(options, {.num_users = data.num_users, .num_items = data.num_items});
  model.fit(data, {});
  Batch request(data.num_items);
  request.set(batch_key::kHistory, torch::arange(data.num_items).unsqueeze(1));
  return all_scores(model, request);  // [I, I]
}

TEST(Ease, WeightsAreTheClosedFormWithAndWithoutDropout) {
  for (const auto& [users, items] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {20, 7}, {90, 40}})
    for (const double dropout : {0.0, 0.4}) {
      const auto data = made_interactions(users, items, 3);
      const auto got = fitted_weights(data, {.regularization = 2.0, .dropout = dropout, .keep = 0});
      EXPECT_TRUE(
          torch::allclose(got.to(torch::kDouble), oracle_weights(data, 2.0, dropout), 1e-4, 1e-5))
          << users << " users, dropout " << dropout;
    }
}

TEST(Ease, AddsTheWeightsOfTheHistory) {
  const auto data = made_interactions(50, 20, 4);
  Ease model({.regularization = 3.0, .keep = 0}, {.num_users = 50, .num_items = 20});
  model.fit(data, {});
  const auto expected = dense_of(data, false).matmul(oracle_weights(data, 3.0, 0.0));  // [U, I]
  EXPECT_TRUE(torch::allclose(all_scores(model, requests_of(data)).to(torch::kDouble), expected,
                              1e-4, 1e-5));
}

TEST(Ease, KeepsTheLargestWeightsOfEachCandidate) {
  const auto data = made_interactions(80, 25, 5);
  const auto all = fitted_weights(data, {.regularization = 1.0, .keep = 0});
  const auto few = fitted_weights(data, {.regularization = 1.0, .keep = 6});
  for (int64_t j = 0; j < 25; ++j) {
    const auto column = all.select(1, j).abs();
    const auto least = std::get<0>(column.sort(0, /*descending=*/true))[5];
    const auto expected = all.select(1, j) * column.ge(least);
    EXPECT_TRUE(torch::equal(few.select(1, j), expected)) << j;
  }
}

TEST(Ease, TheOrderOfUsersAndTheNumberOfThreadsChangeNothing) {
  const auto data = made_interactions(70, 30, 6);
  std::vector<int64_t> order(70);
  std::iota(order.begin(), order.end(), 0);
  std::rotate(order.begin(), order.begin() + 31, order.end());
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = fitted_weights(data, {.keep = 0});
  at::set_num_threads(2);
  EXPECT_TRUE(torch::equal(fitted_weights(permuted_users(data, order), {.keep = 0}), one));
  at::set_num_threads(threads);
}

TEST(Ease, ASingularSystemIsRefusedWithAWayOut) {
  // Whoever has item 0 has item 1 too, and nobody else; nobody has item 3.
  Interactions data;
  data.num_users = 3;
  data.num_items = 4;
  data.user_offsets = torch::tensor({0, 2, 4, 6}, torch::kLong);
  data.items = torch::tensor({0, 1, 1, 0, 2, 2}, torch::kInt);
  Ease singular({.regularization = 0.0}, {.num_users = 3, .num_items = 4});
  try {
    singular.fit(data, {});
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("4 items is singular at dense item 1"), std::string::npos) << text;
    EXPECT_NE(text.find("larger `regularization` than 0"), std::string::npos) << text;
  }
  Ease regular({.regularization = 0.1}, {.num_users = 3, .num_items = 4});
  EXPECT_NO_THROW(regular.fit(data, {}));
}

TEST(Ease, MoreItemsThanMemoryHoldsAreRefusedBeforeTheWork) {
  constexpr int64_t kItems = 3'000'000;  // 36 TB of a matrix alone
  Interactions data;
  data.num_users = 1;
  data.num_items = kItems;
  data.user_offsets = torch::tensor({0, 2}, torch::kLong);
  data.items = torch::tensor({0, 1}, torch::kInt);
  Ease model({}, {.num_users = 1, .num_items = kItems});
  try {
    model.fit(data, {});
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("3,000,000 items with 200 weights of each take"), std::string::npos)
        << text;
    EXPECT_NE(text.find("expected a smaller `keep`, or fewer items"), std::string::npos) << text;
  }
}

TEST(Ease, AHistoryOfItemsWithoutWeightsIsNotUsableAndFullBuffersAreChecked) {
  const auto data = made_interactions(30, 9, 8);
  Ease model({}, {.num_users = 30, .num_items = 9});
  const auto request = requests_of(data);
  EXPECT_FALSE(model.usable(request).any().item<bool>());
  model.fit(data, {});
  EXPECT_NO_THROW(model.check_buffers());
  for (auto& buffer : model.named_buffers())
    if (buffer.key() == "weights.columns") buffer.value().fill_(9);
  EXPECT_THROW(model.check_buffers(), std::invalid_argument);
}

TEST(Ease, AllWeightsServeAsKeptOnesDo) {
  const auto data = made_interactions(30, 9, 8);
  Ease all({.keep = 0}, {.num_users = 30, .num_items = 9});
  Ease kept({.keep = 9}, {.num_users = 30, .num_items = 9});
  EXPECT_FALSE(all.usable(requests_of(data)).any().item<bool>());
  all.fit(data, {});
  kept.fit(data, {});
  Batch request(9);
  request.set(batch_key::kHistory,
              torch::tensor({{-2, 2, 5}, {7, 7, 0}, {-1, -1, -1}}, torch::kLong));
  EXPECT_TRUE(torch::equal(all.usable(request), torch::tensor({true, true, false})));
  EXPECT_TRUE(torch::allclose(all_scores(all, request), all_scores(kept, request), 1e-5, 1e-6));
  EXPECT_TRUE(all_scores(all, request)[2].eq(0).all().item<bool>());
  const auto items = torch::tensor({2, 3, 4}, torch::kLong);
  const auto of_all = all.contributions(request, items),
             of_kept = kept.contributions(request, items);
  EXPECT_TRUE(torch::equal(of_all.sources, of_kept.sources));
  EXPECT_TRUE(torch::allclose(of_all.contributions, of_kept.contributions, 1e-5, 1e-6));
}

TEST(Ease, AllWeightsAreCheckedAndTakeTheRoomOfOneMatrix) {
  const auto data = made_interactions(30, 9, 8);
  Ease model({.keep = 0}, {.num_users = 30, .num_items = 9});
  model.fit(data, {});
  EXPECT_NO_THROW(model.check_buffers());
  int64_t bytes = 0;
  for (auto& buffer : model.named_buffers()) bytes += static_cast<int64_t>(buffer.value().nbytes());
  EXPECT_EQ(bytes, 9 * 9 * 4 + 10 * 8);
  for (auto& buffer : model.named_buffers())
    if (buffer.key() == "weights.dense") buffer.value()[3][4] = std::nanf("");
  EXPECT_THROW(model.check_buffers(), std::invalid_argument);
}

}  // namespace
}  // namespace reckon::ease_test
