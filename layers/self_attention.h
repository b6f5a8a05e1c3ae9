#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

namespace reckon {

/// Which step may look at which, made once for all blocks of an encoder.
struct AttentionMask {
  /// [B, 1, T, T] bool, true where step t may look at step s; undefined when only the order counts.
  torch::Tensor allowed;
  /// [B, 1, 1, 1] log of the number of empty places in front, which every step looks at too; undefined
  /// when nobody looks at them.
  torch::Tensor log_empty;
};

/// Every step sees itself and the valid steps before it. A padded step sees itself too, so that its
/// (meaningless) state is at least a number.
///
/// With `num_places` > 0 every step also sees the places that a history shorter than that leaves empty
/// in front; how much of that is padding in this batch makes no difference.
/// Shapes   valid [B, T] bool
AttentionMask causal_mask(const torch::Tensor& valid, int64_t num_places = 0);

/// Multi-head scaled dot-product attention over the steps of a sequence (Vaswani et al., NeurIPS
/// 2017), with projections in front and behind.
///
/// An empty place is an input of zero: its key and value are the biases of their projections, so that
/// all of them together are one key whose weight counts as often as there are places.
/// Shapes   query, x [B, T, D] -> [B, T, D]; D = num_heads * head width
class SelfAttentionImpl : public torch::nn::Module {
 public:
  /// `separate_query`: the queries come from another tensor than keys and values.
  SelfAttentionImpl(int64_t width, int64_t num_heads, double dropout, bool separate_query);

  torch::Tensor forward(const torch::Tensor& x, const AttentionMask& mask);
  torch::Tensor forward(const torch::Tensor& query, const torch::Tensor& x,
                        const AttentionMask& mask);

 private:
  torch::Tensor attend(const torch::Tensor& query, const torch::Tensor& key,
                       const torch::Tensor& value, const AttentionMask& mask);
  torch::Tensor attend_by_scores(const torch::Tensor& q, const torch::Tensor& k,
                                 const torch::Tensor& v, const AttentionMask& mask);
  torch::Tensor split(const torch::Tensor& x) const;

  int64_t num_heads_;
  double dropout_;
  double scale_;
  torch::nn::Linear query_{nullptr};  // only when separate
  torch::nn::Linear input_{nullptr};  // (query,) key and value in one product
  torch::nn::Linear output_{nullptr};
};
TORCH_MODULE(SelfAttention);

}  // namespace reckon
