#pragma once

#include <string>
#include <vector>

#include "datasets/graph.h"
#include "kernels/spmm.h"
#include "models/propagation.h"

namespace reckon {

/// The relations of a graph as one, over all its nodes: an edge in any direction is one both ways, and
/// edges of several relations between the same two nodes are one edge.
///
/// `relations` names those that enter, with their reverse; empty: all.
/// Throws   std::invalid_argument with a sentence when a name is none of the graph's.
UndirectedGraph node_graph(const Graph& graph, const std::vector<std::string>& relations = {});

/// The same of a propagation's graph; without edges while only sizes are known.
UndirectedGraph node_graph(const Propagation::Deps& deps,
                           const std::vector<std::string>& relations);

/// Vectors of the nodes that are neither users nor items, drawn; undefined when there are none.
///
/// Shapes   -> [O, width]
torch::Tensor other_nodes(const UndirectedGraph& graph, const Propagation::Deps& deps);

}  // namespace reckon
