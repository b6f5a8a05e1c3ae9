#pragma once

#include <torch/types.h>

#include <cstdint>

#include "kernels/neighbours.h"
#include "kernels/sparse_rows.h"

namespace reckon {

/// Means of what is heard along the elements of a sparse matrix, receivers by senders, by its values:
///
///   out[r] = sum_s matrix[r, s] x[s] / sum_s matrix[r, s],   zero for who hears nobody
///
/// With the gradient in x.
class NeighbourMeans {
 public:
  NeighbourMeans() = default;
  /// Shapes   matrix [R, S]
  /// Throws   std::invalid_argument with a sentence when a value is negative or no number.
  NeighbourMeans(const SparseRows& matrix, int64_t num_senders);

  /// Shapes   x [S, D] -> [R, D]
  torch::Tensor of(const torch::Tensor& x) const;

  const NeighbourLists& lists() const { return lists_; }
  /// What each element counts in the mean of its row.   Shapes   -> [E]
  torch::Tensor shares() const { return shares_.squeeze(1); }
  NeighbourMeans to(const torch::Device& device) const;

 private:
  NeighbourLists lists_;
  torch::Tensor shares_;  // [E, 1]
};

}  // namespace reckon
