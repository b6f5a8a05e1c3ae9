#include "models/graphsage_propagation.h"

#include "kernels/dropout.h"
#include "layers/initialize.h"
#include "layers/unit_vectors.h"

namespace reckon {

void GraphsagePropagation::Options::describe(Schema<Options>& schema) {
  describe_layers(schema);
  describe_layer_dropout(schema);
  schema.field("combine", &Options::combine)
      .doc("What becomes of the layers: side by side, the last alone, or their mean.");
  describe_fanouts(schema);
  describe_relations(schema);
}

GraphsagePropagation::GraphsagePropagation(const Options& options, const Deps& deps)
    : LayeredPropagation(options.layers, options.combine, options.relations, options.fanouts, deps),
      options_(options) {
  own_ = register_module("own", torch::nn::ModuleList());
  neighbours_ = register_module("neighbours", torch::nn::ModuleList());
  for (int64_t k = 0; k < options.layers; ++k) {
    torch::nn::Linear own(width(), width());
    torch::nn::Linear neighbours(torch::nn::LinearOptions(width(), width()).bias(false));
    xavier_uniform(own);
    xavier_uniform(neighbours);
    own_->push_back(own);
    neighbours_->push_back(neighbours);
  }
}

torch::Tensor GraphsagePropagation::layer(int64_t k, const Neighbourhood& near,
                                          const torch::Tensor& x) {
  auto& own = *own_[k]->as<torch::nn::Linear>();
  auto& neighbours = *neighbours_[k]->as<torch::nn::Linear>();
  auto mixed = own.forward(near.own(x)) + neighbours.forward(near.mean(x));      // [R, D]
  if (k < num_layers() - 1) mixed = at::relu(mixed);                             // [R, D]
  return reckon::dropout(unit_vectors(mixed), options_.dropout, is_training());  // [R, D]
}

}  // namespace reckon
