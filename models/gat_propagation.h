#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include "kernels/neighbours.h"
#include "models/layered_propagation.h"

namespace reckon {

/// Graph attention (Velickovic, Cucurull, Casanova, Romero, Lio, Bengio, "Graph Attention Networks", ICLR
/// 2018): a node takes of each neighbour, and of itself, the share that its heads give it. With
/// h_j = E_(k-1)[j] W, cut into heads of width F:
///
///   score_ij = LeakyReLU(<a_receiver, h_i> + <a_sender, h_j>)          for each head
///   E_k[i] = ELU(|| over heads of sum_j softmax_j(score_ij) h_j),       no ELU in the last layer
///
/// Heads stand side by side, F = D / heads; with `average_last` those of the last layer have the whole width
/// and are averaged, as in the paper's classifiers. Weights of edges are not read. Whom the graph has never
/// seen has no vector to attend with, so that new users are not served.
class GatPropagation : public LayeredPropagation {
 public:
  struct Options {
    int64_t layers = 2;
    int64_t num_heads = 4;
    double negative_slope = 0.2;
    bool self_loops = true;
    bool average_last = false;
    double dropout = 0.1;
    double attention_dropout = 0.1;
    Combine combine = Combine::kLast;
    std::vector<int64_t> fanouts;
    std::vector<std::string> relations;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   std::invalid_argument with a sentence when heads do not divide the width, or `relations`
  ///          names one that the graph has not.
  GatPropagation(const Options& options, const Deps& deps);

 protected:
  void move_graph(const torch::Device& device) override;

 private:
  torch::Tensor layer(int64_t k, const Neighbourhood& near, const torch::Tensor& x) override;

  NeighbourLists lists_of(const Neighbourhood& near) const;

  Options options_;
  NeighbourLists lists_;                   // of the graph without views
  torch::nn::ModuleList inputs_{nullptr};  // W of each layer, no bias
  std::vector<torch::Tensor> receivers_;   // a_receiver of each layer, [H, F]
  std::vector<torch::Tensor> senders_;     // a_sender of each layer, [H, F]
};

}  // namespace reckon
