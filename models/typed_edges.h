#pragma once

#include <string>
#include <vector>

#include "models/propagation.h"

namespace reckon {

/// The relations of a graph by node, each direction that the graph holds a relation of its own: a source
/// hears its targets, and along the reverse a target its sources. Edges of a node stand in the order of
/// relations, then of senders.
struct TypedEdges {
  std::vector<std::string> relations;
  torch::Tensor offsets;  // [N + 1] int64
  torch::Tensor senders;  // [E] int32, nodes
  torch::Tensor types;    // [E] int32, places in `relations`
  /// The weight of an edge over the sum of those of its node and relation: sums times these are means.
  torch::Tensor means;  // [E] float32

  int64_t num_nodes() const { return offsets.size(0) - 1; }
  int64_t num_relations() const { return static_cast<int64_t>(relations.size()); }
};

/// `names` names those that enter, with their reverse; empty: all. While only sizes are known, interactions
/// both ways without edges.
/// Throws   std::invalid_argument with a sentence when a name is none of the graph's.
TypedEdges typed_edges(const Propagation::Deps& deps, const std::vector<std::string>& names = {});

}  // namespace reckon
