#include "models/ngcf_propagation.h"

#include "kernels/dropout.h"
#include "layers/initialize.h"
#include "layers/unit_vectors.h"

namespace reckon {

namespace {
constexpr double kNegativeSlope = 0.2;
}  // namespace

void NgcfPropagation::Options::describe(Schema<Options>& schema) {
  describe_layers(schema);
  describe_layer_dropout(schema);
  describe_relations(schema);
}

NgcfPropagation::NgcfPropagation(const Options& options, const Deps& deps)
    : LayeredPropagation(options.layers, Combine::kConcatenate, options.relations, {}, deps),
      options_(options) {
  sums_ = register_module("sums", torch::nn::ModuleList());
  products_ = register_module("products", torch::nn::ModuleList());
  for (int64_t k = 0; k < options.layers; ++k)
    for (auto* list : {&sums_, &products_}) (*list)->push_back(xavier_linear(width(), width()));
}

torch::Tensor NgcfPropagation::layer(int64_t k, const Neighbourhood& near, const torch::Tensor& x) {
  const auto own = near.own(x);                    // [R, D]
  const auto neighbours = near.normalized_sum(x);  // [R, D]
  auto& sum = *sums_[k]->as<torch::nn::Linear>();
  auto& product = *products_[k]->as<torch::nn::Linear>();
  const auto mixed = sum.forward(neighbours + own) + product.forward(neighbours * own);  // [R, D]
  return reckon::dropout(at::leaky_relu(mixed, kNegativeSlope), options_.dropout,
                         is_training());  // [R, D]
}

torch::Tensor NgcfPropagation::shown(const torch::Tensor& output) const {
  return unit_vectors(output);  // [R, D]
}

}  // namespace reckon
