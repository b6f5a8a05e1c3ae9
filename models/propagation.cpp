#include "models/propagation.h"

#include "models/interaction_matrix.h"

namespace reckon {

torch::Tensor Propagation::messages(const torch::Tensor&, const torch::Tensor&) {
  TORCH_CHECK(false, "propagation: this one has no messages for new users");
}

Graph interaction_graph(const Interactions& train) {
  const NodeRange users{0, train.num_users}, items{train.num_users, train.num_items};
  const auto matrix = interaction_matrix(train);
  return {.node_types = {{"user", users}, {"item", items}},
          .relations = {{.name = "interactions",
                         .sources = users,
                         .targets = items,
                         .offsets = matrix.offsets,
                         .ends = matrix.columns}}};
}

}  // namespace reckon
