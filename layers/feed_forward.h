#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"

namespace reckon {

enum class FeedForwardKind { kRelu, kGelu, kSwiglu };

template <>
struct EnumNames<FeedForwardKind> {
  static std::vector<std::pair<std::string, FeedForwardKind>> all() {
    return {{"relu", FeedForwardKind::kRelu},
            {"gelu", FeedForwardKind::kGelu},
            {"swiglu", FeedForwardKind::kSwiglu}};
  }
};

/// The transformer's step-wise network.
///
/// relu, gelu: W2 drop(f(W1 x)). swiglu: W2 drop(silu(W1 x) * W3 x) (Shazeer, "GLU Variants Improve
/// Transformer", 2020); W1 and W3 lie one behind the other in `input`.
/// Shapes   x [..., width] -> [..., width]
class FeedForwardImpl : public torch::nn::Module {
 public:
  FeedForwardImpl(FeedForwardKind kind, int64_t width, int64_t hidden, double dropout);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  FeedForwardKind kind_;
  double dropout_;
  torch::nn::Linear input_{nullptr};
  torch::nn::Linear output_{nullptr};
};
TORCH_MODULE(FeedForward);

}  // namespace reckon
