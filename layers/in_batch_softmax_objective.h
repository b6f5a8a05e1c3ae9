#pragma once

#include "layers/objective.h"

namespace reckon {

/// Cross-entropy of each target among the targets of the whole step, which serve each other as
/// negatives; with `log_q` corrected for their popularity (Yi et al., "Sampling-Bias-Corrected Neural
/// Modeling for Large Corpus Item Recommendations", RecSys 2019).
///
///   sum_p w_p * ( log sum_q exp z(u_p, i_q) - z(u_p, i_p) ),   z = s / temperature - log f
/// f(i) being the share of item i among the training interactions, hence about that among targets.
/// Another position's copy of the own target does not count.
class InBatchSoftmaxObjective : public Objective {
 public:
  struct Options {
    bool log_q = true;
    double temperature = 1.0;
    static void describe(Schema<Options>& schema);
  };

  InBatchSoftmaxObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override { return {.log_frequency = options_.log_q}; }
  Coupling coupling() const override { return Coupling::kBatch; }
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
};

}  // namespace reckon
