#include "layers/graph_triples_objective.h"

#include "kernels/dropout.h"
#include "layers/objective_terms.h"

namespace reckon {

void GraphTriplesObjective::Options::describe(Schema<Options>& schema) { describe_facts(schema); }

GraphTriplesObjective::GraphTriplesObjective(const Options& options, const Deps& deps)
    : options_(options),
      sampler_(deps.graph_facts.triples, options.corrupt, options.negatives),
      scorer_(deps.graph_facts.scorer) {}

LossParts GraphTriplesObjective::forward(const ObjectiveInput& input) {
  const auto num_positions = input.users.vectors.size(0);
  if (num_positions == 0)  // of a shard: a sum of nothing
    return weighted_sum(input.users.vectors.sum(1), input.weights);
  const auto facts = sampler_.facts(num_positions * options_.triples, RandomKey(next_random_key()),
                                    input.users.vectors.device());
  const auto head_rows = at::embedding(input.nodes, facts.heads);                   // [n, 1 + N, D]
  const auto tail_rows = at::embedding(input.nodes, facts.tails);                   // [n, 1 + N, D]
  const auto scores = scorer_->forward(head_rows, facts.relations, tail_rows);      // [n, 1 + N]
  auto each = at::softplus(scores.slice(1, 1) - scores.select(1, 0).unsqueeze(1));  // [n, N]
  each = each.mean(1);                                                              // [n]
  if (options_.l2 > 0.0)
    each = each + (0.5 * options_.l2) * squared_lengths(facts, head_rows, tail_rows);  // [n]
  return weighted_sum(each.unflatten(0, {num_positions, options_.triples}).mean(1), input.weights);
}

}  // namespace reckon
