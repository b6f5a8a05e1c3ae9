#pragma once

#include <torch/types.h>
#include <torch/utils.h>

#include <cstdint>
#include <vector>

#include "models/model.h"

namespace reckon {

struct RatingRow {
  int64_t user, item;
  double rating;
};

/// Rows must be ordered by user.
inline Interactions data_of(const std::vector<RatingRow>& rows, int64_t num_users,
                            int64_t num_items) {
  Interactions out;
  out.num_users = num_users;
  out.num_items = num_items;
  std::vector<int64_t> offsets(static_cast<size_t>(num_users) + 1);
  std::vector<int32_t> items;
  std::vector<float> labels;
  for (const auto& row : rows) {
    ++offsets[static_cast<size_t>(row.user) + 1];
    items.push_back(static_cast<int32_t>(row.item));
    labels.push_back(static_cast<float>(row.rating));
  }
  for (size_t u = 0; u < static_cast<size_t>(num_users); ++u) offsets[u + 1] += offsets[u];
  out.user_offsets = torch::tensor(offsets, torch::kLong);
  out.items = torch::tensor(items, torch::kInt);
  out.labels = torch::tensor(labels, torch::kFloat);
  return out;
}

/// Of all items for each of `users`.   Shapes  -> [B, I]
inline torch::Tensor predictions(Model& model, const std::vector<int64_t>& users) {
  const torch::NoGradGuard no_grad;
  Batch request(static_cast<int64_t>(users.size()));
  request.set(batch_key::kUsers, torch::tensor(users, torch::kLong));  // [B]
  const auto all = torch::arange(model.num_items()).unsqueeze(0).expand({request.size(), -1});
  return model.score(model.encode(request), all);  // [B, I]
}

inline std::vector<int64_t> first(int64_t count) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(i);
  return out;
}

}  // namespace reckon
