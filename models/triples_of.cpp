#include "models/triples_of.h"

#include <vector>

#include "models/node_graph.h"

namespace reckon {

bool is_of_items(const Relation& relation, NodeRange items) {
  return relation.reverse_of < 0 &&
         (relation.kind == EdgeKind::kTriples ||
          (relation.kind == EdgeKind::kAttribute && relation.sources == items));
}

std::shared_ptr<const Triples> triples_of(const Graph* graph) {
  if (graph == nullptr) return nullptr;
  const auto& items = graph->node_types[1].nodes;
  auto triples = std::make_shared<Triples>();
  std::vector<torch::Tensor> heads, relations, tails;
  for (const auto& relation : graph->relations) {
    if (!is_of_items(relation, items)) continue;
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

std::shared_ptr<const Triples> triples_of(const TypedEdges& edges) {
  const auto heads = torch::repeat_interleave(edges.offsets.diff());  // [E]
  const auto by_relation =
      std::get<1>(edges.types.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));  // [E]
  const auto sorted = [&](const torch::Tensor& of_edges) {
    return of_edges.index_select(0, by_relation).to(torch::kLong);  // [E]
  };
  auto triples = std::make_shared<Triples>();
  triples->num_entities = edges.num_nodes();
  triples->num_relations = edges.num_relations();
  triples->heads = sorted(heads);
  triples->relations = sorted(edges.types);
  triples->tails = sorted(edges.senders);
  return triples;
}

}  // namespace reckon
