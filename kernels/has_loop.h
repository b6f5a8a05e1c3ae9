#pragma once

#include <torch/types.h>

namespace reckon {

/// Whether loops of float32 and float64 over memory of the CPU serve a tensor; plain ATen does others.
inline bool has_loop(const torch::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kDouble);
}

}  // namespace reckon
