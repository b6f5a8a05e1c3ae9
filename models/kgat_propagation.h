#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/neighbours.h"
#include "layers/transr_scorer.h"
#include "models/layered_propagation.h"
#include "models/node_vectors.h"

namespace reckon {

/// Knowledge graph attention (Wang, He, Cao, Liu, Chua, "KGAT: Knowledge Graph Attention Network for
/// Recommendation", KDD 2019): along each relation and direction, interactions among them, a node hears a
/// neighbour the more the closer it lies in the space of the relation. With e the trained vectors, W_r the
/// matrix and e_r the vector of a relation as TransR has them:
///
///   pi(h, r, t) = (W_r e_t)^T tanh(W_r e_h + e_r),   shares = softmax over all neighbours of all relations
///   heard       = sum over (r, t) of share(h, r, t) E_(k-1)[t]
///   E_k         = dropout(LeakyReLU((E_(k-1) + heard) W1 + b1) + LeakyReLU((E_(k-1) * heard) W2 + b2))
///
/// All layers stand side by side, E_0 as it is and the others scaled to length one; they keep the width. Shares
/// are those of the trained vectors, the same for every layer. They are made anew for each step: the paper's
/// authors do so once an epoch, which would be a state that checkpoints hold. Without `attention_gradient`
/// they are constants of a step, as they are there, so that nothing is kept for the way back: relations are then
/// learnt by the objective `graph_triples` alone, whose facts these relations score (facts()).
///
/// Weights of edges are not read. A forward takes E numbers, and a vector for each node and relation that it
/// hears along, and for each that it sends along. Whom the graph has never seen has no vector to attend with, so
/// that new users are not served.
class KgatPropagation : public NodeVectors {
 public:
  struct Options {
    int64_t layers = 3;
    double dropout = 0.1;
    std::optional<int64_t> relation_dim;
    bool attention_gradient = true;
    std::vector<std::string> relations;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   std::invalid_argument with a sentence when `relations` names one that the graph has not.
  KgatPropagation(const Options& options, const Deps& deps);

  int64_t output_width() const override;
  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>& view) override;
  GraphFacts facts() const override { return {.triples = triples_, .scorer = scorer_}; }

 protected:
  void move_graph(const torch::Device& device) override;

 private:
  // The share of each edge.   Shapes   x [N, D] -> [E, 1]
  torch::Tensor shares(const torch::Tensor& x) const;
  torch::Tensor layer(int64_t k, const torch::Tensor& x, const torch::Tensor& shares,
                      const torch::Tensor& rows);

  Options options_;
  NeighbourLists lists_;         // who hears whom, over all relations
  NeighbourLists pairs_;         // the sending rows that a node hears along a relation
  NeighbourLists hearing_;       // the node of each pair, those of one relation together
  NeighbourLists sending_;       // the node of each row that sends, those of one relation together
  torch::Tensor hearing_types_;  // [Q] int32, relations
  torch::Tensor hearing_rows_;   // [Q] int64, where among these a pair stands
  std::vector<int64_t> num_hearing_;         // by relation
  std::vector<int64_t> num_sending_;         // by relation
  std::shared_ptr<const Triples> triples_;   // null while only sizes are known
  std::shared_ptr<TransrScorer> scorer_;     // W and e of the relations
  torch::nn::ModuleList sums_{nullptr};      // W1, b1 of each layer
  torch::nn::ModuleList products_{nullptr};  // W2, b2 of each layer
};

}  // namespace reckon
