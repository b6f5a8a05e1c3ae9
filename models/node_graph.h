#pragma once

#include <string>
#include <vector>

#include "datasets/graph.h"
#include "kernels/spmm.h"

namespace reckon {

/// The node that each edge comes from, among all nodes.   Shapes   -> [E] int64
torch::Tensor sources_of(const Relation& relation);

/// The relations of a graph that `names` names, with their reverse; empty: all.
/// Throws   std::invalid_argument with a sentence when a name is none of the graph's.
std::vector<const Relation*> named_relations(const Graph& graph,
                                             const std::vector<std::string>& names);

/// The relations of a graph as one, over all its nodes: an edge in any direction is one both ways, and
/// edges of several relations between the same two nodes are one edge.
///
/// `relations` names those that enter, with their reverse; empty: all.
/// Throws   std::invalid_argument with a sentence when a name is none of the graph's.
UndirectedGraph node_graph(const Graph& graph, const std::vector<std::string>& relations = {});

}  // namespace reckon
