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

InnerProducts inner_products(const ObjectiveInput& input) {
  const auto queries = input.scorer->query_form(input.users);  // [P, D']
  const auto target = input.scorer->item_form(input.targets);  // [P, D'], [P]
  return {queries, sum_of((queries * target.vectors).sum(-1), target.bias)};
}

bool shares_inner_products(const ObjectiveInput& input) {
  return input.negative_ids.defined() && input.negative_ids.dim() == 1 &&
         input.scorer->is_inner_product();
}

torch::Tensor chosen_scores(const ObjectiveInput& input, const InnerProducts& products) {
  return sum_of(products.chosen, input.scorer->query_bias(input.users));  // [P]
}

torch::Tensor shared_negatives_loss(const ObjectiveInput& input, const InnerProducts& products,
                                    const ScorerSide& negatives, const PairWeights& pairs) {
  const auto form = input.scorer->item_form(negatives);     // [N, D'], [N]
  const auto bias = input.scorer->query_bias(input.users);  // [P]
  const auto below = bias.defined() ? -bias
                                    : torch::zeros({products.queries.size(0)},
                                                   products.queries.options());     // [P]
  return shared_logistic(products.queries, form.vectors, form.bias, below, pairs);  // []
}

ScorerSide negative_side(const ObjectiveInput& input) {
  TORCH_CHECK(input.negative_ids.defined() && input.negatives,
              "objective: the batch has no negatives");
  return input.negatives();
}

torch::Tensor negative_scores(const ObjectiveInput& input, const ScorerSide& negatives) {
  return input.scorer->forward(input.users, negatives);  // [P, N]
}

torch::Tensor hits_of_negatives(const ObjectiveInput& input) {
  const auto hits = input.negative_ids.eq(input.targets.ids.unsqueeze(1));  // [P, N]
  return input.negative_hits.defined() ? hits.logical_or(input.negative_hits) : hits;
}

torch::Tensor sum_of(const torch::Tensor& a, const torch::Tensor& b) {
  return a.defined() && b.defined() ? a + b : (a.defined() ? a : b);
}

torch::Tensor trained_vectors(const ScorerSide& side) {
  return side.origin.defined() ? side.origin : side.vectors;  // [..., D]
}

torch::Tensor squared_norm(const torch::Tensor& vectors) {
  return vectors.square().sum(-1);  // [...]
}

torch::Tensor length_penalty(const ObjectiveInput& input, const ScorerSide& negatives, double l2) {
  if (l2 == 0.0) return {};
  const auto others = squared_norm(trained_vectors(negatives)).mean(-1);  // [P] or []
  return (0.5 * l2) * (squared_norm(trained_vectors(input.users)) +
                       squared_norm(trained_vectors(input.targets)) + others);  // [P]
}

}  // namespace reckon
