#pragma once

#include "models/model.h"
#include "models/ratings.h"

namespace reckon {

/// The keys of a factorisation of ratings by stochastic gradient descent.
template <class Options>
void describe_factor_sgd(Schema<Options>& schema) {
  schema.field("scale", &Options::scale).doc("The scale of the ratings.");
  schema.field("dim", &Options::dim).at_least(1).doc("Width of the vectors.");
  schema.field("epochs", &Options::epochs).at_least(1).doc("Sweeps over all ratings.");
  schema.field("lr", &Options::lr).positive().doc("The rate of learning.");
  schema.field("l2", &Options::l2)
      .at_least(0)
      .doc("Times the squared vectors and biases, for each rating.");
  schema.field("init_mean", &Options::init_mean).doc("Mean of the normal draws of vectors.");
  schema.field("init_scale", &Options::init_scale).at_least(0).doc("Their standard deviation.");
}

/// What all stand-alone models of ratings have: they read user ids alone and answer everybody, with the
/// means of RatingMeans where they know no better.
class RatingModel : public Model {
 public:
  RequestNeeds request_needs() const override { return {.users = true, .max_length = 0}; }
  Contract contract() const override {
    return {.known_user = true, .fallback = "the ratings of a user without peculiarities"};
  }
  int64_t num_items() const override { return means_->of_items().size(0); }
  torch::Tensor known_users(const torch::Tensor& users) override {
    return means_->known_users(users);  // [B]
  }
  torch::Tensor usable(const Batch& request) override {
    return torch::ones_like(request.at(batch_key::kUsers), torch::kBool);  // [B]
  }

 protected:
  /// Throws   ConfigError that names `model` when the data has no ratings.
  RatingModel(const Deps& deps, const std::string& model);

  int64_t num_users() const { return means_->of_users().size(0); }

  /// `predicted` where both user and item have ratings, else the means: a product with a vector of
  /// zeros is no rating.
  /// Shapes   predicted [B, C], users [B] by known_users(), candidates [B, C] -> [B, C]
  torch::Tensor or_means(const torch::Tensor& predicted, const torch::Tensor& users,
                         const torch::Tensor& candidates) const;
  /// The same of all items.   Shapes   predicted [B, I], users [B] -> [B, I]
  torch::Tensor or_means_of_all(const torch::Tensor& predicted, const torch::Tensor& users) const;

  RatingMeans means_;
};

/// Those that are fitted.
class FittedRatingModel : public RatingModel, public Fittable {
 public:
  Fittable* fittable() override { return this; }

 protected:
  FittedRatingModel(const Deps& deps, const std::string& model) : RatingModel(deps, model) {}

  /// Draws the vectors of those who have ratings, of table after table, by what the options say; all
  /// others are zero.   Shapes   users [U, D] each, items [I, D] each
  template <class Options>
  void draw_vectors(const Options& options, uint64_t seed, std::vector<torch::Tensor> users,
                    std::vector<torch::Tensor> items) const {
    uint64_t number = 0;
    const auto draw = [&](std::vector<torch::Tensor>& tables, const torch::Tensor& known) {
      for (auto& table : tables)
        table.copy_(normal_table(table.size(0), table.size(1), options.init_mean,
                                 options.init_scale, seed, number++) *
                    known.unsqueeze(1));  // [N, D]
    };
    draw(users, means_->all_known_users());
    draw(items, means_->all_known_items());
  }
};

}  // namespace reckon
