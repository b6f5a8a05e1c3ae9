#pragma once

#include <torch/types.h>

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

}  // namespace reckon
