#pragma once

#include <optional>

#include "layers/objective.h"

namespace reckon {

/// Bayesian personalised ranking (Rendle et al., UAI 2009): each target above each negative.
///
///   sum_p w_p * ( mean_n -log sigmoid(s(u, i) - s(u, j_n))
///                 + l2 / 2 * (|u|^2 + |i|^2 + mean_n |j_n|^2) )
///
/// The lengths are those of the trained vectors: what a propagation makes of them is not punished.
class BprObjective : public Objective {
 public:
  struct Options {
    int64_t negatives = 1;
    ObjectiveNeeds::Sharing sharing = ObjectiveNeeds::Sharing::kPosition;
    double popularity_exponent = 0.0;
    std::optional<bool> exclude_positives;
    double l2 = 0.0;
    static void describe(Schema<Options>& schema);
  };

  BprObjective(const Options& options, const Deps&) : options_(options) {}
  const Options& options() const { return options_; }
  ObjectiveNeeds needs() const override;
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
};

}  // namespace reckon
