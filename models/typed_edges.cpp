#include "models/typed_edges.h"

#include <stdexcept>

#include "models/node_graph.h"

namespace reckon {

TypedEdges typed_edges(const Propagation::Deps& deps, const std::vector<std::string>& names) {
  TypedEdges edges;
  const auto relations =
      deps.graph != nullptr ? named_relations(*deps.graph, names) : std::vector<const Relation*>();
  if (relations.empty()) {
    edges.relations = {"interactions", "rev_interactions"};
    edges.offsets = torch::zeros({deps.num_users + deps.num_items + 1}, torch::kLong);  // [N + 1]
    edges.senders = torch::empty({0}, torch::kInt);                                     // [0]
    edges.types = torch::empty({0}, torch::kInt);                                       // [0]
    edges.means = torch::empty({0}, torch::kFloat);                                     // [0]
    return edges;
  }
  const int64_t num_nodes = deps.graph->num_nodes();
  edges.offsets = torch::zeros({num_nodes + 1}, torch::kLong);  // [N + 1]
  auto* offset = edges.offsets.data_ptr<int64_t>();
  for (const auto* relation : relations) {
    edges.relations.push_back(relation->name);
    const auto* from = relation->offsets.const_data_ptr<int64_t>();
    for (int64_t s = 0; s < relation->sources.count; ++s)
      offset[relation->sources.first + s + 1] += from[s + 1] - from[s];
  }
  for (int64_t n = 0; n < num_nodes; ++n) offset[n + 1] += offset[n];
  edges.senders = torch::empty({offset[num_nodes]}, torch::kInt);  // [E]
  edges.types = torch::empty({offset[num_nodes]}, torch::kInt);    // [E]
  edges.means = torch::empty({offset[num_nodes]}, torch::kFloat);  // [E]
  auto* sender = edges.senders.data_ptr<int32_t>();
  auto* type = edges.types.data_ptr<int32_t>();
  auto* mean = edges.means.data_ptr<float>();
  std::vector<int64_t> next(offset, offset + num_nodes);
  for (size_t r = 0; r < relations.size(); ++r) {
    const auto& relation = *relations[r];
    if (relation.num_edges() == 0) continue;
    const auto* from = relation.offsets.const_data_ptr<int64_t>();
    const auto* end = relation.ends.const_data_ptr<int32_t>();
    const auto* weights =
        relation.weights.defined() ? relation.weights.const_data_ptr<float>() : nullptr;
    const auto weight = [&](int64_t e) { return weights == nullptr ? 1.0F : weights[e]; };
    for (int64_t s = 0; s < relation.sources.count; ++s) {
      double sum = 0.0;
      for (int64_t e = from[s]; e < from[s + 1]; ++e) {
        if (!(weight(e) >= 0.0F))
          throw std::invalid_argument("takes means by the weights of edges, and edge '" +
                                      relation.name + "' has one that is negative or no number");
        sum += static_cast<double>(weight(e));
      }
      auto& place = next[static_cast<size_t>(relation.sources.first + s)];
      for (int64_t e = from[s]; e < from[s + 1]; ++e, ++place) {
        sender[place] = static_cast<int32_t>(relation.targets.first + end[e]);
        type[place] = static_cast<int32_t>(r);
        mean[place] = sum > 0.0 ? static_cast<float>(static_cast<double>(weight(e)) / sum) : 0.0F;
      }
    }
  }
  return edges;
}

}  // namespace reckon
