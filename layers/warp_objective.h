#pragma once

#include <optional>

#include "layers/objective.h"

namespace reckon {

/// Weighted approximate-rank pairwise loss (Weston, Bengio, Usunier, "WSABIE: Scaling Up To Large
/// Vocabulary Image Annotation", IJCAI 2011): the harder it is to find an item above the target, the
/// higher the target stands already, and the less is asked.
///
///   sum_p w_p * L(rank_p) * max(0, margin - s(u, i) + s(u, j_k)),   L(r) = 1 + 1/2 + ... + 1/r
/// where j_k is the first of the negatives within the margin of the target or above it, found at the
/// k-th draw, and rank_p = floor((I - 1) / k) estimates the target's rank. Nothing is asked when no
/// negative violates the margin; one that is the target itself never does.
class WarpObjective : public Objective {
 public:
  struct Options {
    int64_t negatives = 50;
    ObjectiveNeeds::Sharing sharing = ObjectiveNeeds::Sharing::kPosition;
    double popularity_exponent = 0.0;
    std::optional<bool> exclude_positives;
    double margin = 1.0;
    static void describe(Schema<Options>& schema);
  };

  WarpObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override;
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
};

}  // namespace reckon
