#pragma once

#include <torch/types.h>

#include <cstddef>

#include "kernels/neighbour_sampling.h"
#include "kernels/spmm.h"

namespace reckon {

/// The rows named, all of them where that is undefined.   Shapes   x [N, ...] -> [R, ...]
torch::Tensor rows_or_all(const torch::Tensor& x, const torch::Tensor& rows);

/// Whom the receivers of a layer hear: neighbours in a graph, all of them or those drawn for a step. Looks
/// into what it was made of, which must live longer.
///
/// Shapes   N nodes that may be heard, R receivers
class Neighbourhood {
 public:
  /// All neighbours, of all nodes or of `rows` where that is defined.
  Neighbourhood(const UndirectedGraph& graph, torch::Tensor rows);
  /// Those of one hop of a sample; its receivers are the first of the nodes.
  Neighbourhood(const UndirectedGraph& graph, const NeighbourSample& sample, size_t hop);

  const UndirectedGraph& graph() const { return *graph_; }
  /// Null where all neighbours are heard.
  const SampledHop* drawn() const;
  /// The receivers where all neighbours are heard; undefined: all nodes.
  const torch::Tensor& rows() const { return rows_; }

  /// What belongs to the receivers themselves.   Shapes   x [N, ...] -> [R, ...]
  torch::Tensor own(const torch::Tensor& x) const;

  /// mean_of_neighbours() or its estimate.   Shapes   x [N, D] -> [R, D]
  torch::Tensor mean(const torch::Tensor& x) const;

  /// normalized_spmm() or its estimate.   Shapes   x [N, D] -> [R, D]
  torch::Tensor normalized_sum(const torch::Tensor& x) const;

 private:
  const UndirectedGraph* graph_;
  torch::Tensor rows_;                       // [R]
  const NeighbourSample* sample_ = nullptr;  // null: all neighbours
  size_t hop_ = 0;
};

}  // namespace reckon
