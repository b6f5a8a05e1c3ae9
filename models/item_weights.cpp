#include "models/item_weights.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/interaction_matrix.h"

namespace reckon {

ItemWeightsImpl::ItemWeightsImpl(int64_t num_items)
    : num_items_(num_items),
      offsets_(register_buffer("offsets", torch::zeros({num_items + 1}, torch::kLong))),
      columns_(register_buffer("columns", torch::empty({0}, torch::kInt))),
      values_(register_buffer("values", torch::empty({0}))) {}

void ItemWeightsImpl::fill(const SparseRows& weights) {
  TORCH_CHECK(weights.num_rows() == num_items_, "item weights: expected ", num_items_,
              " rows, got ", weights.num_rows());
  fill_buffer(offsets_, weights.offsets);
  fill_buffer(columns_, weights.columns);
  fill_buffer(values_, weights.values);
}

void ItemWeightsImpl::fill_from_dense(const torch::Tensor& by_candidate, const torch::Tensor& scale,
                                      int64_t keep) {
  TORCH_CHECK(by_candidate.dim() == 2 && by_candidate.size(0) == num_items_ &&
                  by_candidate.size(1) == num_items_ &&
                  by_candidate.scalar_type() == torch::kFloat && by_candidate.is_contiguous(),
              "item weights: expected a contiguous matrix [", num_items_, ", ", num_items_,
              "] float32, got ", by_candidate.sizes(), " ", by_candidate.scalar_type());
  TORCH_CHECK(scale.dim() == 1 && scale.size(0) == num_items_ &&
                  scale.scalar_type() == torch::kFloat,
              "item weights: expected scale [", num_items_, "] float32, got ", scale.sizes());
  const auto* weight = by_candidate.const_data_ptr<float>();
  const auto factors = scale.contiguous();  // [I]
  const auto* factor = factors.const_data_ptr<float>();
  struct Kept {
    std::vector<int32_t> items;
    std::vector<float> values;
  };
  std::vector<Kept> kept(static_cast<size_t>(num_items_));
  at::parallel_for(0, num_items_, 16, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> order;
    for (int64_t j = begin; j < end; ++j) {
      const float* row = weight + j * num_items_;
      order.clear();
      for (int64_t i = 0; i < num_items_; ++i)
        if (i != j && row[i] != 0.0f) order.push_back(static_cast<int32_t>(i));
      if (keep > 0 && static_cast<int64_t>(order.size()) > keep) {
        std::nth_element(order.begin(), order.begin() + keep, order.end(),
                         [row](int32_t a, int32_t b) {
                           const float x = std::abs(row[a]), y = std::abs(row[b]);
                           return x != y ? x > y : a < b;
                         });
        order.resize(static_cast<size_t>(keep));
        std::sort(order.begin(), order.end());
      }
      auto& out = kept[static_cast<size_t>(j)];
      out.items.assign(order.begin(), order.end());
      out.values.reserve(order.size());
      for (const int32_t i : order) out.values.push_back(row[i] * factor[j]);
    }
  });
  int64_t size = 0;
  for (const auto& row : kept) size += static_cast<int64_t>(row.items.size());
  SparseRows rows{torch::zeros({num_items_ + 1}, torch::kLong),  // [I + 1]
                  torch::empty({size}, torch::kInt),             // [E]
                  torch::empty({size})};                         // [E]
  auto* offset = rows.offsets.data_ptr<int64_t>();
  auto* item = rows.columns.data_ptr<int32_t>();
  auto* value = rows.values.data_ptr<float>();
  for (auto& row : kept) {
    offset[1] = offset[0] + static_cast<int64_t>(row.items.size());
    ++offset;
    item = std::copy(row.items.begin(), row.items.end(), item);
    value = std::copy(row.values.begin(), row.values.end(), value);
    row = Kept{};
  }
  fill(transpose(rows, num_items_));
}

State ItemWeightsImpl::encode(const Batch& request) const {
  return {{distinct_items(request.at(batch_key::kHistory))}};  // [B, T]
}

torch::Tensor ItemWeightsImpl::score_all(const State& state) const {
  return sum_sparse_rows(rows(), num_items_, state.tensors[0]);  // [B, I]
}

torch::Tensor ItemWeightsImpl::usable(const Batch& request) const {
  const auto& history = request.at(batch_key::kHistory);             // [B, T]
  const auto items = history.clamp_min(0);                           // [B, T]
  const auto begins = offsets_.index({items});                       // [B, T]
  const auto ends = offsets_.index({items + 1});                     // [B, T]
  return ends.gt(begins).logical_and(history.ge(0)).any(/*dim=*/1);  // [B]
}

void ItemWeightsImpl::check_buffers(const std::string& name) const {
  check_sparse_rows(rows(), num_items_, num_items_, name);
}

}  // namespace reckon
