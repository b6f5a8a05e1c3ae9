#include "layers/cosine_contrastive_objective.h"

#include "kernels/shared_hinge.h"
#include "layers/objective_terms.h"

namespace reckon {

void CosineContrastiveObjective::Options::describe(Schema<Options>& schema) {
  describe_negatives(schema);
  schema.field("margin", &Options::margin)
      .must_be_in(-1.0, 1.0)
      .doc("A negative's score below this costs nothing.");
  schema.field("negative_weight", &Options::negative_weight)
      .positive()
      .doc("Weight of the mean over the negatives beside one target.");
  schema.field("l2", &Options::l2)
      .at_least(0.0)
      .doc(
          "Half of this times the squared length of the vectors of user, target and negatives is "
          "added for each target.");
}

ObjectiveNeeds CosineContrastiveObjective::needs() const {
  auto needs = negative_needs(options_);
  needs.origins = options_.l2 > 0.0;
  return needs;
}

LossParts CosineContrastiveObjective::forward(const ObjectiveInput& input) {
  const auto others = negative_side(input);
  const auto lengths = length_penalty(input, others, options_.l2);  // [P]
  if (shares_inner_products(input) && !input.scorer->query_bias(input.users).defined()) {
    const auto products = inner_products(input);
    const auto form = input.scorer->item_form(others);  // [N, D'], [N]
    const auto limits = form.bias.defined()
                            ? options_.margin - form.bias
                            : form.vectors.new_full(input.negative_ids.sizes(), options_.margin);
    auto parts = weighted_sum(sum_of(at::relu(1.0 - products.chosen), lengths), input.weights);
    const auto excess = shared_hinge(products.queries, form.vectors, limits, input.targets.ids,
                                     input.negative_ids, input.weights, input.negative_hits);  // []
    const auto count = static_cast<double>(input.negative_ids.numel());
    parts.sum = parts.sum + (options_.negative_weight / count) * excess;  // []
    return parts;
  }
  const auto excess = at::relu(negative_scores(input, others) - options_.margin)
                          .masked_fill(hits_of_negatives(input), 0.0);  // [P, N]
  const auto losses =
      at::relu(1.0 - target_scores(input)) + options_.negative_weight * excess.mean(1);  // [P]
  return weighted_sum(sum_of(losses, lengths), input.weights);
}

}  // namespace reckon
