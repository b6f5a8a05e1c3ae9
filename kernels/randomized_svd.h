#pragma once

#include <torch/types.h>

#include <cstdint>

#include "kernels/sparse_rows.h"

namespace reckon {

/// matrix times dense, row by row; threads split the rows.   Shapes   [R, C], dense [C, D] -> [R, D]
torch::Tensor multiply(const SparseRows& matrix, const torch::Tensor& dense);

struct RandomizedSvdOptions {
  int64_t rank = 64;
  int64_t oversampling = 16;  ///< Directions that are sought beside those that are kept.
  int64_t iterations = 4;     ///< Products with the matrix and its transpose; more are more exact.
};

/// The largest singular values of a sparse matrix and their vectors on the side of the columns.
struct RightSingular {
  torch::Tensor values;   // [k] float32, descending
  torch::Tensor vectors;  // [C, k] float32, orthonormal columns
};

/// Truncated singular value decomposition by subspace iteration from a random start (Halko,
/// Martinsson, Tropp, SIAM Review 2011), of min(rank, R, C) values. The matrix stays sparse: memory
/// is a few dense matrices as wide as rank + oversampling. The same seed gives the same result with any
/// number of threads.
RightSingular randomized_svd(const SparseRows& matrix, int64_t num_columns,
                             const RandomizedSvdOptions& options, uint64_t seed);

}  // namespace reckon
