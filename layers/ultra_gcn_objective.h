#pragma once

#include <optional>

#include "layers/objective.h"

namespace reckon {

/// What infinitely many layers of LightGCN come to, as a loss without a graph (Mao, Zhu, Xiao, Lu, Wang, He,
/// "UltraGCN: Ultra Simplification of Graph Convolutional Networks for Recommendation", CIKM 2021):
///
///   sum_p (own + graph * beta(u, i)) softplus(-s(u, i))
///       + negative_weight * mean_n (negative_own + negative_graph * beta(u, j_n)) softplus(s(u, j_n))
///       + item_weight * sum_k w(i, k) softplus(-s(u, k)),
///   beta(u, i) = 1 / d_u * sqrt((d_u + 1) / (d_i + 1))
///
/// where k are the items closest to i (ItemNeighbours) and d counts distinct partners in training.
class UltraGcnObjective : public Objective {
 public:
  struct Options {
    int64_t negatives = 300;
    ObjectiveNeeds::Sharing sharing = ObjectiveNeeds::Sharing::kPosition;
    double popularity_exponent = 0.0;
    std::optional<bool> exclude_positives;
    double own = 1e-6;
    double graph = 1.0;
    double negative_own = 1e-6;
    double negative_graph = 1.0;
    double negative_weight = 300.0;
    double item_weight = 5e-4;
    int64_t neighbours = 10;
    static void describe(Schema<Options>& schema);
  };

  UltraGcnObjective(const Options& options, const Deps& deps);
  ObjectiveNeeds needs() const override;
  LossParts forward(const ObjectiveInput& input) override;

 private:
  // own + graph * beta(u, i).   Shapes   of_users [P] or [P, 1], items [...] -> [...]
  torch::Tensor weights_of(const torch::Tensor& of_users, const torch::Tensor& items, double own,
                           double graph) const;

  Options options_;
  torch::Tensor of_users_;           // [U] sqrt(d_u + 1) / d_u, a buffer
  torch::Tensor of_items_;           // [I] 1 / sqrt(d_i + 1), a buffer
  torch::Tensor neighbours_;         // [I, K] int64, a buffer
  torch::Tensor neighbour_weights_;  // [I, K], a buffer
};

}  // namespace reckon
