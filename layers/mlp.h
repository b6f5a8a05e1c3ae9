#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "core/schema.h"
#include "layers/activation.h"

namespace reckon {

/// Declares the keys hidden_units, activation and dropout of an Options struct that has them.
template <class Options>
void describe_mlp(Schema<Options>& schema) {
  schema.field("hidden_units", &Options::hidden_units)
      .non_empty()
      .positive()
      .doc("Widths of the hidden layers.");
  schema.field("activation", &Options::activation).doc("Nonlinearity of the hidden layers.");
  schema.field("dropout", &Options::dropout)
      .must_be_in(0.0, 0.99)
      .doc("Drop probability behind each hidden layer.");
}

/// A tower of (linear, activation, dropout), one for each entry of `hidden_units`.
///
/// Shapes   x [..., input_width] -> [..., hidden_units.back()]
/// Throws   c10::Error when x's last dimension is not input_width.
class MlpImpl : public torch::nn::Module {
 public:
  struct Options {
    std::vector<int64_t> hidden_units = {64};
    Activation activation = Activation::kRelu;
    double dropout = 0.0;
    static void describe(Schema<Options>& schema);
  };

  MlpImpl(const Options& options, int64_t input_width);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Options options_;
  torch::nn::ModuleList layers_;
};
TORCH_MODULE(Mlp);

}  // namespace reckon
