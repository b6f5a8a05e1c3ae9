#pragma once

#include "models/baseline_estimates.h"
#include "models/model.h"

namespace reckon {

/// Predicts the mean rating, corrected for how the user and the item differ from it.
///
/// r(u, i) = mean + b_u + b_i (Koren, "Factor in the Neighbors", ACM TKDD 2010), b = 0 for the
/// unknown.
class BaselineOnly : public Model, public Fittable {
 public:
  struct Options {
    RatingScale scale;
    BaselineOptions baseline;
    static void describe(Schema<Options>& schema);
  };

  BaselineOnly(const Options& options, const Deps& deps);

  int64_t num_rounds() const override { return options_.baseline.epochs; }
  double fit(const Interactions& train, const Context& context) override;

  RequestNeeds request_needs() const override { return {.users = true, .max_length = 0}; }
  Contract contract() const override;
  int64_t num_items() const override { return item_bias_.size(0); }
  torch::Tensor known_users(const torch::Tensor& users) override;
  torch::Tensor usable(const Batch& request) override;
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;
  Fittable* fittable() override { return this; }

 private:
  Options options_;
  RatingMeans means_;
  torch::Tensor user_bias_;  // [U]
  torch::Tensor item_bias_;  // [I]
};

}  // namespace reckon
