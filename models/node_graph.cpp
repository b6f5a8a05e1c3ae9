#include "models/node_graph.h"

#include <algorithm>
#include <stdexcept>

#include "core/diagnostics.h"

namespace reckon {

torch::Tensor sources_of(const Relation& relation) {
  return torch::repeat_interleave(relation.offsets.diff()) + relation.sources.first;  // [E]
}

std::vector<const Relation*> named_relations(const Graph& graph,
                                             const std::vector<std::string>& names) {
  std::vector<std::string> own;
  for (const auto& relation : graph.relations)
    if (relation.reverse_of < 0) own.push_back(relation.name);
  // One without a name may be any: the file that names it has not been read.
  const bool knows_all = std::find(own.begin(), own.end(), "") == own.end();
  for (const auto& name : names)
    if (knows_all && std::find(own.begin(), own.end(), name) == own.end()) {
      const auto hint = suggest(name, own);
      throw std::invalid_argument("the graph has no relation '" + name + "'" +
                                  (hint.empty() ? "" : "; " + hint));
    }
  std::vector<const Relation*> named;
  for (const auto& relation : graph.relations) {
    const auto& name =
        relation.reverse_of < 0 ? relation.name : graph.relations[relation.reverse_of].name;
    if (names.empty() || std::find(names.begin(), names.end(), name) != names.end())
      named.push_back(&relation);
  }
  return named;
}

UndirectedGraph node_graph(const Graph& graph, const std::vector<std::string>& relations) {
  const auto named = named_relations(graph, relations);
  std::vector<torch::Tensor> first, second, weights;
  bool is_weighted = false;
  for (const auto& relation : graph.relations) is_weighted |= relation.weights.defined();
  for (const auto* relation : named) {
    if (relation->reverse_of >= 0 || relation->num_edges() == 0) continue;
    first.push_back(sources_of(*relation));                                       // [E]
    second.push_back(relation->ends.to(torch::kLong) + relation->targets.first);  // [E]
    if (is_weighted)
      weights.push_back(relation->weights.defined() ? relation->weights
                                                    : torch::ones({relation->num_edges()}));  // [E]
  }
  if (first.empty()) {
    first.push_back(torch::empty({0}, torch::kLong));   // [0]
    second.push_back(torch::empty({0}, torch::kLong));  // [0]
  }
  return undirected_graph(graph.num_nodes(), torch::cat(first), torch::cat(second),
                          weights.empty() ? torch::Tensor() : torch::cat(weights));
}

}  // namespace reckon
