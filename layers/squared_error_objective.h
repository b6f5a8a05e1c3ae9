#pragma once

#include "layers/objective.h"

namespace reckon {

/// Squared error of ratings with regularised vectors (Koren, Bell, Volinsky, IEEE Computer 2009).
///
///   sum_(u, i) w * ( (r_ui - s(u, i))^2 + l2 * (|p_u|^2 + |q_i|^2) )
/// The regulariser is paid for each observed rating, so a row weighs as often as it is rated.
class SquaredErrorObjective : public Objective {
 public:
  struct Options {
    double l2 = 0.0;
    static void describe(Schema<Options>& schema);
  };

  SquaredErrorObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override { return {.labels = true, .origins = options_.l2 > 0.0}; }
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
};

}  // namespace reckon
