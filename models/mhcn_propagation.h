#pragma once

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <array>
#include <vector>

#include "models/motif_channels.h"
#include "models/social_propagation.h"

namespace reckon {

/// Hypergraphs of users, one for each kind of triangle that they are in, beside the graph of interactions
/// (Yu, Yin, Li, Wang, Hung, Zhang, "Self-Supervised Multi-Channel Hypergraph Convolutional Network for
/// Social Recommendation", WWW 2021):
///
///   P_c,0 = P * sigmoid(P W_c + b_c),   P_c,l = means of P_c,(l-1) along motif_channels()   for 3 channels
///   P_r,0 likewise,                     P_r,l = means of Q_(l-1) over the items of each user
///   Q_0 the items' vectors,             Q_l = means over the users of each item of
///                                             attention(P_1,(l-1) .. P_3,(l-1)) + P_r,(l-1) / 2
///   attention(x_1 .. x_3) = sum_c softmax_c(<a, x_c W>) x_c
///   out[u] = attention(means of P_c over the layers) + mean of P_r / 2,   out[i] = mean of Q
///
/// Its self-supervised part is the objective `mutual_information`, which reads channels(). A user without
/// anybody to hear in a channel has the vector of layer 0 there, and zero in the others. New users have
/// no vector for the gates and are not served.
class MhcnPropagation : public SocialPropagation {
 public:
  struct Options {
    int64_t layers = 2;
    int64_t common_items = 2;
    int64_t max_strangers = 256;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   std::invalid_argument with a sentence when the graph has no friends.
  MhcnPropagation(const Options& options, const Deps& deps);

  std::vector<UserChannel> channels() const override;

 protected:
  std::pair<torch::Tensor, torch::Tensor> mixed(const torch::Tensor& users,
                                                const torch::Tensor& items) override;
  void move_graph(const torch::Device& device) override;

 private:
  static constexpr size_t kChannels = 3;
  // Of each channel [U, D].
  using OfChannels = std::array<torch::Tensor, kChannels>;

  torch::Tensor gated(size_t gate, const torch::Tensor& users);  // [U, D]
  torch::Tensor attended(const OfChannels& vectors);             // [U, D]

  Options options_;
  std::array<NeighbourMeans, kChannels> channels_;  // users by users
  NeighbourMeans history_, audience_;               // users by items, items by users
  torch::nn::ModuleList gates_{nullptr};            // W, b of each channel, then those of P_r
  torch::nn::Linear attention_map_{nullptr};        // W, no bias
  torch::Tensor attention_;                         // [D] a
};

}  // namespace reckon
