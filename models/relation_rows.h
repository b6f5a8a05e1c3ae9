#pragma once

#include <vector>

#include "kernels/neighbours.h"
#include "models/typed_edges.h"

namespace reckon {

/// Who hears whom, by what a relation sends: each relation has a row for each node that sends along it.
struct RelationRows {
  NeighbourLists nodes;         ///< The node that a row is made of: lists of one sender each.
  std::vector<int64_t> counts;  ///< Rows of each relation, one relation after the other.
  NeighbourLists heard;         ///< The rows that a node hears, over all relations.

  RelationRows to(const torch::Device& device) const;
};

RelationRows relation_rows(const TypedEdges& edges);

/// Who hears along which relation: a pair for each node and each relation that it hears along, in the order
/// of nodes, then of relations. Edges of a pair stand together among typed edges.
struct HearingPairs {
  torch::Tensor offsets;  // [Q + 1] int64, where the edges of a pair begin
  torch::Tensor nodes;    // [Q] int64, who hears
  torch::Tensor types;    // [Q] int32, places among the relations
  torch::Tensor first;    // [N + 1] int64, where the pairs of a node begin

  int64_t num_pairs() const { return nodes.size(0); }
};

HearingPairs hearing_pairs(const TypedEdges& edges);

}  // namespace reckon
