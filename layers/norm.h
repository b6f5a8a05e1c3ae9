#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"

namespace reckon {

enum class NormKind { kLayer, kRms };

template <>
struct EnumNames<NormKind> {
  static std::vector<std::pair<std::string, NormKind>> all() {
    return {{"layer", NormKind::kLayer}, {"rms", NormKind::kRms}};
  }
};

/// Normalises each vector: to mean 0 and variance 1 (Ba et al., "Layer Normalization", 2016) or by
/// its root mean square alone (Zhang, Sennrich, NeurIPS 2019), then a trained scale (and shift).
///
/// Shapes   x [..., width] -> [..., width]
class NormImpl : public torch::nn::Module {
 public:
  NormImpl(NormKind kind, int64_t width, double eps);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  NormKind kind_;
  double eps_;
  torch::Tensor weight_;
  torch::Tensor bias_;  // undefined for kRms
};
TORCH_MODULE(Norm);

}  // namespace reckon
