#include "layers/graph_contrastive_objective.h"

#include "kernels/softmax_cross_entropy.h"
#include "layers/objective_terms.h"
#include "layers/unit_vectors.h"

namespace reckon {

namespace {
constexpr double kUsualAmount = 0.1;
constexpr int64_t kUsualRank = 5;
}  // namespace

void GraphContrastiveObjective::Options::describe(Schema<Options>& schema) {
  schema.field("view", &Options::view)
      .doc(
          "What makes a view: edges left out, every layer moved at random, or the largest singular "
          "values alone, which are compared with the graph itself.");
  schema.field("amount", &Options::amount)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Probability of leaving out an edge, or the length of a move; left out, 0.1.");
  schema.field("rank", &Options::rank)
      .must_be_in(1, 256)
      .doc("Singular values of users by items that `svd` keeps; left out, 5.");
  schema.field("temperature", &Options::temperature).positive().doc("Divides the cosines.");
  schema.invariant("amount", "says nothing of `view: svd`, which is the same in every step",
                   [](const Options& o) { return !o.amount || o.view != ViewNeeds::Kind::kSvd; });
  schema.invariant("rank", "is that of `view: svd` alone",
                   [](const Options& o) { return !o.rank || o.view == ViewNeeds::Kind::kSvd; });
}

ObjectiveNeeds GraphContrastiveObjective::needs() const {
  if (options_.view == ViewNeeds::Kind::kSvd)
    return {
        .views = {.kind = options_.view, .rank = options_.rank.value_or(kUsualRank), .count = 1}};
  return {.views = {
              .kind = options_.view, .amount = options_.amount.value_or(kUsualAmount), .count = 2}};
}

LossParts GraphContrastiveObjective::forward(const ObjectiveInput& input) {
  const auto count = static_cast<size_t>(needs().views.count);
  TORCH_CHECK(input.views.size() == count + 1, "graph_contrastive: expected the graph and ", count,
              " views of it, got ", input.views.size());
  const auto mean_of = [&](const torch::Tensor& a, const torch::Tensor& b) {
    const auto queries = unit_vectors(a) * (1.0 / options_.temperature);             // [R, D]
    const auto themselves = at::arange(a.size(0), a.options().dtype(torch::kLong));  // [R]
    return softmax_cross_entropy(queries, unit_vectors(b), {}, themselves, {}) /
           std::max<int64_t>(1, a.size(0));  // []
  };
  // One view alone is compared with the graph, which stands before it.
  const auto& first = input.views[count - 1];
  const auto& second = input.views[count];
  const double weight = total_weight(input);
  return {.sum = weight * (mean_of(first.users, second.users) + mean_of(first.items, second.items)),
          .weight = weight};
}

}  // namespace reckon
