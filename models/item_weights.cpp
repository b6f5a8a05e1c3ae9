#include "models/item_weights.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/interaction_matrix.h"

namespace reckon {

namespace {

void require_square(const torch::Tensor& matrix, int64_t num_items) {
  TORCH_CHECK(matrix.dim() == 2 && matrix.size(0) == num_items && matrix.size(1) == num_items &&
                  matrix.scalar_type() == torch::kFloat && matrix.is_contiguous(),
              "item weights: expected a contiguous matrix [", num_items, ", ", num_items,
              "] float32, got ", matrix.sizes(), " ", matrix.scalar_type());
}

}  // namespace

ItemWeightsImpl::ItemWeightsImpl(int64_t num_items)
    : num_items_(num_items),
      offsets_(register_buffer("offsets", torch::zeros({num_items + 1}, torch::kLong))),
      columns_(register_buffer("columns", torch::empty({0}, torch::kInt))),
      values_(register_buffer("values", torch::empty({0}))),
      dense_(register_buffer("dense", torch::empty({0, 0}))) {}

void ItemWeightsImpl::fill(const SparseRows& weights) {
  TORCH_CHECK(weights.num_rows() == num_items_, "item weights: expected ", num_items_,
              " rows, got ", weights.num_rows());
  fill_buffer(offsets_, weights.offsets);
  fill_buffer(columns_, weights.columns);
  fill_buffer(values_, weights.values);
  fill_buffer(dense_, torch::empty({0, 0}));
}

void ItemWeightsImpl::fill_from_dense(const torch::Tensor& by_candidate, const torch::Tensor& scale,
                                      int64_t keep) {
  require_square(by_candidate, num_items_);
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

void ItemWeightsImpl::fill_dense(const torch::Tensor& weights) {
  require_square(weights, num_items_);
  auto offsets = torch::zeros({num_items_ + 1}, torch::kLong);
  auto* offset = offsets.data_ptr<int64_t>();
  const auto* weight = weights.const_data_ptr<float>();
  at::parallel_for(0, num_items_, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* row = weight + i * num_items_;
      offset[i + 1] = std::count_if(row, row + num_items_, [](float w) { return w != 0.0f; });
    }
  });
  std::partial_sum(offset, offset + num_items_ + 1, offset);
  fill_buffer(offsets_, offsets);
  fill_buffer(columns_, torch::empty({0}, torch::kInt));
  fill_buffer(values_, torch::empty({0}));
  fill_buffer(dense_, weights);
}

State ItemWeightsImpl::encode(const Batch& request) const {
  return {{distinct_items(request.at(batch_key::kHistory))}};  // [B, T]
}

torch::Tensor ItemWeightsImpl::score_all(const State& state) const {
  const auto& items = state.tensors[0];  // [B, T]
  if (!is_dense()) return sum_sparse_rows(rows(), num_items_, items);
  const auto present = items.ge(0);            // [B, T]
  const auto counts = present.sum(/*dim=*/1);  // [B]
  return std::get<0>(at::embedding_bag(dense_, items.masked_select(present),
                                       counts.cumsum(0) - counts));  // [B, I]
}

torch::Tensor ItemWeightsImpl::summands(const State& state, const torch::Tensor& items) const {
  const auto& sources = state.tensors[0];  // [B, T]
  if (!is_dense()) return sparse_elements(rows(), sources, items);
  return dense_.index({sources.clamp_min(0), items.unsqueeze(1)}) * sources.ge(0);  // [B, T]
}

torch::Tensor ItemWeightsImpl::usable(const Batch& request) const {
  const auto& history = request.at(batch_key::kHistory);             // [B, T]
  const auto items = history.clamp_min(0);                           // [B, T]
  const auto begins = offsets_.index({items});                       // [B, T]
  const auto ends = offsets_.index({items + 1});                     // [B, T]
  return ends.gt(begins).logical_and(history.ge(0)).any(/*dim=*/1);  // [B]
}

void ItemWeightsImpl::check_buffers() const {
  if (!is_dense()) return check_sparse_rows(rows(), num_items_, num_items_, "item weights");
  const auto refuse = [](const std::string& what) {
    throw std::invalid_argument("item weights: " + what);
  };
  if (dense_.dim() != 2 || dense_.size(0) != num_items_ || dense_.size(1) != num_items_)
    refuse("expected a matrix of " + std::to_string(num_items_) + " items by as many");
  if (columns_.numel() > 0 || values_.numel() > 0)
    refuse("expected them all or those that are not zero, got both");
  if (offsets_.size(0) != num_items_ + 1 || offsets_.diff().lt(0).any().item<bool>())
    refuse("offsets must not fall");
  std::atomic<bool> finite = true;
  const auto* weight = dense_.const_data_ptr<float>();
  at::parallel_for(0, num_items_, 16, [&](int64_t begin, int64_t end) {
    if (!std::all_of(weight + begin * num_items_, weight + end * num_items_,
                     [](float w) { return std::isfinite(w); }))
      finite = false;
  });
  if (!finite) refuse("a weight is not finite");
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
