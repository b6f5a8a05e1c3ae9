#pragma once

#include "models/rating_model.h"

namespace reckon {

/// Predicts by how much more users like one item than another.
///
/// dev(i, j) = mean of r(u, i) - r(u, j) over the n(i, j) users who rated both;
/// r(u, i) = mean_u + mean of dev(i, j) over the items j of u that share a user with i, each with
/// the weight 1, or n(i, j) with `weighted` (Lemire, Maclachlan, "Slope One Predictors for Online
/// Rating-Based Collaborative Filtering", SDM 2005; unweighted as Surprise does it). Where no item
/// shares one, it is mean_u; the unknown have the means of RatingMeans.
/// Memory is two tables of I x I numbers.
class SlopeOne : public FittedRatingModel {
 public:
  struct Options {
    RatingScale scale;
    bool weighted = false;
    static void describe(Schema<Options>& schema);
  };

  SlopeOne(const Options& options, const Deps& deps);

  double fit(const Interactions& train, const Context& context) override;

  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;
  void check_buffers() const override;

 private:
  Options options_;
  torch::Tensor deviations_;  // [I, I]: column i holds weight x dev(i, j) by j
  torch::Tensor weights_;     // [I, I]: the weights
  torch::Tensor no_items_;    // [I], zeros
  torch::Tensor offsets_;     // [U + 1] int64, of rated_
  torch::Tensor rated_;       // [E] int64, the items of each user
};

}  // namespace reckon
