#pragma once

#include "layers/objective.h"

namespace reckon {

/// Cross-entropy over all items.
///
///   sum_p w_p * ( log sum_j exp(s(u, j) / temperature) - s(u, i) / temperature )
/// Inner-product scorers take the fused kernel, others score chunks of positions, so that [P, I] is
/// never held.
class SoftmaxObjective : public Objective {
 public:
  struct Options {
    double temperature = 1.0;
    static void describe(Schema<Options>& schema);
  };

  SoftmaxObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override { return {.all_items = true}; }
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
};

}  // namespace reckon
