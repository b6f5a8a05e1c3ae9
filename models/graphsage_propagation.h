#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include "models/layered_propagation.h"

namespace reckon {

/// GraphSAGE with the mean of neighbours (Hamilton, Ying, Leskovec, "Inductive Representation Learning on
/// Large Graphs", NeurIPS 2017), over whole neighbourhoods or, in training, over drawn ones:
///
///   E_k = unit(relu(E_(k-1) W_own + b + mean_neighbours(E_(k-1)) W_neighbours)), no relu in the last one
class GraphsagePropagation : public LayeredPropagation {
 public:
  struct Options {
    int64_t layers = 2;
    double dropout = 0.0;
    Combine combine = Combine::kLast;
    std::vector<int64_t> fanouts;
    std::vector<std::string> relations;
    static void describe(Schema<Options>& schema);
  };

  GraphsagePropagation(const Options& options, const Deps& deps);

 private:
  torch::Tensor layer(int64_t k, const Neighbourhood& near, const torch::Tensor& x) override;

  Options options_;
  torch::nn::ModuleList own_{nullptr};         // with the bias
  torch::nn::ModuleList neighbours_{nullptr};  // without
};

}  // namespace reckon
