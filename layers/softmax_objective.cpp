#include "layers/softmax_objective.h"

#include "kernels/softmax_cross_entropy.h"
#include "layers/candidate_softmax.h"
#include "layers/objective_terms.h"

namespace reckon {

void SoftmaxObjective::Options::describe(Schema<Options>& schema) {
  schema.field("temperature", &Options::temperature).positive().doc("Divides the scores.");
}

LossParts SoftmaxObjective::forward(const ObjectiveInput& input) {
  const auto all = input.all_items();
  if (!input.scorer->is_inner_product())
    return candidate_softmax(input, {.items = all, .temperature = options_.temperature});
  const double inverse = 1.0 / options_.temperature;
  const auto form = input.scorer->item_form(all);
  const auto queries = input.scorer->query_form(input.users);  // [P, D']
  const bool scaled = options_.temperature != 1.0;
  const auto sum =
      softmax_cross_entropy(scaled ? queries * inverse : queries, form.vectors,
                            scaled && form.bias.defined() ? form.bias * inverse : form.bias,
                            input.targets.ids,
                            input.weights);  // []
  return {.sum = sum, .weight = total_weight(input)};
}

}  // namespace reckon
