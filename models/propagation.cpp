#include "models/propagation.h"

#include "models/interaction_matrix.h"

namespace reckon {

torch::Tensor Propagation::messages(const torch::Tensor&, const torch::Tensor&) {
  TORCH_CHECK(false, "propagation: this one has no messages for new users");
}

Graph interaction_graph(const Interactions& train) {
  const NodeRange users{0, train.num_users}, items{train.num_users, train.num_items};
  const auto matrix = interaction_matrix(train);
  const auto back = transpose(matrix, train.num_items);
  Graph graph;
  graph.node_types = {{"user", users}, {"item", items}};
  graph.relations = {{.name = "interactions",
                      .sources = users,
                      .targets = items,
                      .offsets = matrix.offsets,
                      .ends = matrix.columns},
                     {.name = "interactions_reversed",
                      .sources = items,
                      .targets = users,
                      .offsets = back.offsets,
                      .ends = back.columns,
                      .reverse_of = 0}};
  return graph;
}

torch::Tensor all_nodes(int64_t num_users, int64_t num_items) {
  return torch::arange(num_users + num_items, torch::kLong);  // [U + I]
}

}  // namespace reckon
