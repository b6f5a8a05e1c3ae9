#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/ids.h"
#include "models/model.h"

namespace reckon {

constexpr int64_t kItems = 9;
constexpr int64_t kPad = kPaddingId;

/// Moves every weight away from what it was drawn as.
inline void shake(Model& model) {
  const torch::NoGradGuard no_grad;
  for (auto& item : model.named_parameters()) {
    item.value().add_(torch::randn_like(item.value()) * 0.3);
    if (item.key().ends_with(".weight") && item.value().size(0) == kItems + 2)
      item.value()[0].zero_();  // padding
  }
}

/// A batch of sets of one width, of users 0, 1, ...
inline Batch batch_of(const std::vector<std::vector<int64_t>>& sets) {
  Batch batch(static_cast<int64_t>(sets.size()));
  std::vector<torch::Tensor> rows;
  for (const auto& set : sets) rows.push_back(torch::tensor(set, torch::kLong));
  batch.set(batch_key::kHistory, torch::stack(rows));
  batch.set(batch_key::kTargets, torch::stack(rows));
  batch.set(batch_key::kUsers, torch::arange(static_cast<int64_t>(sets.size()), torch::kLong));
  return batch;
}

inline void expect_scores_of_a_set(Model& model) {
  const torch::NoGradGuard no_grad;
  const auto all = torch::arange(kItems).expand({1, kItems});
  const auto scores_of = [&](const std::vector<int64_t>& history) {
    return model.score(model.encode(batch_of({history})), all);
  };
  const auto expected = scores_of({2, 5});
  for (const auto& history : std::vector<std::vector<int64_t>>{
           {5, 2}, {kPad, 2, 5, 2, 2}, {kPad, kPad, kUnknownId, 5, 2}})
    EXPECT_TRUE(torch::allclose(scores_of(history), expected, 1e-5, 1e-6));
  EXPECT_FALSE(torch::allclose(scores_of({2, 6}), expected, 1e-2, 1e-3));
  EXPECT_TRUE(scores_of({kPad}).isfinite().all().item<bool>());
}

inline void expect_noise_of_user_and_step(Model& model) {
  const torch::NoGradGuard no_grad;
  const auto loss = [&](const Batch& batch, int64_t step) {
    auto& learnable = *model.learnable();
    return learnable.loss(learnable.represent(batch, {}), {}, step).sum.item<double>();
  };
  const auto whole = batch_of({{kPad, 4}, {1, 8}});
  auto first = batch_of({{kPad, 4}}), second = batch_of({{1, 8}});
  second.set(batch_key::kUsers, torch::tensor({1}, torch::kLong));
  EXPECT_NEAR(loss(whole, 7), loss(first, 7) + loss(second, 7), 1e-4);
  EXPECT_GT(std::abs(loss(whole, 7) - loss(whole, 8)), 1e-3);
}

}  // namespace reckon
