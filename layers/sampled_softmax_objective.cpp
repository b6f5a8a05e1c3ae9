#include "layers/sampled_softmax_objective.h"

#include "layers/objective_terms.h"

namespace reckon {

void SampledSoftmaxObjective::Options::describe(Schema<Options>& schema) {
  describe_negatives(schema);
  schema.field("log_q", &Options::log_q)
      .doc(
          "Correct for how often each item is drawn, so that the loss estimates the full softmax.");
  schema.field("temperature", &Options::temperature).positive().doc("Divides the scores.");
}

ObjectiveNeeds SampledSoftmaxObjective::needs() const {
  auto needs = negative_needs(options_);
  needs.log_q = options_.log_q;
  return needs;
}

LossParts SampledSoftmaxObjective::forward(const ObjectiveInput& input) {
  auto chosen = target_scores(input);    // [P]
  auto others = negative_scores(input);  // [P, N]
  if (options_.temperature != 1.0) {
    chosen = chosen / options_.temperature;  // [P]
    others = others / options_.temperature;  // [P, N]
  }
  if (options_.log_q) {
    chosen = chosen - input.target_log_q;    // [P]
    others = others - input.negative_log_q;  // [P, N]
  }
  others = others.masked_fill(accidental_hits(input), kExcludedScore);  // [P, N]
  // log(e^a + sum e^b) - a = softplus(log sum e^b - a): stable, and without joining the two.
  return weighted_sum(at::softplus(others.logsumexp(1) - chosen), input.weights);
}

}  // namespace reckon
