#pragma once

#include <torch/types.h>

namespace reckon {

/// A gradient that was made beside a sum, times the gradient of that sum; itself where that is one, as
/// it is for a loss that nothing is done with but adding: a pass over a whole table is saved.
///
/// Shapes   gradient [...] or undefined, upstream [] -> [...]
inline torch::Tensor times_upstream(const torch::Tensor& gradient, const torch::Tensor& upstream) {
  if (!gradient.defined()) return gradient;
  if (upstream.is_cpu() && upstream.item<double>() == 1.0) return gradient;
  return gradient * upstream;
}

}  // namespace reckon
