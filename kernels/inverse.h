#pragma once

#include <torch/types.h>

#include <cstdint>

namespace reckon {

/// Inverts a symmetric positive definite matrix in its own memory, of which it reads the lower triangle.
///
/// Blocks of columns are swept one after another (Beaton, 1964; Goodnight, The American Statistician
/// 1979), each diagonal block by its Cholesky factor: I^3 operations, nearly all in products of tiles,
/// and beside the matrix no more than three blocks of columns. Tiles have the same sizes with any
/// number of threads, so that results do too.
///
/// Returns the number of the first pivot that is not above `least_pivot` times the diagonal element
/// it came from, or -1 when all are: a matrix that is singular as far as its numbers can tell, of
/// which nothing useful is left.
/// Shapes   matrix [I, I] float32 or float64, contiguous
/// Throws   c10::Error on anything else.
int64_t invert_positive_definite_(torch::Tensor& matrix, double least_pivot, int64_t block = 512);

}  // namespace reckon
