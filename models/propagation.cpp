#include "models/propagation.h"

#include "kernels/neighbours.h"
#include "models/interaction_matrix.h"

namespace reckon {

torch::Tensor Propagation::node_vectors(const torch::Tensor&, const torch::Tensor&) const {
  TORCH_CHECK(false, "propagation: this one gives no vectors of all nodes");
}

torch::Tensor Propagation::messages(const torch::Tensor&, const torch::Tensor&) {
  TORCH_CHECK(false, "propagation: this one has no messages for new users");
}

Propagated Propagation::forward_sampled(const NodeInputs&, const torch::Tensor&, uint64_t) {
  TORCH_CHECK(false, "propagation: this one draws no neighbours");
}

UserEdges Propagation::user_edges() const {
  TORCH_CHECK(false, "propagation: vectors of users are no sums of messages here");
}

Graph interaction_graph(const Interactions& train) {
  const NodeRange users{0, train.num_users}, items{train.num_users, train.num_items};
  const auto matrix = interaction_matrix(train);
  const auto lists = neighbour_lists(matrix.offsets, matrix.columns, train.num_items);
  return {.node_types = {{"user", users}, {"item", items}},
          .relations = {{.name = "interactions",
                         .sources = users,
                         .targets = items,
                         .offsets = lists.offsets,
                         .ends = lists.senders},
                        {.name = "rev_interactions",
                         .sources = items,
                         .targets = users,
                         .offsets = lists.back_offsets,
                         .ends = lists.back_receivers,
                         .reverse_of = 0}}};
}

}  // namespace reckon
