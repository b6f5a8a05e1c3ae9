#pragma once

#include <torch/nn/module.h>

#include "kernels/sparse_rows.h"
#include "models/model.h"

namespace reckon {

/// A matrix of items by items that ranks for a set of items:
///
///   score(history, j) = sum over the distinct items i of the history of weight[i, j]
///
/// What neighbourhood and linear models are once they are fitted. It holds, saves and exports what is
/// not zero, 8 bytes each, or, where next to nothing is zero, all of it, 4 bytes each.
class ItemWeightsImpl : public torch::nn::Module {
 public:
  explicit ItemWeightsImpl(int64_t num_items);

  /// Row i says what item i of a history is worth to each item.
  void fill(const SparseRows& weights);
  /// The same from a matrix whose row j holds what each item of a history is worth to item j, times
  /// scale[j]. Of each row the `keep` largest by magnitude are kept (0: all that is not zero), ties by
  /// the lower item; the diagonal is left out.
  /// Shapes   by_candidate [I, I] float32, scale [I] float32
  void fill_from_dense(const torch::Tensor& by_candidate, const torch::Tensor& scale, int64_t keep);
  /// The same as fill(), every weight stored; of the matrix, which is not copied, nothing else may be made.
  /// Shapes   weights [I, I] float32
  void fill_dense(const torch::Tensor& weights);

  int64_t num_items() const { return num_items_; }

  RequestNeeds request_needs() const { return {.max_length = RequestNeeds::kWholeHistory}; }
  State encode(const Batch& request) const;
  /// Shapes   -> [B, I]
  torch::Tensor score_all(const State& state) const;
  /// What each item of the state brings to the score of `items`.   Shapes   items [B] -> [B, T]
  torch::Tensor summands(const State& state, const torch::Tensor& items) const;
  /// Whether an item of the history has a weight.   Shapes   -> [B] bool
  torch::Tensor usable(const Batch& request) const;
  void check_buffers() const;

 private:
  SparseRows rows() const { return {offsets_, columns_, values_}; }
  bool is_dense() const { return dense_.numel() > 0; }

  int64_t num_items_;
  torch::Tensor
      offsets_;  // [I + 1] int64, of all weights that are not zero, however they are stored
  torch::Tensor columns_;  // [E] int32; empty beside dense ones
  torch::Tensor values_;   // [E] float32; the same
  torch::Tensor dense_;    // [I, I] float32, or empty
};
TORCH_MODULE(ItemWeights);

/// What all models have whose score is that of ItemWeights; what is left to each is its fit.
class ItemWeightsModel : public Model, public Fittable {
 public:
  RequestNeeds request_needs() const override { return weights_->request_needs(); }
  Contract contract() const override { return {.new_user_with_history = true}; }
  int64_t num_items() const override { return weights_->num_items(); }
  State encode(const Batch& request) override { return weights_->encode(request); }
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override { return weights_->score_all(state); }
  std::optional<Explains> explains() const override { return Explains{}; }
  Explanation contributions(const Batch& request, const torch::Tensor& items) override;
  torch::Tensor usable(const Batch& request) override { return weights_->usable(request); }
  void check_buffers() const override { weights_->check_buffers(); }
  Fittable* fittable() override { return this; }

 protected:
  explicit ItemWeightsModel(const Deps& deps)
      : weights_(register_module("weights", ItemWeights(deps.num_items))) {}

  /// What each item of a history brings to the score of `items`, beside none there is no rest.
  /// Shapes   state as encode() gives it, items [B] -> [B, T]
  virtual torch::Tensor summands(const State& state, const torch::Tensor& items) const {
    return weights_->summands(state, items);
  }

  ItemWeights weights_;
};

}  // namespace reckon
