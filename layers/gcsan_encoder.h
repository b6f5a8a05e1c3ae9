#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include "layers/feed_forward.h"
#include "layers/sequence_encoder.h"
#include "layers/session_graph.h"

namespace reckon {

/// The session as a graph of its items, whose states then attend to each other.
///
///   E0 = the states of SessionGraph for the prefix, by step; n the newest step
///   F  = softmax(E Wq (E Wk)' / sqrt(D)) E Wv,   E' = W2 relu(W1 F + b1) + b2 + F,  block by block
///   state = w E[n] + (1 - w) E0[n]
/// Every step attends to the whole prefix. F and the branch are dropped out, and what is inside it.
/// Xu, Zhao, Liu, Sheng, Xu, Zhuang, Fang, Zhou, "Graph Contextualized Self-Attention Network for
/// Session-based Recommendation", IJCAI 2019.
///
/// Steps of one item are one key that counts as often. With one block and one step of the graph
/// only the newest items ask, and states are alike in all prefixes: memory O(B T (T + D)). Else each
/// of the P prefixes has states of its own: O(B P T (D + hidden)) for each block, P being T in
/// training and 1 in last_state().
class GcsanEncoder : public SequenceEncoder {
 public:
  struct Options {
    int64_t steps = 1;
    int64_t num_blocks = 1;
    int64_t hidden = 0;
    double dropout = 0.2;
    double attention_weight = 0.6;
    static void describe(Schema<Options>& schema);
  };

  GcsanEncoder(const Options& options, const Deps& deps);

  /// Every step is an item of its own.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid) override {
    return forward_items(x, valid, {});
  }
  torch::Tensor forward_items(const torch::Tensor& x, const torch::Tensor& valid,
                              const torch::Tensor& ids) override {
    return read_out(graph_->forward(x, valid, ids, Prefixes::kAll), Prefixes::kAll);  // [B, T, D]
  }
  torch::Tensor last_state(const torch::Tensor& x, const torch::Tensor& valid,
                           const torch::Tensor& ids) override {
    const auto states = graph_->forward(x, valid, ids, Prefixes::kLongest);
    return read_out(states, Prefixes::kLongest).select(1, 0);  // [B, D]
  }
  OutputSpec output_spec() const override { return {.width = width_}; }

 private:
  // Shapes   -> [B, P, D]
  torch::Tensor read_out(const SessionStates& states, Prefixes prefixes);
  torch::Tensor attended(const SessionStates& states, Prefixes prefixes);

  Options options_;
  int64_t width_;
  SessionGraph graph_{nullptr};
  torch::nn::ModuleList blocks_;
};

/// One block of a GcsanEncoder.
class GcsanBlockImpl : public torch::nn::Module {
 public:
  GcsanBlockImpl(const GcsanEncoder::Options& options, int64_t width);

  /// The newest item of each prefix, where a step has the same state in all of them.
  ///
  /// Shapes   states.others [B, T, D] -> [B, P, D]
  torch::Tensor of_newest(const SessionStates& states);

  /// Steps `asking` of each prefix over all of its steps; `log_count` says how often each counts.
  ///
  /// Shapes   asking [B, P, Q, D], e [B, P, T, D], log_count [B, P, 1, T] -> [B, P, Q, D]
  torch::Tensor forward(const torch::Tensor& asking, const torch::Tensor& e,
                        const torch::Tensor& log_count);

 private:
  // What is behind the attention.   Shapes   [..., D] -> [..., D]
  torch::Tensor behind(const torch::Tensor& seen);

  double dropout_;
  double scale_;
  torch::nn::Linear query_{nullptr};  // Wq
  torch::nn::Linear input_{nullptr};  // Wk and Wv in one product
  FeedForward feed_forward_{nullptr};
};
TORCH_MODULE(GcsanBlock);

}  // namespace reckon
