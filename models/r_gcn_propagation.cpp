#include "models/r_gcn_propagation.h"

#include <cmath>

#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

void RGcnPropagation::Options::describe(Schema<Options>& schema) {
  describe_layers(schema);
  schema.field("bases", &Options::bases)
      .must_be_in(1, 64)
      .doc("Matrices of which those of relations are mixtures.");
  describe_layer_dropout(schema);
  schema.field("combine", &Options::combine)
      .doc("What becomes of the layers: side by side, the last alone, or their mean.");
  describe_relations(schema);
}

RGcnPropagation::RGcnPropagation(const Options& options, const Deps& deps)
    : TypedPropagation(options.layers, options.combine, deps), options_(options) {
  const auto edges = typed_edges(deps, options.relations);
  lists_ = neighbour_lists(edges.offsets, edges.senders, edges.num_nodes());
  types_ = edges.types;
  means_ = edges.means;
  own_ = register_module("own", torch::nn::ModuleList());
  bases_ = register_module("bases", torch::nn::ModuleList());
  for (int64_t k = 0; k < options.layers; ++k) {
    torch::nn::Linear own(torch::nn::LinearOptions(width(), width()).bias(false));
    torch::nn::Linear bases(torch::nn::LinearOptions(options.bases * width(), width()).bias(false));
    xavier_uniform(own);
    // As B matrices from D to D, each by Xavier's rule.
    const torch::NoGradGuard no_grad;
    const double bound = std::sqrt(3.0 / static_cast<double>(width()));
    bases->weight.uniform_(-bound, bound);
    own_->push_back(own);
    bases_->push_back(bases);
    coefficients_.push_back(
        register_parameter("coefficients_" + std::to_string(k),
                           xavier_table(edges.num_relations(), options.bases)));  // [relations, B]
  }
}

void RGcnPropagation::move_graph(const torch::Device& device) {
  lists_ = lists_.to(device);
  types_ = types_.to(device);
  means_ = means_.to(device);
}

torch::Tensor RGcnPropagation::layer(int64_t k, const torch::Tensor& x, const torch::Tensor& rows) {
  auto lists = lists_;
  auto types = types_, means = means_;  // [E], [E]
  if (rows.defined()) {
    const auto some = lists_of_rows(lists_, rows);
    lists = some.lists;
    types = types_.index_select(0, some.edges);  // [E']
    means = means_.index_select(0, some.edges);  // [E']
  }
  const auto weights =
      rows_of_types(coefficients_[k], types) * means.to(x.scalar_type()).unsqueeze(1);  // [E, B]
  const auto sums = weighted_neighbours(lists, weights, x).flatten(1);                  // [R, B D]
  auto& own = *own_[k]->as<torch::nn::Linear>();
  auto& bases = *bases_[k]->as<torch::nn::Linear>();
  auto mixed = own.forward(rows_or_all(x, rows)) + bases.forward(sums);  // [R, D]
  if (k < num_layers() - 1) mixed = at::relu(mixed);                     // [R, D]
  return reckon::dropout(mixed, options_.dropout, is_training());        // [R, D]
}

}  // namespace reckon
