#include "layers/bpr_objective.h"

#include "layers/objective_terms.h"

namespace reckon {

void BprObjective::Options::describe(Schema<Options>& schema) {
  describe_negatives(schema);
  schema.field("l2", &Options::l2)
      .at_least(0.0)
      .doc(
          "Half of this times the squared length of the trained vectors of user, target and "
          "negatives is added for each target.");
}

ObjectiveNeeds BprObjective::needs() const {
  auto needs = negative_needs(options_);
  needs.origins = options_.l2 > 0.0;
  return needs;
}

LossParts BprObjective::forward(const ObjectiveInput& input) {
  const auto others = negative_side(input);
  const auto margin = target_scores(input).unsqueeze(1) - negative_scores(input, others);  // [P, N]
  auto losses = at::softplus(-margin).mean(1);                                             // [P]
  if (options_.l2 > 0.0) {
    const auto negatives = squared_norm(trained_vectors(others)).mean(-1);  // [P] or []
    losses =
        losses + (0.5 * options_.l2) * (squared_norm(trained_vectors(input.users)) +
                                        squared_norm(trained_vectors(input.targets)) + negatives);
  }
  return weighted_sum(losses, input.weights);
}

}  // namespace reckon
