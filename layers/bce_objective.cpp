#include "layers/bce_objective.h"

#include "layers/objective_terms.h"

namespace reckon {

void BceObjective::Options::describe(Schema<Options>& schema) { describe_negatives(schema); }

ObjectiveNeeds BceObjective::needs() const { return negative_needs(options_); }

LossParts BceObjective::forward(const ObjectiveInput& input) {
  // A negative that is the target itself would pull the same score both ways.
  const auto hits = hits_of_negatives(input);  // [P, N]
  const auto negatives = negative_side(input);
  if (shares_inner_products(input)) {
    const auto products = inner_products(input);
    auto parts = weighted_sum(at::softplus(-chosen_scores(input, products)), input.weights);
    parts.sum = parts.sum + shared_negatives_loss(input, products, negatives,
                                                  {.weights = input.weights, .hits = hits});  // []
    return parts;
  }
  const auto others = at::softplus(negative_scores(input, negatives));  // [P, N]
  const auto losses =
      at::softplus(-target_scores(input)) + others.masked_fill(hits, 0.0).sum(1);  // [P]
  return weighted_sum(losses, input.weights);
}

}  // namespace reckon
