#include "models/item_weights.h"

#include <ATen/Parallel.h>

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
  std::vector<RowBlock> blocks(static_cast<size_t>(num_items_));
  at::parallel_for(0, num_items_, 16, [&](int64_t begin, int64_t end) {
    std::vector<SparseElement> kept;
    for (int64_t j = begin; j < end; ++j) {
      const float* row = weight + j * num_items_;
      kept.clear();
      for (int64_t i = 0; i < num_items_; ++i)
        if (i != j && row[i] != 0.0f) kept.push_back({row[i] * factor[j], static_cast<int32_t>(i)});
      keep_largest(kept, keep);
      blocks[static_cast<size_t>(j)].add(kept);
    }
  });
  fill(transpose(join_blocks(blocks), num_items_));
}

State ItemWeightsImpl::encode(const Batch& request) const {
  return {{distinct_items(request.at(batch_key::kHistory))}};  // [B, T]
}

torch::Tensor ItemWeightsImpl::score_all(const State& state) const {
  return sum_sparse_rows(rows(), num_items_, state.tensors[0]);  // [B, I]
}

torch::Tensor ItemWeightsImpl::summands(const State& state, const torch::Tensor& items) const {
  return sparse_elements(rows(), state.tensors[0], items);  // [B, T]
}

torch::Tensor ItemWeightsImpl::usable(const Batch& request) const {
  const auto& history = request.at(batch_key::kHistory);             // [B, T]
  const auto items = history.clamp_min(0);                           // [B, T]
  const auto begins = offsets_.index({items});                       // [B, T]
  const auto ends = offsets_.index({items + 1});                     // [B, T]
  return ends.gt(begins).logical_and(history.ge(0)).any(/*dim=*/1);  // [B]
}

void ItemWeightsImpl::check_buffers() const {
  check_sparse_rows(rows(), num_items_, num_items_, "item weights");
}

torch::Tensor ItemWeightsModel::score(const State& state, const torch::Tensor& candidates) {
  return score_all(state).gather(1, candidates);  // [B, C]
}

Explanation ItemWeightsModel::contributions(const Batch& request, const torch::Tensor& items) {
  const auto state = encode(request);
  return {.sources = state.tensors[0],
          .contributions = summands(state, items),
          .rest = at::zeros_like(items, torch::kFloat)};
}

}  // namespace reckon
