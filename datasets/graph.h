#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace reckon {

/// A stretch of a graph's numbering of all nodes: one type, or neighbouring types together.
struct NodeRange {
  int64_t first = 0;
  int64_t count = 0;

  bool holds(int64_t node) const { return node >= first && node < first + count; }
  bool operator==(const NodeRange&) const = default;
};

/// Nodes of one kind. Users are nodes [0, U), items [U, U + I); behind them stand the entities of
/// triples that are no items, if there are triples, then the values of each column.
struct NodeType {
  std::string name;  ///< "user", "item", or what the config calls it.
  NodeRange nodes;
};

/// What edges were made of.
enum class EdgeKind : uint8_t { kInteractions, kTriples, kAttribute, kFriends };

/// Edges of one kind, ordered by source, then target: those of source s are the edges
/// offsets[s] <= e < offsets[s + 1].
struct Relation {
  std::string name;
  NodeRange sources, targets;  ///< What the numbers below count from.
  torch::Tensor offsets;       // [sources.count + 1] int64
  torch::Tensor ends;          // [E] int32, targets less targets.first
  torch::Tensor weights;       // [E] float32, undefined when every edge counts the same
  int64_t reverse_of = -1;     ///< The relation that this one is the other way round; -1: none.
  EdgeKind kind = EdgeKind::kInteractions;

  int64_t num_edges() const { return ends.defined() ? ends.size(0) : 0; }
};

/// What training knows of how users, items and other things hang together. Of the interactions only
/// those of the training part are edges. A relation without edges has offsets of zeros and no ends.
struct Graph {
  std::vector<NodeType> node_types;  ///< Begins with users and items.
  std::vector<Relation> relations;   ///< Begins with interactions, users to items.

  int64_t num_nodes() const {
    return node_types.empty() ? 0 : node_types.back().nodes.first + node_types.back().nodes.count;
  }
};

}  // namespace reckon
