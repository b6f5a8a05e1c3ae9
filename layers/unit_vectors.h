#pragma once

#include <torch/types.h>

namespace reckon {

/// Vectors of length one in the same directions; a vector of zeros stays one.
/// Shapes   vectors [..., D] -> [..., D]
torch::Tensor unit_vectors(const torch::Tensor& vectors);

}  // namespace reckon
