#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include "models/layered_propagation.h"

namespace reckon {

/// Neural graph collaborative filtering (Wang, He, Wang, Feng, Chua, SIGIR 2019), all layers side by side:
///
///   E_k = dropout(LeakyReLU((A E_(k-1) + E_(k-1)) W1 + b1 + (A E_(k-1) * E_(k-1)) W2 + b2))
///
/// with A the symmetrically normalised adjacency; outputs of layers are scaled to length one.
class NgcfPropagation : public LayeredPropagation {
 public:
  struct Options {
    int64_t layers = 3;
    double dropout = 0.1;
    std::vector<std::string> relations;
    static void describe(Schema<Options>& schema);
  };

  NgcfPropagation(const Options& options, const Deps& deps);

 private:
  torch::Tensor layer(int64_t k, const Neighbourhood& near, const torch::Tensor& x) override;
  torch::Tensor shown(const torch::Tensor& output) const override;

  Options options_;
  torch::nn::ModuleList sums_{nullptr};      // W1, b1 of each layer
  torch::nn::ModuleList products_{nullptr};  // W2, b2 of each layer
};

}  // namespace reckon
