#include "layers/graph_triples_objective.h"

namespace reckon {

void GraphTriplesObjective::Options::describe(Schema<Options>& schema) { describe_facts(schema); }

GraphTriplesObjective::GraphTriplesObjective(const Options& options, const Deps& deps)
    : options_(options),
      sampler_(deps.graph_facts.triples, options.corrupt, options.negatives),
      scorer_(deps.graph_facts.scorer) {}

LossParts GraphTriplesObjective::forward(const ObjectiveInput& input) {
  return loss_of_facts(
      input, sampler_, options_.triples, options_.l2, *scorer_,
      [&](const torch::Tensor& nodes) { return at::embedding(input.nodes, nodes); },
      [](const torch::Tensor& holds, const torch::Tensor& corrupted) {
        return at::softplus(corrupted - holds.unsqueeze(1)).mean(1);  // [n]
      });
}

}  // namespace reckon
