#include "layers/objective_terms.h"

namespace reckon {

double total_weight(const ObjectiveInput& input) {
  return input.weights.defined() ? input.weights.sum().item<double>()
                                 : static_cast<double>(input.users.vectors.size(0));
}

LossParts weighted_sum(const torch::Tensor& losses, const torch::Tensor& weights) {
  TORCH_CHECK(losses.dim() == 1, "weighted_sum: expected losses [P], got ", losses.sizes());
  if (!weights.defined())
    return {.sum = losses.sum(), .weight = static_cast<double>(losses.size(0))};
  TORCH_CHECK(weights.sizes() == losses.sizes(), "weighted_sum: expected weights ", losses.sizes(),
              ", got ", weights.sizes());
  return {.sum = (losses * weights).sum(), .weight = weights.sum().item<double>()};
}

torch::Tensor target_scores(const ObjectiveInput& input) {
  return paired_scores(*input.scorer, input.users, input.targets);  // [P]
}

torch::Tensor negative_scores(const ObjectiveInput& input) {
  TORCH_CHECK(input.negatives.vectors.defined(), "objective: the batch has no negatives");
  return input.scorer->forward(input.users, input.negatives);  // [P, N]
}

torch::Tensor accidental_hits(const ObjectiveInput& input) {
  return input.negatives.ids.eq(input.targets.ids.unsqueeze(1));  // [P, N]
}

torch::Tensor squared_norm(const torch::Tensor& vectors) {
  return vectors.square().sum(-1);  // [...]
}

}  // namespace reckon
