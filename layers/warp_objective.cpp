#include "layers/warp_objective.h"

#include "layers/objective_terms.h"

namespace reckon {

namespace {
constexpr double kEulerGamma = 0.57721566490153286;
}

void WarpObjective::Options::describe(Schema<Options>& schema) {
  describe_negatives(schema);
  schema.field("margin", &Options::margin)
      .positive()
      .doc("How far above a negative a target should be scored.");
}

ObjectiveNeeds WarpObjective::needs() const { return negative_needs(options_); }

LossParts WarpObjective::forward(const ObjectiveInput& input) {
  const auto others = negative_side(input);
  const auto excess =
      (options_.margin - target_scores(input).unsqueeze(1) + negative_scores(input, others))
          .masked_fill(hits_of_negatives(input), 0.0);  // [P, N]
  torch::Tensor first, weights;
  {
    const torch::NoGradGuard no_grad;
    // The first of equal maxima: the first violation, or place 0 when there is none, where nothing is asked.
    first = excess.gt(0.0).to(torch::kByte).argmax(1, /*keepdim=*/true);  // [P, 1]
    const auto rank = at::floor_divide(input.num_items - 1 + at::zeros_like(first), first + 1)
                          .clamp_min(1);                                       // [P, 1]
    weights = at::digamma(rank.to(excess.scalar_type()) + 1.0) + kEulerGamma;  // [P, 1]
  }
  return weighted_sum((at::relu(excess.gather(1, first)) * weights).squeeze(1), input.weights);
}

}  // namespace reckon
