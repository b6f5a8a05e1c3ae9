#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace reckon {

/// A sparse matrix by rows: row r holds columns[e] and values[e] for offsets[r] <= e < offsets[r + 1].
///
/// 8 bytes for each element that is not zero and 8 for each row.
struct SparseRows {
  torch::Tensor offsets;  // [R + 1] int64
  torch::Tensor columns;  // [E] int32
  torch::Tensor values;   // [E] float32

  int64_t num_rows() const { return offsets.size(0) - 1; }
};

/// Verifies that the parts fit each other: offsets that rise from 0 to E, columns in [0, num_columns),
/// values that are finite. `name` begins the sentence.
///
/// Throws   std::invalid_argument with a sentence.
void check_sparse_rows(const SparseRows& matrix, int64_t num_rows, int64_t num_columns,
                       const std::string& name);

struct SparseElement {
  float value;
  int32_t column;
};

/// Keeps the k elements largest by magnitude (0: all), ties by the lower column, and puts them in the
/// order of columns.
void keep_largest(std::vector<SparseElement>& row, int64_t k);

/// Consecutive rows of a matrix while it is made.
struct RowBlock {
  std::vector<int64_t> counts;  ///< Of each row.
  std::vector<int32_t> columns;
  std::vector<float> values;

  void add(const std::vector<SparseElement>& row);
};

/// The rows of all blocks in their order; empties the blocks, so that no more than the result and one
/// block are held twice.
SparseRows join_blocks(std::vector<RowBlock>& blocks);

/// The same matrix by columns. Within a column rows ascend.
SparseRows transpose(const SparseRows& matrix, int64_t num_columns);

/// The sum of the rows that are named, each times its weight:
///
///   out[b] = sum_t weights[b, t] * matrix[ids[b, t]]
///
/// Negative ids name nothing. Without a gradient. Memory is that of the result; threads split b. While
/// a trace is recorded, and for tensors on other devices, plain ATen does it, where memory grows with
/// the elements of the rows named.
/// Shapes   ids [B, T] int64 with T > 0, weights [B, T] float32 or undefined (all 1) -> [B, C]
/// Throws   c10::Error on shapes or types that do not fit, or ids at or above the number of rows.
torch::Tensor sum_sparse_rows(const SparseRows& matrix, int64_t num_columns,
                              const torch::Tensor& ids, const torch::Tensor& weights = {});

/// Single elements of the rows that are named: out[b, t] = matrix[ids[b, t], columns[b]], zero for
/// negative ids. Plain ATen, traceable; time and memory grow with the elements of those rows.
/// Shapes   ids [B, T] int64, columns [B] int64 -> [B, T]
torch::Tensor sparse_elements(const SparseRows& matrix, const torch::Tensor& ids,
                              const torch::Tensor& columns);

}  // namespace reckon
