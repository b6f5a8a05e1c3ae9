#pragma once

#include <torch/types.h>

#include "kernels/neighbours.h"
#include "kernels/spmm.h"

namespace reckon {

/// A graph of random edges, with loops and repetitions among them.
inline UndirectedGraph random_graph(int64_t num_nodes, int64_t num_edges, bool is_weighted) {
  return undirected_graph(num_nodes, torch::randint(num_nodes, {num_edges}, torch::kLong),
                          torch::randint(num_nodes, {num_edges}, torch::kLong),
                          is_weighted ? torch::rand({num_edges}) + 0.1 : torch::Tensor());
}

/// Shapes   -> [N, N]
inline torch::Tensor dense_adjacency(const UndirectedGraph& graph) {
  auto out = torch::zeros({graph.num_nodes(), graph.num_nodes()});  // [N, N]
  for (int64_t n = 0; n < graph.num_nodes(); ++n)
    for (int64_t e = graph.offsets[n].item<int64_t>(); e < graph.offsets[n + 1].item<int64_t>();
         ++e)
      out[n][graph.ends[e].item<int64_t>()] =
          graph.weights.defined() ? graph.weights[e].item<float>() : 1.0F;
  return out;
}

/// Receivers who hear random senders, some of them twice and some nobody.
inline NeighbourLists random_lists(int64_t num_receivers, int64_t num_senders, int64_t num_edges) {
  const auto receivers =
      std::get<0>(torch::randint(num_receivers, {num_edges}, torch::kLong).sort());  // [E]
  auto offsets = torch::zeros({num_receivers + 1}, torch::kLong);                    // [R + 1]
  offsets.slice(0, 1).copy_(at::bincount(receivers, {}, num_receivers).cumsum(0));
  return neighbour_lists(offsets, torch::randint(num_senders, {num_edges}, torch::kInt),
                         num_senders);
}

}  // namespace reckon
