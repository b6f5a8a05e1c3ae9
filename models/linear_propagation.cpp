#include "models/linear_propagation.h"

namespace reckon {

LinearPropagation::LinearPropagation(std::vector<double> layer_weights,
                                     const std::vector<std::string>& relations, const Deps& deps)
    : NodePropagation(relations, deps), layer_weights_(std::move(layer_weights)) {}

bool LinearPropagation::makes_views(ViewNeeds::Kind kind) const {
  return kind == ViewNeeds::Kind::kEdgeDropout || kind == ViewNeeds::Kind::kNoise;
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
      light_propagation(drops ? drop_edges(graph(), view->needs.amount, view->key) : graph(), all,
                        rows, layer_weights_, noise);
  return {out.vectors, out.origin};
}

torch::Tensor LinearPropagation::messages(const torch::Tensor& users, const torch::Tensor& items) {
  // A new user's layer k is n^(-1/2) times the sum of d^(-1/2) E_(k-1) over the items.
  std::vector<double> before(layer_weights_.begin() + 1, layer_weights_.end());
  const auto all = tables(users, items);
  const auto item_nodes =
      num_users() + at::arange(items.size(0), items.options().dtype(torch::kLong));    // [I]
  if (before.empty()) return torch::zeros_like(items);                                 // [I, D]
  const auto sums = light_propagation(graph(), all, item_nodes, before).vectors;       // [I, D]
  return sums * graph().inverse_root_degree.index_select(0, item_nodes).unsqueeze(1);  // [I, D]
}

}  // namespace reckon
