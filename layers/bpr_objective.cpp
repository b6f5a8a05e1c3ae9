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
  const auto lengths = length_penalty(input, others, options_.l2);  // [P]
  // How many negatives are left to the user of a target, over whom the mean goes.
  const auto& hits = input.negative_hits;  // [P, N]
  const auto count = static_cast<double>(input.negative_ids.size(-1));
  torch::Tensor left;  // [P]
  if (hits.defined()) left = (count - hits.sum(1)).clamp_min(1.0);
  if (shares_inner_products(input)) {
    const auto products = inner_products(input);
    const auto form = input.scorer->item_form(others);  // [N, D'], [N]
    auto weights = input.weights;                       // [P]
    if (left.defined())
      weights = (weights.defined() ? weights : torch::ones_like(left)) * count / left;
    const auto sum = shared_logistic(products.queries, form.vectors, form.bias, products.chosen,
                                     {.weights = weights, .hits = hits});  // []
    auto parts = lengths.defined()
                     ? weighted_sum(lengths, input.weights)
                     : LossParts{.sum = sum.new_zeros({}), .weight = total_weight(input)};
    parts.sum = parts.sum + sum / count;  // []
    return parts;
  }
  const auto margin = target_scores(input).unsqueeze(1) - negative_scores(input, others);  // [P, N]
  const auto losses = at::softplus(-margin);                                               // [P, N]
  const auto means =
      left.defined() ? losses.masked_fill(hits, 0.0).sum(1) / left : losses.mean(1);  // [P]
  return weighted_sum(sum_of(means, lengths), input.weights);
}

}  // namespace reckon
