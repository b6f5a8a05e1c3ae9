#include "models/rating_model.h"

#include <torch/utils.h>

#include "core/diagnostics.h"

namespace reckon {

RatingModel::RatingModel(const Deps& deps, const std::string& model)
    : means_(register_module("means", RatingMeans(deps.num_users, deps.num_items))) {
  if (!deps.has_ratings)
    throw ConfigError("model: " + model + " learns ratings, and the data has none",
                      "name their column in data.files.interactions.roles.rating, or take a model "
                      "that ranks, such as bpr_mf");
}

torch::Tensor RatingModel::or_means(const torch::Tensor& predicted, const torch::Tensor& users,
                                    const torch::Tensor& candidates) const {
  const auto known = users.ge(0).unsqueeze(1).logical_and(means_->known_items(candidates));  // [B, C]
  return torch::where(known, predicted, means_->predict(users, candidates));                 // [B, C]
}

torch::Tensor RatingModel::or_means_of_all(const torch::Tensor& predicted,
                                           const torch::Tensor& users) const {
  const auto known = users.ge(0).unsqueeze(1).logical_and(
      means_->all_known_items().unsqueeze(0));                         // [B, I]
  return torch::where(known, predicted, means_->predict_all(users));  // [B, I]
}

}  // namespace reckon
