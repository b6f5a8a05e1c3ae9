#pragma once

#include <optional>

#include "layers/objective.h"

namespace reckon {

/// Cosine contrastive loss (Mao, Zhu, Wang, Dai, Dong, Xiao, He, "SimpleX: A Simple and Strong Baseline
/// for Collaborative Filtering", CIKM 2021): targets near, negatives no nearer than the margin.
///
///   sum_p w_p * ( max(0, 1 - s(u, i)) + negative_weight * mean_n max(0, s(u, j_n) - margin)
///                 + l2 / 2 * (|u|^2 + |i|^2 + mean_n |j_n|^2) )
/// The scores are meant to be cosines (`scorer: {type: dot, normalize: true}`), for which the first
/// term is the paper's 1 - s; of scores above 1 it asks no more. A negative that is the target itself
/// counts as one inside the margin.
class CosineContrastiveObjective : public Objective {
 public:
  struct Options {
    int64_t negatives = 1000;
    ObjectiveNeeds::Sharing sharing = ObjectiveNeeds::Sharing::kStep;
    double popularity_exponent = 0.0;
    std::optional<bool> exclude_positives;
    double margin = 0.8;
    double negative_weight = 1.0;
    double l2 = 0.0;
    static void describe(Schema<Options>& schema);
  };

  CosineContrastiveObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override;
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
};

}  // namespace reckon
