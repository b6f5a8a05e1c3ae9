#include "models/triples_of.h"

#include <vector>

#include "models/node_graph.h"

namespace reckon {

std::shared_ptr<const Triples> triples_of(const Graph* graph) {
  if (graph == nullptr) return nullptr;
  const auto& items = graph->node_types[1].nodes;
  auto triples = std::make_shared<Triples>();
  std::vector<torch::Tensor> heads, relations, tails;
  for (const auto& relation : graph->relations) {
    const bool is_of_items = relation.kind == EdgeKind::kTriples ||
                             (relation.kind == EdgeKind::kAttribute && relation.sources == items);
    if (!is_of_items || relation.reverse_of >= 0) continue;
    const auto number = triples->num_relations++;
    const auto num_edges = relation.num_edges();
    if (num_edges == 0) continue;
    heads.push_back(sources_of(relation) - items.first);                  // [E]
    relations.push_back(torch::full({num_edges}, number, torch::kLong));  // [E]
    tails.push_back(relation.ends.to(torch::kLong) +
                    (relation.targets.first - items.first));  // [E]
  }
  if (triples->num_relations == 0) return nullptr;
  triples->num_entities = graph->num_nodes() - items.first;
  const auto joined = [](const std::vector<torch::Tensor>& parts) {
    return parts.empty() ? torch::empty({0}, torch::kLong) : torch::cat(parts);  // [F]
  };
  triples->heads = joined(heads);
  triples->relations = joined(relations);
  triples->tails = joined(tails);
  return triples;
}

}  // namespace reckon
