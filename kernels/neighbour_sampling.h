#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "kernels/neighbours.h"
#include "kernels/spmm.h"

namespace reckon {

/// What one layer hears of a graph: each of the first R nodes of a sample hears some of its neighbours in
/// the graph, who are among the first S nodes of the sample.
struct SampledHop {
  NeighbourLists lists;  // receivers 0 .. R - 1, senders 0 .. S - 1, both places in the sample
  torch::Tensor edges;   // [E'] int64, places among the graph's ends
};

/// The neighbourhoods of some nodes as far as a number of hops reaches, each hop with edges of its own.
struct NeighbourSample {
  /// Nodes of the graph in the order in which they were reached: those asked for stand in front.
  torch::Tensor nodes;  // [S] int64, distinct
  /// Outwards. Hop h is heard by all nodes that are known before it, so that the senders of one hop are the
  /// receivers of the next, and a node's own vector is always there.
  std::vector<SampledHop> hops;

  int64_t num_rows() const { return hops.front().lists.num_receivers(); }
  /// Those of the nodes that were asked for.   Shapes   x [., D], by place in the sample -> [R, D]
  torch::Tensor rows_of(const torch::Tensor& x) const { return x.narrow(0, 0, num_rows()); }
};

/// Draws neighbourhoods (Hamilton, Ying, Leskovec, "Inductive Representation Learning on Large Graphs",
/// NeurIPS 2017, algorithm 2): at hop h a node hears fanouts[h] of its neighbours, without replacement and
/// each set of them as likely as any other, or all of them where it has no more.
///
/// What a node hears at a hop is a function of (key, hop, node) alone: not of the nodes beside it, nor of
/// the number of threads. Neighbours of a node keep their order. Memory beside the result: four bytes for
/// each node of the graph.
/// Shapes   rows [R] int64, distinct
/// Throws   c10::Error when rows are none of the graph's or not distinct, there is no fan-out or one that is
///          not positive, or the graph is not on the CPU.
NeighbourSample sample_neighbours(const UndirectedGraph& graph, const torch::Tensor& rows,
                                  const std::vector<int64_t>& fanouts, uint64_t key);

/// normalized_spmm() for the receivers of a hop, estimated from what they hear, with the gradient in x:
///
///   out[n] = neighbours[n] / heard[n] * sum over heard m of weight * d[n]^(-1/2) d[m]^(-1/2) x[m]
///
/// whose mean over draws is the sum over all neighbours. Degrees d are those of the graph.
/// Shapes   x [S, D] -> [R, D]
torch::Tensor normalized_sum_of_sample(const UndirectedGraph& graph, const NeighbourSample& sample,
                                       size_t hop, const torch::Tensor& x);

/// mean_of_neighbours() of those that are heard, by the weights of edges, with the gradient in x; zero where
/// nobody is heard.   Shapes   x [S, D] -> [R, D]
torch::Tensor mean_of_sample(const UndirectedGraph& graph, const NeighbourSample& sample,
                             size_t hop, const torch::Tensor& x);

}  // namespace reckon
