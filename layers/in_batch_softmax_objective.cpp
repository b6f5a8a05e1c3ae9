#include "layers/in_batch_softmax_objective.h"

#include "layers/objective_terms.h"

namespace reckon {

void InBatchSoftmaxObjective::Options::describe(Schema<Options>& schema) {
  schema.field("log_q", &Options::log_q)
      .doc("Correct for popularity: frequent items are often somebody's negative.");
  schema.field("temperature", &Options::temperature).positive().doc("Divides the scores.");
}

LossParts InBatchSoftmaxObjective::forward(const ObjectiveInput& input) {
  auto scores = input.scorer->forward(input.users, input.targets) / options_.temperature;  // [P, P]
  if (options_.log_q) scores = scores - input.target_log_q;                                // [P, P]
  const auto& ids = input.targets.ids;
  const auto own = at::eye(ids.size(0), ids.options().dtype(torch::kBool));     // [P, P]
  const auto copies = ids.unsqueeze(1).eq(ids).logical_and(own.logical_not());  // [P, P]
  scores = scores.masked_fill(copies, kExcludedScore);                          // [P, P]
  return weighted_sum(scores.logsumexp(1) - scores.diagonal(), input.weights);
}

}  // namespace reckon
