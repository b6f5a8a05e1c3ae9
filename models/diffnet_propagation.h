#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include "layers/activation.h"
#include "models/social_propagation.h"

namespace reckon {

/// Influence that spreads among friends (Wu, Sun, Fu, Hong, Wang, Wang, "A Neural Influence Diffusion Model
/// for Social Recommendation", SIGIR 2019):
///
///   h_k[u] = s([mean over friends f of u of h_(k-1)[f], h_(k-1)[u]] W_k + b_k),   h_0 the users' vectors
///   out[u] = h_K[u] + mean over items i of u in training of v[i],                  out[i] = v[i]
///
/// The paper fuses ids with features before; here representations of users and items do, which add them
/// up. Its authors' program leaves out W, b, s and the own vector; this is the paper's formula. A user
/// without friends hears itself. Means are those by the weights of edges.
///
/// A new user is the mean of the items of the history: who has no vector and no friends spreads nothing.
class DiffnetPropagation : public SocialPropagation {
 public:
  struct Options {
    int64_t layers = 2;
    Activation activation = Activation::kRelu;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   std::invalid_argument with a sentence when the graph has no friends.
  DiffnetPropagation(const Options& options, const Deps& deps);

  bool serves_new_users() const override { return true; }
  torch::Tensor messages(const torch::Tensor& users, const torch::Tensor& items) override;
  double message_exponent() const override { return -1.0; }
  bool is_sum_of_messages() const override { return true; }
  UserEdges user_edges() const override;

 protected:
  std::pair<torch::Tensor, torch::Tensor> mixed(const torch::Tensor& users,
                                                const torch::Tensor& items) override;
  void move_graph(const torch::Device& device) override;

 private:
  Options options_;
  NeighbourMeans friends_, history_;       // users by users, users by items
  torch::nn::ModuleList layers_{nullptr};  // W, b of each layer, 2D -> D
};

}  // namespace reckon
