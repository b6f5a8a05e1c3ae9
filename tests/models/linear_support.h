#pragma once

#include <torch/types.h>

#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "datasets/batch.h"
#include "datasets/interactions.h"
#include "models/model.h"

namespace reckon {

/// Interactions of a made world, each user's items distinct and in random order; ratings of 1 to 5.
/// The first item is what many have, the last what few have.
inline Interactions made_interactions(int64_t num_users, int64_t num_items, uint64_t seed,
                                      int64_t longest = 12) {
  std::mt19937_64 random(seed);
  Interactions data;
  data.num_users = num_users;
  data.num_items = num_items;
  std::vector<int64_t> offsets = {0};
  std::vector<int32_t> items;
  std::vector<float> labels;
  for (int64_t u = 0; u < num_users; ++u) {
    std::set<int32_t> own;
    const auto count = 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(longest));
    for (int64_t n = 0; n < count; ++n) {
      const auto a = random() % static_cast<uint64_t>(num_items);
      const auto b = random() % static_cast<uint64_t>(num_items);
      const auto item = static_cast<int32_t>(std::min(a, b));
      if (!own.insert(item).second) continue;
      items.push_back(item);
      labels.push_back(static_cast<float>(1 + random() % 5));
    }
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  data.user_offsets = torch::tensor(offsets, torch::kLong);
  data.items = torch::tensor(items, torch::kInt);
  data.labels = torch::tensor(labels);
  return data;
}

/// Users by items: `value` of each row of the interactions, NaN where there is none.
inline torch::Tensor dense_of(const Interactions& data, bool ratings, double missing = 0.0) {
  auto out = torch::full({data.num_users, data.num_items}, missing, torch::kDouble);
  for (int64_t u = 0; u < data.num_users; ++u)
    for (int64_t r = data.user_offsets[u].item<int64_t>();
         r < data.user_offsets[u + 1].item<int64_t>(); ++r)
      out[u][data.items[r].item<int64_t>()] = ratings ? data.labels[r].item<double>() : 1.0;
  return out;
}

/// A request of the whole history of every user, left-padded.
inline Batch requests_of(const Interactions& data) {
  int64_t width = 1;
  for (int64_t u = 0; u < data.num_users; ++u)
    width = std::max(width, (data.user_offsets[u + 1] - data.user_offsets[u]).item<int64_t>());
  auto history = torch::full({data.num_users, width}, kPaddingId, torch::kLong);  // [U, T]
  for (int64_t u = 0; u < data.num_users; ++u) {
    const auto begin = data.user_offsets[u].item<int64_t>();
    const auto count = data.user_offsets[u + 1].item<int64_t>() - begin;
    history[u].slice(0, width - count).copy_(data.items.slice(0, begin, begin + count));
  }
  Batch request(data.num_users);
  request.set(batch_key::kHistory, history);
  return request;
}

/// The same world with its users in another order: user order[u] of `data` stands at u.
inline Interactions permuted_users(const Interactions& data, const std::vector<int64_t>& order) {
  Interactions out = data;
  std::vector<int64_t> offsets = {0};
  std::vector<torch::Tensor> items, labels;
  for (const int64_t u : order) {
    const auto begin = data.user_offsets[u].item<int64_t>();
    const auto end = data.user_offsets[u + 1].item<int64_t>();
    items.push_back(data.items.slice(0, begin, end));
    labels.push_back(data.labels.slice(0, begin, end));
    offsets.push_back(offsets.back() + end - begin);
  }
  out.user_offsets = torch::tensor(offsets, torch::kLong);
  out.items = torch::cat(items);
  out.labels = torch::cat(labels);
  return out;
}

inline torch::Tensor all_scores(Model& model, const Batch& request) {
  return model.score_all(model.encode(request));  // [B, I]
}

}  // namespace reckon
