#include "layers/independence_objective.h"

#include "layers/objective_terms.h"
#include "layers/unit_vectors.h"

namespace reckon {
namespace {

// Below the square roots, whose slope at zero has no bound.
constexpr double kSmall = 1e-8;

// Distance correlations of all pairs.   Shapes   x [K, D] -> [K, K]
torch::Tensor distance_correlations(const torch::Tensor& x) {
  const auto distances = (x.unsqueeze(2) - x.unsqueeze(1)).abs();  // [K, D, D]
  const auto centred = distances - distances.mean(1, true) - distances.mean(2, true) +
                       distances.mean({1, 2}, true);                         // [K, D, D]
  const auto flat = centred.flatten(1);                                      // [K, D * D]
  const auto squares = at::matmul(flat, flat.t()) / flat.size(1);            // [K, K]
  const auto covariances = at::sqrt(squares.clamp_min(0.0) + kSmall);        // [K, K]
  const auto deviations = covariances.diagonal().sqrt();                     // [K]
  return covariances / (deviations.unsqueeze(0) * deviations.unsqueeze(1));  // [K, K]
}

// Shapes   x [K, K] -> []
torch::Tensor sum_over_pairs(const torch::Tensor& x) { return x.triu(1).sum(); }

}  // namespace

void IndependenceObjective::Options::describe(Schema<Options>& schema) {
  schema.field("measure", &Options::measure)
      .doc("Of what two intents share: distance correlation, cosine, or mutual information.");
  schema.field("temperature", &Options::temperature)
      .positive()
      .doc("Of information: divides the cosines.");
}

torch::Tensor IndependenceObjective::dependence(const torch::Tensor& intents) const {
  using Measure = Options::Measure;
  if (options_.measure == Measure::kDistance)
    return sum_over_pairs(distance_correlations(intents));                            // []
  const auto unit = unit_vectors(intents);                                            // [K, D]
  const auto cosines = at::matmul(unit, unit.t());                                    // [K, K]
  if (options_.measure == Measure::kCosine) return sum_over_pairs(cosines.square());  // []
  return -at::log_softmax(cosines / options_.temperature, 1).diagonal().sum();        // []
}

LossParts IndependenceObjective::forward(const ObjectiveInput& input) {
  TORCH_CHECK(input.intents.defined(), "independence: the propagation has no intents");
  const double weight = total_weight(input);
  return {.sum = weight * dependence(input.intents), .weight = weight};
}

}  // namespace reckon
