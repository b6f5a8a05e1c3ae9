#pragma once

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "kernels/neighbours.h"
#include "models/relation_rows.h"
#include "models/typed_propagation.h"

namespace reckon {

/// One layer of HgtPropagation.
class HgtLayerImpl : public torch::nn::Module {
 public:
  HgtLayerImpl(int64_t width, int64_t num_heads, int64_t num_types, int64_t num_relations,
               double dropout);

  /// `sizes` are the nodes of each type in x, `row_sizes` those in `own`, types one after the other;
  /// `lists` say which of the rows of relations each of `own` hears.
  /// Shapes   x [N, D], own [R, D] -> [R, D]
  torch::Tensor forward(const torch::Tensor& x, const std::vector<int64_t>& sizes,
                        const torch::Tensor& own, const std::vector<int64_t>& row_sizes,
                        const RelationRows& relations, const NeighbourLists& lists);

 private:
  // What each relation makes of what its senders give.   Shapes   x [N, D], maps [relations, H, F, F]
  // -> [S, H, F]
  torch::Tensor sent(const torch::Tensor& x, const torch::Tensor& maps,
                     const RelationRows& relations) const;

  int64_t num_heads_;
  double dropout_;
  torch::nn::ModuleList keys_{nullptr};      // of each type of nodes, no bias
  torch::nn::ModuleList queries_{nullptr};   // of each type of nodes
  torch::nn::ModuleList messages_{nullptr};  // of each type of nodes
  torch::nn::ModuleList outputs_{nullptr};   // of each type of nodes
  torch::Tensor key_maps_;                   // [relations, H, F, F]
  torch::Tensor message_maps_;               // [relations, H, F, F]
  torch::Tensor priors_;                     // [relations, H]
  torch::Tensor gates_;                      // [types]
};
TORCH_MODULE(HgtLayer);

/// Heterogeneous graph transformer (Hu, Dong, Wang, Sun, "Heterogeneous Graph Transformer", WWW 2020), each
/// relation and direction with attention and messages of its own, each type of nodes with projections. For
/// node i of type t, its neighbours j of type s along relation r, and each head of width F = D / heads:
///
///   score_ij  = <E[j] K_s A_r, E[i] Q_t> * prior_r / sqrt(F),   shares over all neighbours of all relations
///   heard_i   = || over heads of sum_j softmax_j(score_ij) (E[j] M_s) B_r
///   E'[i]     = g_t * (gelu(heard_i) O_t) + (1 - g_t) * E[i],   g_t = sigmoid(gate_t)
///
/// Q, M and O have biases; one in K would move the scores of a node and relation alike. A prior is one number
/// for each relation and head. Relative times and weights of edges are not read. A layer takes
/// E * H numbers, and a key and a message for each sender of each relation. Whom the graph has never seen has
/// no vector to attend with, so that new users are not served.
class HgtPropagation : public TypedPropagation {
 public:
  struct Options {
    int64_t layers = 2;
    int64_t num_heads = 4;
    double dropout = 0.1;
    Combine combine = Combine::kLast;
    std::vector<std::string> relations;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   std::invalid_argument with a sentence when heads do not divide the width, or `relations`
  ///          names one that the graph has not.
  HgtPropagation(const Options& options, const Deps& deps);

 protected:
  void move_graph(const torch::Device& device) override;

 private:
  torch::Tensor layer(int64_t k, const torch::Tensor& x, const torch::Tensor& rows) override;

  std::vector<int64_t> sizes_;  // nodes of each type
  RelationRows relations_;
  torch::nn::ModuleList layers_{nullptr};
};

}  // namespace reckon
