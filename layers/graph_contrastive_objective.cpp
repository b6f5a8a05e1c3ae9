#include "layers/graph_contrastive_objective.h"

#include "kernels/softmax_cross_entropy.h"
#include "layers/objective_terms.h"
#include "layers/unit_vectors.h"

namespace reckon {

void GraphContrastiveObjective::Options::describe(Schema<Options>& schema) {
  schema.field("view", &Options::view)
      .doc("What makes a view: edges left out, or every layer moved at random.");
  schema.field("amount", &Options::amount)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Probability of leaving out an edge, or the length of a move.");
  schema.field("temperature", &Options::temperature).positive().doc("Divides the cosines.");
}

ObjectiveNeeds GraphContrastiveObjective::needs() const {
  return {.views = {.kind = options_.view, .amount = options_.amount, .count = 2}};
}

LossParts GraphContrastiveObjective::forward(const ObjectiveInput& input) {
  TORCH_CHECK(input.views.size() == 3, "graph_contrastive: expected the graph and two views, got ",
              input.views.size());
  const auto mean_of = [&](const torch::Tensor& a, const torch::Tensor& b) {
    const auto queries = unit_vectors(a) * (1.0 / options_.temperature);             // [R, D]
    const auto themselves = at::arange(a.size(0), a.options().dtype(torch::kLong));  // [R]
    return softmax_cross_entropy(queries, unit_vectors(b), {}, themselves, {}) /
           std::max<int64_t>(1, a.size(0));  // []
  };
  const auto& first = input.views[1];
  const auto& second = input.views[2];
  const double weight = total_weight(input);
  return {.sum = weight * (mean_of(first.users, second.users) + mean_of(first.items, second.items)),
          .weight = weight};
}

}  // namespace reckon
