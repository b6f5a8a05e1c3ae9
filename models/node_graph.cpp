#include "models/node_graph.h"

#include <algorithm>
#include <stdexcept>

#include "core/diagnostics.h"

namespace reckon {

namespace {

// The source of each edge.   Shapes   -> [E] int64
torch::Tensor sources_of(const Relation& relation) {
  const auto counts = relation.offsets.slice(0, 1) - relation.offsets.slice(0, 0, -1);  // [S]
  return torch::repeat_interleave(counts) + relation.sources.first;                     // [E]
}

}  // namespace

UndirectedGraph node_graph(const Graph& graph, const std::vector<std::string>& relations) {
  std::vector<std::string> names;
  for (const auto& relation : graph.relations)
    if (relation.reverse_of < 0) names.push_back(relation.name);
  for (const auto& name : relations)
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const auto hint = suggest(name, names);
      throw std::invalid_argument("the graph has no relation '" + name + "'" +
                                  (hint.empty() ? "" : "; " + hint));
    }
  std::vector<torch::Tensor> first, second, weights;
  bool is_weighted = false;
  for (const auto& relation : graph.relations) is_weighted |= relation.weights.defined();
  for (const auto& relation : graph.relations) {
    if (relation.reverse_of >= 0 || relation.num_edges() == 0) continue;
    if (!relations.empty() &&
        std::find(relations.begin(), relations.end(), relation.name) == relations.end())
      continue;
    first.push_back(sources_of(relation));                                      // [E]
    second.push_back(relation.ends.to(torch::kLong) + relation.targets.first);  // [E]
    if (is_weighted)
      weights.push_back(relation.weights.defined() ? relation.weights
                                                   : torch::ones({relation.num_edges()}));  // [E]
  }
  if (first.empty()) {
    first.push_back(torch::empty({0}, torch::kLong));   // [0]
    second.push_back(torch::empty({0}, torch::kLong));  // [0]
  }
  return undirected_graph(graph.num_nodes(), torch::cat(first), torch::cat(second),
                          weights.empty() ? torch::Tensor() : torch::cat(weights));
}

}  // namespace reckon
