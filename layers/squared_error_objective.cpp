#include "layers/squared_error_objective.h"

#include "layers/objective_terms.h"

namespace reckon {

void SquaredErrorObjective::Options::describe(Schema<Options>& schema) {
  schema.field("l2", &Options::l2)
      .at_least(0.0)
      .doc("Times the squared length of the user's and the item's vector, for each rating.");
}

LossParts SquaredErrorObjective::forward(const ObjectiveInput& input) {
  TORCH_CHECK(input.labels.defined(), "SquaredErrorObjective: the batch has no labels");
  auto losses = (input.labels - target_scores(input)).square();  // [P]
  if (options_.l2 > 0.0)
    losses = losses + options_.l2 * (squared_norm(trained_vectors(input.users)) +
                                     squared_norm(trained_vectors(input.targets)));  // [P]
  return weighted_sum(losses, input.weights);
}

}  // namespace reckon
