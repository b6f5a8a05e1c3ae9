#pragma once

#include <torch/types.h>

#include <cstdint>

#include "layers/embedding_table.h"
#include "models/interaction_matrix.h"
#include "models/model.h"

namespace reckon {

/// What models share that read a user as a set of items, learn from whole sets and rank by an inner
/// product with a table of all items and their biases. Nobody is stored: whoever has a history is folded
/// in. An item that a history repeats counts once.
class ItemSetModel : public Model, public Learnable {
 public:
  RequestNeeds request_needs() const override {
    return {.max_length = RequestNeeds::kWholeHistory};
  }
  Contract contract() const override { return {.new_user_with_history = true}; }
  int64_t num_items() const override { return output_->num_rows(); }
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  std::optional<Factors> factors() override;
  torch::Tensor queries(const State& state) override;
  std::optional<torch::Tensor> item_vectors() override { return output_->all(); }
  Learnable* learnable() override { return this; }

  Needs needs() const override;
  Objective::Coupling coupling() const override { return Objective::Coupling::kExample; }
  /// Rows of a shard do not meet, so that all of it is made by loss(), where the number of the step is
  /// known. fixed: the sets [B, T] as distinct_items() gives them, and the users [B].
  Represented represent(const Batch& shard, const std::vector<torch::Tensor>& shared) override;

 protected:
  /// Registers the tables `output` and `output_bias`, and with `draws_noise` the buffer `noise_seed`.
  void register_output(const EmbeddingTable& output, const EmbeddingTable& bias, bool draws_noise);

  /// The state of sets that are not empty.   Shapes   ids [B, T] -> [B, D]
  virtual torch::Tensor state_of(const torch::Tensor& ids) = 0;

  /// For each set the cross-entropy of a softmax over all items, added up over the items of the set and
  /// over sets, with one softmax for each set:
  ///
  ///   -sum_b sum_(i in S_b) log softmax_i( <queries[b], output[i]> + bias[i] )
  /// With `trains_output` false no gradient goes to the tables.
  /// Shapes   queries [B, D], ids [B, T] as distinct_items() gives them -> []
  torch::Tensor cross_entropy(const torch::Tensor& queries, const torch::Tensor& ids,
                              bool trains_output = true) const;

  /// A draw of each user's normal distribution with `noise_scale` times its deviation, the mean in
  /// evaluation.
  /// Shapes   mean [B, D], log_variance [B, D], users [B] int64 -> [B, D]
  torch::Tensor drawn(const torch::Tensor& mean, const torch::Tensor& log_variance,
                      const torch::Tensor& users, int64_t step_number,
                      double noise_scale = 1.0) const;

 private:
  EmbeddingTable output_{nullptr};       // [I, D]
  EmbeddingTable output_bias_{nullptr};  // [I, 1]
  torch::Tensor noise_seed_;             // [1] int64, a buffer: a resumed run draws on
};

/// A standard normal number for each user and dimension, a function of seed, step and user alone:
/// the same however a step is cut into shards.
///
/// Shapes   users [B] int64 -> [B, width]
torch::Tensor normal_noise(const torch::Tensor& users, int64_t width, uint64_t seed,
                           int64_t step_number, const torch::TensorOptions& options);

}  // namespace reckon
