#pragma once

#include "models/rating_model.h"

namespace reckon {

/// Groups users and items at once, and predicts by the mean of the pair of groups.
///
/// r(u, i) = A(g_u, h_i) + (mean_u - A(g_u)) + (mean_i - A(h_i)), where A is the mean rating of a
/// pair of groups, of a group of users, of a group of items (George, Merugu, "A Scalable
/// Collaborative Filtering Framework Based on Co-Clustering", ICDM 2005). A round puts every user,
/// then every item, into the group with the least squared error. Groups begin at random; the
/// unknown have the means of RatingMeans.
class CoClustering : public FittedRatingModel {
 public:
  struct Options {
    RatingScale scale;
    int64_t user_groups = 3;
    int64_t item_groups = 3;
    int64_t epochs = 20;
    static void describe(Schema<Options>& schema);
  };

  CoClustering(const Options& options, const Deps& deps);

  int64_t num_rounds() const override { return options_.epochs; }
  double fit(const Interactions& train, const Context& context) override;

  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;
  void check_buffers() const override;

 private:
  Options options_;
  torch::Tensor user_group_, item_group_;  // [U], [I] int64
  torch::Tensor user_part_, item_part_;    // [U], [I]: how far from the mean of the group
  torch::Tensor pairs_;                    // [user_groups, item_groups]
};

}  // namespace reckon
