#include "layers/mlp.h"

#include <torch/nn/modules/linear.h>

#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

void MlpImpl::Options::describe(Schema<Options>& schema) { describe_mlp(schema); }

MlpImpl::MlpImpl(const Options& options, int64_t input_width) : options_(options) {
  TORCH_CHECK(!options.hidden_units.empty(), "Mlp: expected at least one hidden layer");
  layers_ = register_module("layers", torch::nn::ModuleList());
  for (const auto units : options.hidden_units) {
    torch::nn::Linear linear(input_width, units);
    xavier_uniform(linear);
    layers_->push_back(linear);
    input_width = units;
  }
}

torch::Tensor MlpImpl::forward(const torch::Tensor& x) {
  auto h = x;  // [..., input_width]
  for (const auto& layer : *layers_) {
    h = activate(layer->as<torch::nn::Linear>()->forward(h), options_.activation);  // [..., units]
    h = reckon::dropout(h, options_.dropout, is_training());                        // [..., units]
  }
  return h;
}

}  // namespace reckon
