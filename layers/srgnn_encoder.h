#pragma once

#include <torch/nn/modules/linear.h>

#include "layers/sequence_encoder.h"
#include "layers/session_graph.h"

namespace reckon {

/// The session as a graph of its items, read out by attention of the newest item over all of them.
///
///   v     = the states of SessionGraph for the prefix, n the newest item
///   local = v[n],  global = sum_s q' sigmoid(W1 v[n] + W2 v[s] + c) v[s]   over the steps s
///   state = W3 [local; global]
/// Wu, Tang, Zhu, Wang, Xie, Tan, "Session-based Recommendation with Graph Neural Networks", AAAI
/// 2019.
///
/// Memory beside the graph's is that of the attention: O(B T^2 D) for all prefixes, O(B T D) in
/// last_state().
class SrgnnEncoder : public SequenceEncoder {
 public:
  struct Options {
    int64_t steps = 1;
    static void describe(Schema<Options>& schema);
  };

  SrgnnEncoder(const Options& options, const Deps& deps);

  /// Every step is an item of its own.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid) override {
    return forward_items(x, valid, {});
  }
  torch::Tensor forward_items(const torch::Tensor& x, const torch::Tensor& valid,
                              const torch::Tensor& ids) override {
    return read_out(graph_->forward(x, valid, ids, Prefixes::kAll));  // [B, T, D]
  }
  torch::Tensor last_state(const torch::Tensor& x, const torch::Tensor& valid,
                           const torch::Tensor& ids) override {
    return read_out(graph_->forward(x, valid, ids, Prefixes::kLongest)).select(1, 0);  // [B, D]
  }
  OutputSpec output_spec() const override { return {.width = width_}; }

 private:
  // Shapes   -> [B, P, D]
  torch::Tensor read_out(const SessionStates& states);

  int64_t width_;
  SessionGraph graph_{nullptr};
  torch::nn::Linear query_{nullptr};   // W1 and c
  torch::nn::Linear key_{nullptr};     // W2
  torch::nn::Linear weight_{nullptr};  // q
  torch::nn::Linear output_{nullptr};  // W3
};

}  // namespace reckon
