#include "models/hgt_propagation.h"

#include <cmath>
#include <stdexcept>

#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

namespace {

// A linear layer for each type of nodes.
torch::nn::ModuleList linears(int64_t num_types, int64_t width, bool has_bias) {
  torch::nn::ModuleList list;
  for (int64_t t = 0; t < num_types; ++t) list->push_back(xavier_linear(width, width, has_bias));
  return list;
}

// Each type's rows through the layer of its own.   Shapes   x [N, D] -> [N, D]
torch::Tensor by_type(const torch::nn::ModuleList& linears, const torch::Tensor& x,
                      const std::vector<int64_t>& sizes) {
  std::vector<torch::Tensor> parts;
  int64_t first = 0;
  for (size_t t = 0; t < sizes.size(); ++t) {
    auto& linear = *linears->ptr(t)->as<torch::nn::Linear>();
    parts.push_back(linear.forward(x.narrow(0, first, sizes[t])));  // [N_t, D]
    first += sizes[t];
  }
  return at::cat(parts);  // [N, D]
}

torch::Tensor draw_maps(int64_t num_relations, int64_t num_heads, int64_t head_width) {
  const double bound = std::sqrt(3.0 / static_cast<double>(head_width));
  return torch::empty({num_relations, num_heads, head_width, head_width})
      .uniform_(-bound, bound);  // [relations, H, F, F]
}

}  // namespace

HgtLayerImpl::HgtLayerImpl(int64_t width, int64_t num_heads, int64_t num_types,
                           int64_t num_relations, double dropout)
    : num_heads_(num_heads), dropout_(dropout) {
  keys_ = register_module("keys", linears(num_types, width, false));
  queries_ = register_module("queries", linears(num_types, width, true));
  messages_ = register_module("messages", linears(num_types, width, true));
  outputs_ = register_module("outputs", linears(num_types, width, true));
  const int64_t head_width = width / num_heads;
  key_maps_ = register_parameter("key_maps", draw_maps(num_relations, num_heads, head_width));
  message_maps_ =
      register_parameter("message_maps", draw_maps(num_relations, num_heads, head_width));
  priors_ = register_parameter("priors", torch::ones({num_relations, num_heads}));
  gates_ = register_parameter("gates", torch::ones({num_types}));
}

torch::Tensor HgtLayerImpl::sent(const torch::Tensor& x, const torch::Tensor& maps,
                                 const RelationRows& relations) const {
  const auto rows = sums_of_neighbours(relations.nodes, x);  // [S, D]
  std::vector<torch::Tensor> parts;
  int64_t first = 0;
  for (size_t r = 0; r < relations.counts.size(); ++r) {
    const auto of_relation = rows.narrow(0, first, relations.counts[r])
                                 .unflatten(1, {num_heads_, -1})
                                 .transpose(0, 1);  // [H, S_r, F]
    parts.push_back(at::bmm(of_relation, maps.select(0, static_cast<int64_t>(r)))
                        .transpose(0, 1));  // [S_r, H, F]
    first += relations.counts[r];
  }
  return at::cat(parts);  // [S, H, F]
}

torch::Tensor HgtLayerImpl::forward(const torch::Tensor& x, const std::vector<int64_t>& sizes,
                                    const torch::Tensor& own, const std::vector<int64_t>& row_sizes,
                                    const RelationRows& relations, const NeighbourLists& lists) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(key_maps_.size(-1)));
  const auto key_maps = key_maps_ * (priors_ * scale).unsqueeze(-1).unsqueeze(-1);  // [., H, F, F]
  const auto keys = sent(by_type(keys_, x, sizes), key_maps, relations);            // [S, H, F]
  const auto messages = sent(by_type(messages_, x, sizes), message_maps_, relations);  // [S, H, F]
  const auto queries =
      by_type(queries_, own, row_sizes).unflatten(1, {num_heads_, -1});          // [R, H, F]
  const auto shares = edge_softmax(lists, edge_products(lists, queries, keys));  // [E, H]
  const auto heard = weighted_neighbours(lists, shares, messages).flatten(1);    // [R, D]
  const auto made = reckon::dropout(by_type(outputs_, at::gelu(heard), row_sizes), dropout_,
                                    is_training());  // [R, D]
  std::vector<torch::Tensor> gates;
  for (size_t t = 0; t < row_sizes.size(); ++t)
    gates.push_back(gates_.narrow(0, static_cast<int64_t>(t), 1).expand({row_sizes[t]}));
  const auto gate = at::sigmoid(at::cat(gates)).unsqueeze(1);  // [R, 1]
  return gate * made + (1 - gate) * own;                       // [R, D]
}

void HgtPropagation::Options::describe(Schema<Options>& schema) {
  describe_layers(schema);
  schema.field("num_heads", &Options::num_heads)
      .must_be_in(1, 64)
      .doc("Attention heads; they divide the width.");
  schema.field("dropout", &Options::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Drop probability of what each layer adds in training.");
  schema.field("combine", &Options::combine)
      .doc("What becomes of the layers: side by side, the last alone, or their mean.");
  describe_relations(schema);
}

HgtPropagation::HgtPropagation(const Options& options, const Deps& deps)
    : TypedPropagation(options.layers, options.combine, deps) {
  if (width() % options.num_heads != 0)
    throw std::invalid_argument("num_heads " + std::to_string(options.num_heads) +
                                " does not divide the width " + std::to_string(width()));
  if (deps.graph == nullptr)
    sizes_ = {deps.num_users, deps.num_items};
  else
    for (const auto& type : deps.graph->node_types) sizes_.push_back(type.nodes.count);
  const auto edges = typed_edges(deps, options.relations);
  relations_ = relation_rows(edges);
  layers_ = register_module("layers", torch::nn::ModuleList());
  for (int64_t k = 0; k < options.layers; ++k)
    layers_->push_back(HgtLayer(width(), options.num_heads, static_cast<int64_t>(sizes_.size()),
                                edges.num_relations(), options.dropout));
}

void HgtPropagation::move_graph(const torch::Device& device) { relations_ = relations_.to(device); }

torch::Tensor HgtPropagation::layer(int64_t k, const torch::Tensor& x, const torch::Tensor& rows) {
  auto& made_by = *layers_[k]->as<HgtLayer>();
  if (!rows.defined()) return made_by.forward(x, sizes_, x, sizes_, relations_, relations_.heard);
  // In the order of nodes rows of one type stand together.
  const auto [sorted, order] = rows.sort();  // [R], [R]
  std::vector<int64_t> ends;
  int64_t end = 0;
  for (const auto size : sizes_) ends.push_back(end += size);
  const auto places = at::searchsorted(sorted, torch::tensor(ends, sorted.options()));  // [types]
  std::vector<int64_t> row_sizes;
  int64_t before = 0;
  for (size_t t = 0; t < sizes_.size(); ++t) {
    const auto place = places[static_cast<int64_t>(t)].item<int64_t>();
    row_sizes.push_back(place - before);
    before = place;
  }
  const auto out = made_by.forward(x, sizes_, x.index_select(0, sorted), row_sizes, relations_,
                                   lists_of_rows(relations_.heard, sorted).lists);  // [R, D]
  return torch::equal(sorted, rows) ? out : out.index_select(0, order.argsort());   // [R, D]
}

}  // namespace reckon
