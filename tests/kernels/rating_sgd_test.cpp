#include "kernels/rating_sgd.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "tests/kernels/every_simd.h"

namespace reckon::rating_sgd_test {
namespace {

// The formulas are checked by tests/models/ratings_test.cpp; here, that every instruction set has
// them.
TEST(RatingSgd, EveryInstructionSetComesToTheSame) {
  for (const int64_t width : {1, 7, 16, 20, 100}) {
    const int64_t num_users = 30, num_items = 25;
    std::vector<torch::Tensor> results;
    std::vector<double> losses;
    for (const auto simd : runnable_simd()) {
      const ForcedSimd forced(simd);
      torch::manual_seed(4);
      const auto counts = torch::randint(0, num_items, {num_users}, torch::kLong);
      const auto offsets = torch::cat({torch::zeros({1}, torch::kLong), counts.cumsum(0)});
      std::vector<torch::Tensor> lists;
      for (int64_t user = 0; user < num_users; ++user)
        lists.push_back(
            torch::randperm(num_items, torch::kInt).slice(0, 0, counts[user].item<int64_t>()));
      const auto items = torch::cat(lists);
      const auto values = torch::rand({items.size(0)}) * 4 + 1;
      const auto users = torch::randn({num_users, width}) * 0.1,
                 vectors = torch::randn({num_items, width}) * 0.1,
                 implicit = torch::randn({num_items, width}) * 0.1,
                 user_bias = torch::zeros({num_users}), item_bias = torch::zeros({num_items});
      const RatingRows rows{.user_offsets = offsets.data_ptr<int64_t>(),
                            .items = items.data_ptr<int32_t>(),
                            .values = values.data_ptr<float>(),
                            .num_users = num_users};
      const FactorTables tables{.users = users.data_ptr<float>(),
                                .items = vectors.data_ptr<float>(),
                                .user_bias = user_bias.data_ptr<float>(),
                                .item_bias = item_bias.data_ptr<float>(),
                                .width = width,
                                .mean = 3.0F,
                                .biased = true};
      double loss = 0.0;
      for (int epoch = 0; epoch < 5; ++epoch) {
        loss += factor_sgd_epoch(rows, tables, {});
        loss += factor_pp_sgd_epoch(rows, tables, implicit.data_ptr<float>(), {});
      }
      losses.push_back(loss);
      results.push_back(torch::cat(
          {users.flatten(), vectors.flatten(), implicit.flatten(), user_bias, item_bias}));
    }
    ASSERT_FALSE(results.empty());
    EXPECT_GT(losses[0], 0.0);
    for (size_t i = 1; i < results.size(); ++i) {
      EXPECT_TRUE(torch::allclose(results[i], results[0], 1e-4, 1e-5)) << width;
      EXPECT_NEAR(losses[i], losses[0], 1e-4 * losses[0]);
    }
  }
}

}  // namespace
}  // namespace reckon::rating_sgd_test
