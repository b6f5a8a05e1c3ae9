#pragma once

#include <torch/types.h>

#include <cstdint>

namespace reckon {

/// Vectors of relations as TransE draws them: uniform in +-6 / sqrt(width), then of length one.
/// Shapes   -> [R, D]
torch::Tensor draw_relation_vectors(int64_t num_relations, int64_t width);

}  // namespace reckon
