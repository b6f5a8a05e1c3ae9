#pragma once

#include "models/rating_model.h"

namespace reckon {

/// Biased matrix factorisation of ratings by stochastic gradient descent, as the Netflix prize knew
/// it.
///
/// r(u, i) = mean + b_u + b_i + <p_u, q_i> (Koren, Bell, Volinsky, "Matrix Factorization Techniques
/// for Recommender Systems", IEEE Computer 2009); without `biased` <p_u, q_i> alone, which is
/// probabilistic matrix factorisation (Salakhutdinov, Mnih, NIPS 2007). A round is an epoch, user
/// by user, the ratings of each in a random order, see kernels/rating_sgd.h. Vectors and biases of
/// the unknown are zero.
class Svd : public FittedRatingModel {
 public:
  struct Options {
    RatingScale scale;
    int64_t dim = 100;
    int64_t epochs = 20;
    bool biased = true;
    double lr = 0.005;
    double l2 = 0.02;
    double init_mean = 0.0;
    double init_scale = 0.1;
    static void describe(Schema<Options>& schema);
  };

  Svd(const Options& options, const Deps& deps);

  int64_t num_rounds() const override { return options_.epochs; }
  double fit(const Interactions& train, const Context& context) override;

  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;
  std::optional<torch::Tensor> item_vectors() override { return items_; }  // [I, D]
  std::optional<torch::Tensor> user_vectors() override { return users_; }  // [U, D]

 private:
  torch::Tensor with_biases(const torch::Tensor& products, const State& state,
                            const torch::Tensor& item_bias) const;

  Options options_;
  torch::Tensor users_, items_;          // [U, D], [I, D]
  torch::Tensor user_bias_, item_bias_;  // [U], [I]
};

}  // namespace reckon
