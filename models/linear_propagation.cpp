#include "models/linear_propagation.h"

#include "models/node_graph.h"

namespace reckon {

LinearPropagation::LinearPropagation(std::vector<double> layer_weights,
                                     const std::vector<std::string>& relations, const Deps& deps)
    : width_(deps.width), num_users_(deps.num_users), layer_weights_(std::move(layer_weights)) {
  graph_ = node_graph(deps, relations);
  const auto rows = other_nodes(graph_, deps);  // [O, D]
  if (rows.defined()) others_ = register_parameter("others", rows);
}

bool LinearPropagation::makes_views(ViewNeeds::Kind kind) const {
  return kind == ViewNeeds::Kind::kEdgeDropout || kind == ViewNeeds::Kind::kNoise;
}

std::vector<torch::Tensor> LinearPropagation::tables(const torch::Tensor& users,
                                                     const torch::Tensor& items) const {
  std::vector<torch::Tensor> tables{users, items};
  if (others_.defined()) tables.push_back(others_);
  return tables;
}

Propagated LinearPropagation::forward(const torch::Tensor& users, const torch::Tensor& items,
                                      const torch::Tensor& rows,
                                      const std::optional<GraphView>& view) {
  const auto all = tables(users, items);
  std::optional<LayerNoise> noise;
  if (view && view->needs.kind == ViewNeeds::Kind::kNoise)
    noise = LayerNoise{.scale = view->needs.amount, .key = view->key};
  const bool drops = view && view->needs.kind == ViewNeeds::Kind::kEdgeDropout;
  const auto out =
      light_propagation(drops ? drop_edges(graph_, view->needs.amount, view->key) : graph_, all,
                        rows, layer_weights_, noise);
  return {out.vectors, out.origin};
}

torch::Tensor LinearPropagation::messages(const torch::Tensor& users, const torch::Tensor& items) {
  // A new user's layer k is n^(-1/2) times the sum of d^(-1/2) E_(k-1) over the items.
  std::vector<double> before(layer_weights_.begin() + 1, layer_weights_.end());
  const auto all = tables(users, items);
  const auto item_nodes = num_users_ + torch::arange(items.size(0), torch::kLong);    // [I]
  if (before.empty()) return torch::zeros_like(items);                                // [I, D]
  const auto sums = light_propagation(graph_, all, item_nodes, before).vectors;       // [I, D]
  return sums * graph_.inverse_root_degree.index_select(0, item_nodes).unsqueeze(1);  // [I, D]
}

}  // namespace reckon
