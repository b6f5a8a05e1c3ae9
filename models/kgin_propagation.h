#pragma once

#include <string>
#include <vector>

#include "kernels/neighbours.h"
#include "models/typed_propagation.h"

namespace reckon {

/// Intents behind interactions (Wang, Huang, Wang, Yuan, Liu, He, Chua, "Learning Intents behind Interactions
/// with Knowledge Graph for Recommendation", WWW 2021). A user takes items for one of K intents, each a mixture
/// of the relations r that the data knows of items; items hear along these, each vector seen by its relation:
///
///   e_p    = sum_r softmax_r(mixture[p, r]) e_r
///   E_k[u] = (sum_p softmax_p(<e_p, E_(k-1)[u]>) e_p) * mean over u's items i of E_(k-1)[i]
///   E_k[i] = mean over all (r, v) that i hears of e_r * E_(k-1)[v]
///   out    = E_0 + E_1 + .. + E_L
///
/// Relations are those of triples and of attributes of items, each direction that the graph holds one of its own.
/// Interactions reach users alone: items hear no user. With `normalize` each E_k above 0 is scaled to length one,
/// as the authors' programs do; without, it is the formula of the paper. `edge_dropout` leaves edges out in
/// training and scales the others up. Means are those by the weights of interactions.
///
/// A layer takes E numbers, and a vector for each node and relation that it hears along. A new user has no
/// vector to tell intents by, so that new users are not served.
class KginPropagation : public TypedPropagation {
 public:
  struct Options {
    int64_t layers = 3;
    int64_t intents = 4;
    double dropout = 0.1;
    double edge_dropout = 0.5;
    bool normalize = true;
    std::vector<std::string> relations;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   std::invalid_argument with a sentence when `relations` names one that the graph has not, or
  ///          the graph has none of items.
  KginPropagation(const Options& options, const Deps& deps);

  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>& view) override;
  torch::Tensor intents() const override;

 protected:
  void move_graph(const torch::Device& device) override;

 private:
  torch::Tensor layer(int64_t k, const torch::Tensor& x, const torch::Tensor& rows) override;

  Options options_;
  NeighbourLists tastes_;      // the items of each user; others hear nobody
  torch::Tensor taste_means_;  // [E_u, 1]
  NeighbourLists facts_;       // whom a pair of node and relation hears
  torch::Tensor fact_means_;   // [E_k, 1], one over the number of facts of the node
  torch::Tensor pair_types_;   // [Q] int32
  NeighbourLists pairs_;       // the pairs of each node
  torch::Tensor relations_;    // [relations, D]
  torch::Tensor mixture_;      // [K, relations]
};

}  // namespace reckon
