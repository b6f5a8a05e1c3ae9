#pragma once

#include <torch/nn/modules/linear.h>

#include <string>
#include <utility>
#include <vector>

#include "layers/mlp.h"
#include "layers/sequence_encoder.h"

namespace reckon {

/// A history as a set: its items pooled into one vector, which a network maps to the user's state.
///
///   p = mean_s x[s],  or with `pooling: attention`  p = sum_s a[s] x[s],
///   a = softmax_s( q' tanh(W x[s] + b) );   state = V mlp(p)
/// With `leave_out_target` an item is learnt from the mean of the others, as if it were to come yet:
/// a user of one item teaches nothing then. Mean and attention are those of SimpleX (Mao et al., CIKM
/// 2021); with `hidden_units` the mean is the first layer of the deep retrieval network of Covington,
/// Adams, Sargin, "Deep Neural Networks for YouTube Recommendations", RecSys 2016.
class SetPoolingEncoder : public SequenceEncoder {
 public:
  enum class Pooling { kMean, kAttention };
  struct Options {
    Pooling pooling = Pooling::kMean;
    bool leave_out_target = false;
    std::vector<int64_t> hidden_units;
    Activation activation = Activation::kRelu;
    double dropout = 0.0;
    bool projection = true;
    static void describe(Schema<Options>& schema);
  };

  SetPoolingEncoder(const Options& options, const Deps& deps);

  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid) override;
  bool is_sum_of_steps() const override { return tower_.is_empty(); }
  torch::Tensor summands(const torch::Tensor& x, const torch::Tensor& values,
                         const torch::Tensor& valid) override;
  OutputSpec output_spec() const override { return {.width = width_}; }
  bool reads_sets() const override { return true; }
  torch::Tensor forward_for_targets(const torch::Tensor& x, const torch::Tensor& valid) override;
  bool adds_up() const override { return options_.pooling == Pooling::kMean; }
  bool leaves_out_target() const override { return options_.leave_out_target; }
  torch::Tensor from_sum(const torch::Tensor& sum, const torch::Tensor& count) override;

 private:
  // What each item counts in the pooled vector.   Shapes   x [B, T, D], valid [B, T] -> [B, T, 1]
  torch::Tensor weights_of(const torch::Tensor& x, const torch::Tensor& valid);
  // The state of the whole set.   Shapes   x [B, T, D], valid [B, T] -> [B, D]
  torch::Tensor state_of(const torch::Tensor& x, const torch::Tensor& valid);
  // What is behind the pooling.   Shapes   [..., D] -> [..., D]
  torch::Tensor map(const torch::Tensor& pooled);

  Options options_;
  int64_t width_;
  torch::nn::Linear key_{nullptr};    // W and b
  torch::nn::Linear query_{nullptr};  // q
  Mlp tower_{nullptr};
  torch::nn::Linear output_{nullptr};  // V
};

template <>
struct EnumNames<SetPoolingEncoder::Pooling> {
  static std::vector<std::pair<std::string, SetPoolingEncoder::Pooling>> all() {
    return {{"mean", SetPoolingEncoder::Pooling::kMean},
            {"attention", SetPoolingEncoder::Pooling::kAttention}};
  }
};

}  // namespace reckon
