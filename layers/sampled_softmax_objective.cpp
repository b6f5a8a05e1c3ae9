#include "layers/sampled_softmax_objective.h"

#include "kernels/sampled_softmax.h"
#include "layers/candidate_softmax.h"
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
  TORCH_CHECK(input.negative_ids.defined(), "sampled_softmax: the batch has no negatives");
  const bool is_shared = input.negative_ids.dim() == 1;
  // Rows of a sparse table have to be gathered, for the kernel's gradient of a table is dense.
  if (!is_shared && input.scorer->is_inner_product() && !input.items_are_sparse)
    return loss_from_table(input);
  SoftmaxCandidates negatives{.items = negative_side(input),
                              .temperature = options_.temperature,
                              .hits = input.negative_hits};
  if (options_.log_q) {
    negatives.log_q = input.negative_log_q;
    negatives.target_log_q = input.target_log_q;
  }
  return candidate_softmax(input, negatives);
}

LossParts SampledSoftmaxObjective::loss_from_table(const ObjectiveInput& input) {
  const auto scaled = [this](const torch::Tensor& t) {
    return t.defined() && options_.temperature != 1.0 ? t * (1.0 / options_.temperature) : t;
  };
  const auto products = inner_products(input);
  const auto queries = scaled(products.queries);  // [P, D']
  auto chosen = scaled(products.chosen);          // [P]
  torch::Tensor correction;
  if (options_.log_q) {
    chosen = chosen - input.target_log_q;  // [P]
    correction = -input.negative_log_q;    // [P, N]
  }
  const auto& ids = input.negative_ids;
  const auto table = input.scorer->item_form(input.all_items());                       // [I, D']
  const auto bias = table.bias.defined() ? table.bias.index({ids}) : torch::Tensor();  // [P, N]
  return {.sum = position_sampled_softmax(queries, table.vectors, sum_of(scaled(bias), correction),
                                          chosen, input.targets.ids, ids, input.weights),  // []
          .weight = total_weight(input)};
}

}  // namespace reckon
