#include "models/linear_propagation.h"

#include "kernels/dropout.h"
#include "kernels/randomized_svd.h"

namespace reckon {

namespace {

// One view for every run: what a seed changes is how vectors are drawn and learnt.
constexpr uint64_t kSvdSeed = 1;

// D^(-1/2) A D^(-1/2).   Shapes   [N, N]
SparseRows normalized_adjacency(const UndirectedGraph& graph) {
  const auto sources = torch::repeat_interleave(graph.offsets.diff());             // [E]
  const auto& root = graph.inverse_root_degree;                                    // [N]
  auto values = root.index_select(0, sources) * root.index_select(0, graph.ends);  // [E]
  if (graph.weights.defined()) values = values * graph.weights;                    // [E]
  return {graph.offsets, graph.ends, values};
}

}  // namespace

LinearPropagation::LinearPropagation(std::vector<double> layer_weights,
                                     const std::vector<std::string>& relations,
                                     std::vector<int64_t> fanouts, const Deps& deps,
                                     double edge_dropout)
    : NodePropagation(relations, std::move(fanouts), deps),
      layer_weights_(std::move(layer_weights)),
      edge_dropout_(edge_dropout) {}

bool LinearPropagation::makes_views(ViewNeeds::Kind kind) const {
  return !samples_neighbours() && kind != ViewNeeds::Kind::kNone;
}

void LinearPropagation::prepare_views(const ViewNeeds& needs) {
  if (needs.kind != ViewNeeds::Kind::kSvd || graph().ends.numel() == 0) return;
  const torch::NoGradGuard no_grad;
  const auto adjacency = normalized_adjacency(graph());
  auto layer = randomized_svd(adjacency, graph().num_nodes(), {.rank = 2 * needs.rank}, kSvdSeed)
                   .vectors;             // [N, 2q]
  images_ = multiply(adjacency, layer);  // [N, 2q]
  layers_ = torch::zeros_like(layer);    // [N, 2q]
  for (size_t k = 1; k < layer_weights_.size(); ++k) {
    layers_ = layers_ + layer_weights_[k] * layer;                          // [N, 2q]
    if (k + 1 < layer_weights_.size()) layer = multiply(adjacency, layer);  // [N, 2q]
  }
}

void LinearPropagation::move_graph(const torch::Device& device) {
  NodePropagation::move_graph(device);
  if (!images_.defined()) return;
  images_ = images_.to(device);  // [N, 2q]
  layers_ = layers_.to(device);  // [N, 2q]
}

UndirectedGraph LinearPropagation::seen(const std::optional<GraphView>& view) const {
  if (view && view->needs.kind == ViewNeeds::Kind::kEdgeDropout)
    return drop_edges(graph(), view->needs.amount, view->key);
  if (is_training() && edge_dropout_ > 0.0)
    return drop_edges(graph(), edge_dropout_, next_random_key());
  return graph();
}

torch::Tensor LinearPropagation::low_rank_view(const torch::Tensor& x,
                                               const torch::Tensor& rows) const {
  const auto own = layer_weights_[0] * x.index_select(0, rows);  // [R, D]
  if (!images_.defined()) return own;
  const auto sums = layers_.to(x.scalar_type()).t().matmul(x);                  // [2q, D]
  return own + images_.index_select(0, rows).to(x.scalar_type()).matmul(sums);  // [R, D]
}

Propagated LinearPropagation::forward(const torch::Tensor& users, const torch::Tensor& items,
                                      const torch::Tensor& rows,
                                      const std::optional<GraphView>& view) {
  const auto all = tables(users, items);
  if (view && view->needs.kind == ViewNeeds::Kind::kSvd) {
    const auto x = at::cat(all);                               // [N, D]
    return {low_rank_view(x, rows), x.index_select(0, rows)};  // [R, D], [R, D]
  }
  std::optional<LayerNoise> noise;
  if (view && view->needs.kind == ViewNeeds::Kind::kNoise)
    noise = LayerNoise{.scale = view->needs.amount, .key = view->key};
  const auto out = light_propagation(seen(view), all, rows, layer_weights_, noise);
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
