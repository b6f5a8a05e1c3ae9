#include "models/linear_propagation.h"

namespace reckon {

LinearPropagation::LinearPropagation(std::vector<double> layer_weights,
                                     const std::vector<std::string>& relations,
                                     std::vector<int64_t> fanouts, const Deps& deps)
    : NodePropagation(relations, std::move(fanouts), deps),
      layer_weights_(std::move(layer_weights)) {}

bool LinearPropagation::makes_views(ViewNeeds::Kind kind) const {
  if (samples_neighbours()) return false;
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

Propagated LinearPropagation::forward_over(const NeighbourSample& sample, const torch::Tensor& x) {
  const size_t num_layers = layer_weights_.size() - 1;
  const auto origin = sample.rows_of(x);  // [R, D]
  auto layer = x;                         // [S, D]
  auto sum = layer_weights_[0] * origin;  // [R, D]
  for (size_t k = 1; k <= num_layers; ++k) {
    layer = normalized_sum_of_sample(graph(), sample, num_layers - k, layer);  // [., D]
    sum = sum + layer_weights_[k] * sample.rows_of(layer);                     // [R, D]
  }
  return {sum, origin};
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

UserEdges LinearPropagation::user_edges() const {
  // Users are the first nodes and items stand behind them; a graph may have others at the end.
  const auto& g = graph();
  const auto offsets = g.offsets.slice(0, 0, num_users() + 1);  // [U + 1]
  const auto num_edges = offsets.slice(0, num_users()).item<int64_t>();
  const auto ends = g.ends.slice(0, 0, num_edges) - num_users();      // [E']
  const auto is_item = ends.ge(0).logical_and(ends.lt(num_items()));  // [E']
  // How many of the first e edges lead to an item.
  const auto before = at::constant_pad_nd(is_item.cumsum(0), {1, 0});  // [E' + 1]
  UserEdges edges;
  edges.offsets = before.index_select(0, offsets);  // [U + 1]
  edges.items = ends.masked_select(is_item);        // [E]
  if (g.weights.defined())
    edges.weights = g.weights.slice(0, 0, num_edges).masked_select(is_item);  // [E]
  // A file writes the whole of what a view looks into.
  edges.scale = g.inverse_root_degree.slice(0, 0, num_users()).clone();  // [U]
  return edges;
}

}  // namespace reckon
