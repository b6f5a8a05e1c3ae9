#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "datasets/data_options.h"
#include "datasets/graph.h"
#include "datasets/id_map.h"
#include "datasets/interactions.h"

namespace reckon {

/// Puts nodes and edges together into a Graph.
///
/// Nodes are numbered in the order of the calls, users and items first.
class GraphBuilder {
 public:
  struct Edge {
    int32_t source = 0;  ///< Less the first of the relation's sources.
    int32_t target = 0;
    float weight = 1.0F;
  };
  /// What becomes of the weights of edges between the same two nodes.
  enum class Merge { kSum, kLast };
  struct RelationSpec {
    std::string name;
    EdgeKind kind = EdgeKind::kInteractions;
    NodeRange sources, targets;
    bool is_weighted = false;
    Merge merge = Merge::kSum;
    bool reverse = true;
  };
  /// Edges that were no more than a repetition, and those of them whose weight was another one.
  struct Merged {
    int64_t repeated = 0;
    int64_t contradicting = 0;
  };

  /// Throws   std::length_error when nodes have no number in int32.
  GraphBuilder(int64_t num_users, int64_t num_items);

  NodeRange users() const { return graph_.node_types[0].nodes; }
  NodeRange items() const { return graph_.node_types[1].nodes; }

  /// Throws   std::length_error when nodes have no number in int32.
  NodeRange add_nodes(const std::string& name, int64_t count);

  /// Adds a relation, and its reverse where the spec wants it. Edges may come in any order, and more
  /// than once.
  /// Throws   std::invalid_argument when a relation has that name.
  Merged add_relation(const RelationSpec& spec, std::vector<Edge> edges);

  Graph take() { return std::move(graph_); }

 private:
  Graph graph_;
};

/// What was made of one source of edges, in the order in which it was counted.
struct EdgeCounts {
  std::string type;  ///< As in the config.
  std::string path;  ///< Of the first file; empty for interactions.
  std::vector<std::pair<std::string, int64_t>> counts;

  void add(const std::string& name, int64_t count) { counts.emplace_back(name, count); }
};

/// What edges are made of, and where they go.
class EdgeMaker {
 public:
  EdgeMaker(const DataOptions& options, const IdMap& users, const IdMap& items,
            const Interactions& interactions, const torch::Tensor& split_of)
      : options(options),
        users(users),
        items(items),
        interactions(interactions),
        split_of(split_of),
        graph(users.size(), items.size()) {}

  const DataOptions& options;
  const IdMap& users;
  const IdMap& items;
  const Interactions& interactions;
  const torch::Tensor& split_of;  // [E] uint8
  GraphBuilder graph;
  std::vector<EdgeCounts> counts;
};

struct BuiltGraph {
  Graph graph;
  std::vector<EdgeCounts> counts;
};

/// The graph that `options.graph` declares. Interactions outside of the training part are not looked at.
/// Throws   DataError when files cannot be read, or hold what the options do not forgive.
BuiltGraph build_graph(const DataOptions& options, const IdMap& users, const IdMap& items,
                       const Interactions& interactions, const torch::Tensor& split_of);

/// A graph as it is known before its data is prepared, for checks of a model: users, items, no other
/// nodes, and the relations of `options.graph` without edges; with no `graph`, that of interactions. A
/// relation without a name stands for those of triples that nothing but the file names.
Graph declared_graph(const DataOptions& options, int64_t num_users, int64_t num_items);

/// The same nodes and relations around other numbers of users and items, without edges.
Graph resized_graph(const Graph& graph, int64_t num_users, int64_t num_items);

/// How many nodes of each type no edge touches.
std::vector<int64_t> isolated_nodes(const Graph& graph);

/// Throws   c10::Error when ranges, sizes or numbers of a graph do not fit each other.
void check_graph(const Graph& graph, int64_t num_users, int64_t num_items);

/// The items, by raw ids, that data.files.links says the entities of.
/// Throws   DataError when the files hold what the options do not forgive.
std::unordered_set<std::string> linked_items(const DataOptions& options);

/// The different parts of a cell, without blanks around them; nothing of an empty one.
/// An empty separator leaves the cell whole.
std::vector<std::string> split_cell(const std::string& cell, const std::string& separator);

}  // namespace reckon
