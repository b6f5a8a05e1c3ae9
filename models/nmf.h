#pragma once

#include "models/rating_model.h"

namespace reckon {

/// Non-negative matrix factorisation of ratings by multiplicative steps over the observed ones.
///
/// r(u, i) = <p_u, q_i> with p, q >= 0. A round moves both sides at once, from the values before
/// it:
///   p_uf *= sum_i q_if r_ui / (sum_i q_if <p_u, q_i> + n_u l2 p_uf), and q likewise
/// (Luo, Zhou, Xia, Zhu, "An Efficient Non-Negative Matrix-Factorization-Based Approach to
/// Collaborative Filtering for Recommender Systems", IEEE Trans. Industrial Informatics 2014). The
/// unknown have the means of RatingMeans.
class Nmf : public FittedRatingModel {
 public:
  struct Options {
    RatingScale scale;
    int64_t dim = 15;
    int64_t epochs = 50;
    double user_l2 = 0.06;
    double item_l2 = 0.06;
    double init_low = 0.0;
    double init_high = 1.0;
    static void describe(Schema<Options>& schema);
  };

  Nmf(const Options& options, const Deps& deps);

  int64_t num_rounds() const override { return options_.epochs; }
  double fit(const Interactions& train, const Context& context) override;

  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;
  std::optional<torch::Tensor> item_vectors() override { return items_; }  // [I, D]
  std::optional<torch::Tensor> user_vectors() override { return users_; }  // [U, D]

 private:
  Options options_;
  torch::Tensor users_, items_;  // [U, D], [I, D]
};

}  // namespace reckon
