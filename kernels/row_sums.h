#pragma once

#include <torch/types.h>

namespace reckon {

/// Weighted sums of rows of a table, out[b] = sum_t weights[b, t] * table[rows[b, t]], without gathering them.
///
/// What has no weight costs nothing. The gradient of the table is sparse and names each row whose weight is not
/// zero somewhere once, ascending; weights have none. A loop for CPU tensors of float32 and float64,
/// the same on any number of threads; elsewhere, and while a trace is recorded, ATen's bags of
/// embeddings, whose gradient names a row as often as it was added.
/// Shapes   table [R, D], rows [B, T] int64, weights [B, T] -> [B, D]
/// Throws   c10::Error on shapes or types that do not fit, and on rows that the table does not have.
torch::Tensor weighted_row_sums(const torch::Tensor& table, const torch::Tensor& rows,
                                const torch::Tensor& weights);

}  // namespace reckon
