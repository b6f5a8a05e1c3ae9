#pragma once

#include "models/rating_model.h"

namespace reckon {

/// Matrix factorisation of ratings that also knows which items a user has rated at all.
///
/// r(u, i) = mean + b_u + b_i + <q_i, p_u + n^(-1/2) sum_j y_j>, j over the n items that u rated
/// (Koren, "Factorization Meets the Neighborhood", KDD 2008). A round is an epoch of stochastic
/// gradient descent, user by user, the ratings of each in a random order, see kernels/rating_sgd.h.
/// Vectors and biases of the unknown are zero.
class SvdPp : public FittedRatingModel {
 public:
  struct Options {
    RatingScale scale;
    int64_t dim = 20;
    int64_t epochs = 20;
    double lr = 0.007;
    double l2 = 0.02;
    double init_mean = 0.0;
    double init_scale = 0.1;
    static void describe(Schema<Options>& schema);
  };

  SvdPp(const Options& options, const Deps& deps);

  int64_t num_rounds() const override { return options_.epochs; }
  double fit(const Interactions& train, const Context& context) override;

  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;
  std::optional<torch::Tensor> item_vectors() override { return items_; }        // [I, D]
  std::optional<torch::Tensor> user_vectors() override { return whole_users_; }  // [U, D]

 private:
  Options options_;
  torch::Tensor users_, items_, implicit_;  // [U, D], [I, D], [I, D]
  torch::Tensor whole_users_;               // [U, D], with what the rated items add
  torch::Tensor user_bias_, item_bias_;     // [U], [I]
};

}  // namespace reckon
