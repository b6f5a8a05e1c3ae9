#include "layers/in_batch_softmax_objective.h"

#include "layers/candidate_softmax.h"

namespace reckon {

void InBatchSoftmaxObjective::Options::describe(Schema<Options>& schema) {
  schema.field("log_q", &Options::log_q)
      .doc("Correct for popularity: frequent items are often somebody's negative.");
  schema.field("temperature", &Options::temperature).positive().doc("Divides the scores.");
}

LossParts InBatchSoftmaxObjective::forward(const ObjectiveInput& input) {
  SoftmaxCandidates targets{.items = input.targets, .temperature = options_.temperature};
  if (options_.log_q) targets.log_q = targets.target_log_q = input.target_log_frequency;  // [P]
  return candidate_softmax(input, targets);
}

}  // namespace reckon
