#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include "kernels/neighbours.h"
#include "models/typed_edges.h"
#include "models/typed_propagation.h"

namespace reckon {

/// Relational graph convolutions (Schlichtkrull, Kipf, Bloem, van den Berg, Titov, Welling, "Modeling
/// Relational Data with Graph Convolutional Networks", ESWC 2018), each relation and direction with a
/// matrix of its own, which is a mixture of B common ones:
///
///   E_k[i] = relu(E_(k-1)[i] W_self + sum_r mean over j in N_r(i) of E_(k-1)[j] W_r),
///   W_r = sum_b coefficients[r, b] V_b,                                no relu in the last layer
///
/// Means are those by the weights of edges. They are mixed before they are multiplied, so that neither
/// time nor memory grows with the number of relations: B sums of width D for each node, and E * B numbers.
/// A new user has no vector for the self connection and no place in layers between, so that new users are
/// not served.
class RGcnPropagation : public TypedPropagation {
 public:
  struct Options {
    int64_t layers = 2;
    int64_t bases = 2;
    double dropout = 0.1;
    Combine combine = Combine::kLast;
    std::vector<std::string> relations;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   std::invalid_argument with a sentence when `relations` names one that the graph has not.
  RGcnPropagation(const Options& options, const Deps& deps);

 protected:
  void move_graph(const torch::Device& device) override;

 private:
  torch::Tensor layer(int64_t k, const torch::Tensor& x, const torch::Tensor& rows) override;

  Options options_;
  NeighbourLists lists_;
  torch::Tensor types_;                      // [E] int32
  torch::Tensor means_;                      // [E]
  torch::nn::ModuleList own_{nullptr};       // W_self of each layer, no bias
  torch::nn::ModuleList bases_{nullptr};     // V of each layer, B D -> D, no bias
  std::vector<torch::Tensor> coefficients_;  // of each layer, [relations, B]
};

}  // namespace reckon
