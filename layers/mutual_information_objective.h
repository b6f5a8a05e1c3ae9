#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include "layers/objective.h"

namespace reckon {

/// Hierarchical mutual information of users, of whom they hear, and of all together, in each channel of a
/// propagation (Yu, Yin, Li, Wang, Hung, Zhang, "Self-Supervised Multi-Channel Hypergraph Convolutional
/// Network for Social Recommendation", WWW 2021):
///
///   P * sum_c mean_u ( -log sigmoid(<p_u, z_u> - <p_u, y_u>) - log sigmoid(<z_u, h> - <y_u, h>) ),
///   p = x * sigmoid(x W_c + b_c),   z = the channel's means of p,   h = mean_u z_u,
///   y = z with its rows and its columns in a random order
///
/// for P targets and the vectors x of all users, so that the mean over targets holds it once. The paper
/// adds up users where this takes their mean.
class MutualInformationObjective : public Objective {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };

  MutualInformationObjective(const Options&, const Deps& deps);
  ObjectiveNeeds needs() const override { return {.channels = true}; }
  Coupling coupling() const override { return Coupling::kBatch; }
  LossParts forward(const ObjectiveInput& input) override;

 private:
  torch::nn::ModuleList gates_{nullptr};  // W, b of each channel
};

}  // namespace reckon
