#pragma once

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"

namespace reckon {

enum class Activation { kRelu, kGelu, kSilu, kTanh, kSigmoid, kIdentity };

template <>
struct EnumNames<Activation> {
  static std::vector<std::pair<std::string, Activation>> all() {
    return {{"relu", Activation::kRelu},       {"gelu", Activation::kGelu},
            {"silu", Activation::kSilu},       {"tanh", Activation::kTanh},
            {"sigmoid", Activation::kSigmoid}, {"identity", Activation::kIdentity}};
  }
};

/// Shapes   x [...] -> [...]
torch::Tensor activate(const torch::Tensor& x, Activation activation);

}  // namespace reckon
