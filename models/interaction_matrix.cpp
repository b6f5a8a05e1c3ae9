#include "models/interaction_matrix.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "core/ids.h"

namespace reckon {

SparseRows interaction_matrix(const Interactions& train, Worth worth) {
  const bool of_ratings = worth == Worth::kRating || worth == Worth::kRatings;
  if (of_ratings && !train.labels.defined())
    throw std::invalid_argument("compares ratings, and the data has none");
  const int64_t num_users = train.num_users;
  SparseRows out{torch::zeros({num_users + 1}, torch::kLong),  // [U + 1]
                 torch::empty({train.size()}, torch::kInt),    // [E]
                 torch::empty({train.size()})};                // [E]
  const auto* begins = train.user_offsets.const_data_ptr<int64_t>();
  const auto* items = train.size() > 0 ? train.items.const_data_ptr<int32_t>() : nullptr;
  // What each interaction brings; null: one.
  const auto brought = of_ratings               ? train.labels
                       : worth == Worth::kCount ? train.weights
                                                : torch::Tensor();
  const auto* worths =
      brought.defined() && train.size() > 0 ? brought.const_data_ptr<float>() : nullptr;
  const bool adds_up = worth == Worth::kCount || worth == Worth::kRatings;
  auto* offset = out.offsets.data_ptr<int64_t>();
  auto* column = out.columns.data_ptr<int32_t>();
  auto* value = out.values.data_ptr<float>();
  int64_t size = 0;
  std::vector<int64_t> rows;
  for (int64_t u = 0; u < num_users; ++u) {
    rows.clear();
    for (int64_t r = begins[u]; r < begins[u + 1]; ++r) rows.push_back(r);
    std::stable_sort(rows.begin(), rows.end(),
                     [&](int64_t a, int64_t b) { return items[a] < items[b]; });
    for (const int64_t r : rows) {
      const float brings = worths == nullptr ? 1.0f : worths[r];
      if (size == offset[u] || column[size - 1] != items[r]) {
        column[size] = items[r];
        value[size++] = brings;
      } else {
        value[size - 1] = adds_up ? value[size - 1] + brings : brings;
      }
    }
    offset[u + 1] = size;
  }
  if (size < train.size()) {
    out.columns = out.columns.slice(0, 0, size).clone();  // [E']
    out.values = out.values.slice(0, 0, size).clone();    // [E']
  }
  return out;
}

torch::Tensor distinct_items(const torch::Tensor& history) {
  const auto sorted = std::get<0>(history.sort(1));                                     // [B, T]
  const auto before = at::constant_pad_nd(sorted, {1, 0}, kPaddingId).slice(1, 0, -1);  // [B, T]
  const auto keep = sorted.ne(before).logical_and(sorted.ge(0));                        // [B, T]
  return std::get<0>(sorted.masked_fill(keep.logical_not(), kPaddingId).sort(1));       // [B, T]
}

torch::Tensor sum_of_vectors(const torch::Tensor& vectors, const torch::Tensor& items) {
  const auto rows = at::embedding(vectors, items.clamp_min(0));             // [B, T, D]
  const auto is_item = items.ge(0).to(vectors.scalar_type()).unsqueeze(1);  // [B, 1, T]
  return is_item.matmul(rows).squeeze(1);                                   // [B, D]
}

}  // namespace reckon
