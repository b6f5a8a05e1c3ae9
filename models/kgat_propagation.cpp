#include "models/kgat_propagation.h"

#include <ATen/core/grad_mode.h>

#include "kernels/dropout.h"
#include "layers/initialize.h"
#include "layers/unit_vectors.h"
#include "models/relation_rows.h"
#include "models/triples_of.h"

namespace reckon {

namespace {
constexpr double kSlopeBelowZero = 0.2;
constexpr auto kSideBySide = LayeredPropagation::Combine::kConcatenate;
}  // namespace

void KgatPropagation::Options::describe(Schema<Options>& schema) {
  describe_layers(schema);
  describe_layer_dropout(schema);
  schema.field("relation_dim", &Options::relation_dim)
      .positive()
      .at_most(65536)
      .doc("Width of the spaces of relations; left out, that of the vectors.");
  schema.field("attention_gradient", &Options::attention_gradient)
      .doc(
          "Whether what ranks teaches attention too; without it a step costs less, and relations "
          "are learnt by the objective graph_triples alone.");
  describe_relations(schema);
}

KgatPropagation::KgatPropagation(const Options& options, const Deps& deps)
    : NodeVectors(deps), options_(options) {
  const auto edges = typed_edges(deps, options.relations);
  lists_ = neighbour_lists(edges.offsets, edges.senders, edges.num_nodes());
  const auto rows = relation_rows(edges);
  sending_ = rows.nodes;
  num_sending_ = rows.counts;
  const auto pairs = hearing_pairs(edges);
  pairs_ = neighbour_lists(pairs.offsets, rows.heard.senders, sending_.num_receivers());
  const auto by_relation = grouped_by(pairs.types, edges.num_relations());
  hearing_ = neighbour_lists(torch::arange(pairs.num_pairs() + 1, torch::kLong),
                             pairs.nodes.index_select(0, by_relation.order).to(torch::kInt),
                             edges.num_nodes());
  hearing_types_ = pairs.types.index_select(0, by_relation.order);  // [Q]
  hearing_rows_ = by_relation.inverse;                              // [Q]
  num_hearing_ = by_relation.counts;
  if (deps.graph != nullptr) triples_ = triples_of(edges);
  scorer_ = register_module(
      "scorer", std::make_shared<TransrScorer>(
                    TransrScorer::Options{.relation_dim = options.relation_dim, .normalize = false},
                    TransrScorer::Deps{.width = width(), .num_relations = edges.num_relations()}));
  sums_ = register_module("sums", torch::nn::ModuleList());
  products_ = register_module("products", torch::nn::ModuleList());
  for (int64_t k = 0; k < options.layers; ++k)
    for (auto* list : {&sums_, &products_}) (*list)->push_back(xavier_linear(width(), width()));
}

int64_t KgatPropagation::output_width() const {
  return combined_width(kSideBySide, options_.layers, width());
}

void KgatPropagation::move_graph(const torch::Device& device) {
  for (auto* lists : {&lists_, &pairs_, &hearing_, &sending_}) *lists = lists->to(device);
  for (auto* of_pairs : {&hearing_types_, &hearing_rows_}) *of_pairs = of_pairs->to(device);
}

torch::Tensor KgatPropagation::shares(const torch::Tensor& x) const {
  const at::AutoGradMode mode(at::GradMode::is_enabled() && options_.attention_gradient);
  const auto of_heads =
      scorer_->in_spaces(sums_of_neighbours(hearing_, x), num_hearing_);  // [Q, K]
  const auto of_tails =
      scorer_->in_spaces(sums_of_neighbours(sending_, x), num_sending_);                 // [S, K]
  const auto of_relations = rows_of_types(scorer_->relation_vectors(), hearing_types_);  // [Q, K]
  const auto asked = at::tanh(of_heads + of_relations).index_select(0, hearing_rows_);   // [Q, K]
  return edge_softmax(lists_, edge_products(pairs_, asked.unsqueeze(1),
                                            of_tails.unsqueeze(1)));  // [E, 1]
}

torch::Tensor KgatPropagation::layer(int64_t k, const torch::Tensor& x, const torch::Tensor& shares,
                                     const torch::Tensor& rows) {
  auto lists = lists_;
  auto weights = shares;  // [E, 1]
  if (rows.defined()) {
    const auto some = lists_of_rows(lists_, rows);
    lists = some.lists;
    weights = shares.index_select(0, some.edges);  // [E', 1]
  }
  const auto own = rows_or_all(x, rows);                                 // [R, D]
  const auto heard = weighted_neighbours(lists, weights, x).flatten(1);  // [R, D]
  auto& sum = *sums_[k]->as<torch::nn::Linear>();
  auto& product = *products_[k]->as<torch::nn::Linear>();
  const auto mixed = at::leaky_relu(sum.forward(own + heard), kSlopeBelowZero) +
                     at::leaky_relu(product.forward(own * heard), kSlopeBelowZero);  // [R, D]
  return reckon::dropout(mixed, options_.dropout, is_training());                    // [R, D]
}

Propagated KgatPropagation::forward(const torch::Tensor& users, const torch::Tensor& items,
                                    const torch::Tensor& rows,
                                    const std::optional<GraphView>& view) {
  TORCH_CHECK(!view, "propagation: views of typed edges are not made");
  const auto x = node_vectors(users, items);  // [N, D]
  const auto of_edges = shares(x);            // [E, 1]
  return through_layers(
      x, rows, options_.layers, kSideBySide,
      [&](int64_t k, const torch::Tensor& all, const torch::Tensor& some) {
        return layer(k, all, of_edges, some);
      },
      unit_vectors);
}

}  // namespace reckon
