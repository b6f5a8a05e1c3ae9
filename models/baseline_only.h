#pragma once

#include "models/baseline_estimates.h"
#include "models/rating_model.h"

namespace reckon {

/// Predicts the mean rating, corrected for how the user and the item differ from it.
///
/// r(u, i) = mean + b_u + b_i (Koren, "Factor in the Neighbors", ACM TKDD 2010), b = 0 for the
/// unknown.
class BaselineOnly : public FittedRatingModel {
 public:
  struct Options {
    RatingScale scale;
    BaselineOptions baseline;
    static void describe(Schema<Options>& schema);
  };

  BaselineOnly(const Options& options, const Deps& deps);

  int64_t num_rounds() const override { return options_.baseline.epochs; }
  double fit(const Interactions& train, const Context& context) override;

  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;

 private:
  Options options_;
  torch::Tensor user_bias_;  // [U]
  torch::Tensor item_bias_;  // [I]
};

}  // namespace reckon
