#pragma once

#include <torch/types.h>

namespace reckon {

/// Their lengths, of a vector of zeros a number too small to matter, so that they may divide.
/// Shapes   vectors [..., D] -> [..., 1]
torch::Tensor norms_of(const torch::Tensor& vectors);

/// Vectors of length one in the same directions; a vector of zeros stays one.
/// Shapes   vectors [..., D] -> [..., D]
torch::Tensor unit_vectors(const torch::Tensor& vectors);

}  // namespace reckon
