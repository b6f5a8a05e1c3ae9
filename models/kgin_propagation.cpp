#include "models/kgin_propagation.h"

#include <stdexcept>

#include "kernels/dropout.h"
#include "layers/initialize.h"
#include "layers/unit_vectors.h"
#include "models/node_graph.h"
#include "models/relation_rows.h"
#include "models/triples_of.h"

namespace reckon {

namespace {

// What is known of items, and no more of it than `wanted` names.
std::vector<std::string> relations_of_items(const Graph& graph,
                                            const std::vector<std::string>& wanted) {
  const auto& items = graph.node_types[1].nodes;
  std::vector<std::string> names;
  for (const auto* relation : named_relations(graph, wanted))
    if (is_of_items(*relation, items)) names.push_back(relation->name);
  if (names.empty())
    throw std::invalid_argument(
        "intents are mixtures of relations of items, and the graph has none" +
        std::string(wanted.empty() ? "" : " of those named") +
        "; name edges of type triples, or of an attribute of items, in data.graph");
  return names;
}

// Edges of users to items alone.   Shapes   -> lists of N receivers, means [E]
std::pair<NeighbourLists, torch::Tensor> tastes_of(const Propagation::Deps& deps) {
  std::vector<std::string> names;
  if (deps.graph != nullptr) names.push_back(deps.graph->relations.front().name);
  const auto edges = typed_edges(deps, names);
  // Users come first, and so do their edges.
  const auto count = edges.offsets[deps.num_users].item<int64_t>();
  return {neighbour_lists(edges.offsets.clamp_max(count), edges.senders.narrow(0, 0, count),
                          edges.num_nodes()),
          edges.means.narrow(0, 0, count)};
}

// A node that hears nobody has a vector of zeros, of which unit_vectors() makes one with a steep slope: along
// a chain of such nodes slopes multiply.   Shapes   x [R, D] -> [R, D]
torch::Tensor unit_or_zero(const torch::Tensor& x) {
  constexpr double kNothing = 1e-9;
  const auto lengths = norms_of(x);                           // [R, 1]
  return x / lengths.masked_fill(lengths.lt(kNothing), 1.0);  // [R, D]
}

}  // namespace

void KginPropagation::Options::describe(Schema<Options>& schema) {
  describe_layers(schema);
  schema.field("intents", &Options::intents)
      .must_be_in(1, 1024)
      .doc("Mixtures of relations for which users take items.");
  describe_layer_dropout(schema);
  schema.field("edge_dropout", &Options::edge_dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Probability that a layer leaves out an edge in training.");
  schema.field("normalize", &Options::normalize).doc("Scale outputs of layers to length one.");
  describe_relations(schema);
}

KginPropagation::KginPropagation(const Options& options, const Deps& deps)
    : TypedPropagation(options.layers, LayeredPropagation::Combine::kMean, deps),
      options_(options) {
  const auto [tastes, taste_means] = tastes_of(deps);
  tastes_ = tastes;
  taste_means_ = taste_means.unsqueeze(1);  // [E_u, 1]
  const bool has_graph = deps.graph != nullptr;
  const auto edges =
      typed_edges(deps, has_graph ? relations_of_items(*deps.graph, options.relations)
                                  : std::vector<std::string>());
  const auto pairs = hearing_pairs(edges);
  facts_ = neighbour_lists(pairs.offsets, edges.senders, edges.num_nodes());
  pairs_ = neighbour_lists(pairs.first, torch::arange(pairs.num_pairs(), torch::kInt),
                           pairs.num_pairs());
  pair_types_ = pairs.types;
  const auto degrees = edges.offsets.diff();  // [N]
  fact_means_ = torch::repeat_interleave(degrees.to(torch::kFloat).reciprocal(), degrees)
                    .unsqueeze(1);  // [E_k, 1]
  const int64_t num_relations = has_graph ? edges.num_relations() : 0;
  relations_ = register_parameter("relations", xavier_table(num_relations, width()));
  mixture_ = register_parameter("mixture", xavier_table(options.intents, num_relations));
}

void KginPropagation::move_graph(const torch::Device& device) {
  for (auto* lists : {&tastes_, &facts_, &pairs_}) *lists = lists->to(device);
  for (auto* of_edges : {&taste_means_, &fact_means_, &pair_types_})
    *of_edges = of_edges->to(device);
}

torch::Tensor KginPropagation::intents() const {
  return at::matmul(at::softmax(mixture_, 1), relations_);  // [K, D]
}

torch::Tensor KginPropagation::layer(int64_t, const torch::Tensor& x, const torch::Tensor& rows) {
  const auto weights = [&](const torch::Tensor& means) {
    return reckon::dropout(means.to(x.scalar_type()), options_.edge_dropout, is_training());
  };
  // Sums over the neighbours of one relation are seen by it as a whole.
  const auto of_pairs = weighted_neighbours(facts_, weights(fact_means_), x).flatten(1);  // [Q, D]
  const auto seen = of_pairs * rows_of_types(relations_, pair_types_);                    // [Q, D]
  auto tastes = tastes_, pairs = pairs_;
  auto taste_weights = weights(taste_means_);  // [E_u, 1]
  if (rows.defined()) {
    pairs = lists_of_rows(pairs_, rows).lists;
    const auto some = lists_of_rows(tastes_, rows);
    tastes = some.lists;
    taste_weights = taste_weights.index_select(0, some.edges);  // [E_u', 1]
  }
  const auto of_facts = sums_of_neighbours(pairs, seen);                             // [R, D]
  const auto of_items = weighted_neighbours(tastes, taste_weights, x).flatten(1);    // [R, D]
  const auto wanted = intents();                                                     // [K, D]
  const auto shares = at::softmax(at::matmul(rows_or_all(x, rows), wanted.t()), 1);  // [R, K]
  // Only users have items next to them, and only others facts.
  const auto mixed = at::matmul(shares, wanted) * of_items + of_facts;       // [R, D]
  const auto out = reckon::dropout(mixed, options_.dropout, is_training());  // [R, D]
  return options_.normalize ? unit_or_zero(out) : out;                       // [R, D]
}

Propagated KginPropagation::forward(const torch::Tensor& users, const torch::Tensor& items,
                                    const torch::Tensor& rows,
                                    const std::optional<GraphView>& view) {
  auto out = TypedPropagation::forward(users, items, rows, view);
  out.vectors =
      out.vectors * static_cast<double>(options_.layers + 1);  // [R, D]: the sum, not the mean
  return out;
}

}  // namespace reckon
