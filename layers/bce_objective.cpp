#include "layers/bce_objective.h"

#include "layers/objective_terms.h"

namespace reckon {

void BceObjective::Options::describe(Schema<Options>& schema) { describe_negatives(schema); }

ObjectiveNeeds BceObjective::needs() const { return negative_needs(options_); }

LossParts BceObjective::forward(const ObjectiveInput& input) {
  // A negative that is the target itself would pull the same score both ways.
  const auto counts = accidental_hits(input).logical_not();          // [P, N]
  const auto others = negative_scores(input, negative_side(input));  // [P, N]
  const auto losses =
      at::softplus(-target_scores(input)) + (at::softplus(others) * counts).sum(1);  // [P]
  return weighted_sum(losses, input.weights);
}

}  // namespace reckon
