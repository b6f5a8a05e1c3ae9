#include "models/appnp_propagation.h"

#include <cmath>

namespace reckon {

namespace {

// E_L as a sum over the powers of the normalised adjacency.
std::vector<double> power_weights(const AppnpPropagation::Options& options) {
  std::vector<double> weights;
  for (int64_t k = 0; k <= options.layers; ++k)
    weights.push_back(std::pow(1.0 - options.restart, static_cast<double>(k)) *
                      (k == options.layers ? 1.0 : options.restart));
  return weights;
}

}  // namespace

void AppnpPropagation::Options::describe(Schema<Options>& schema) {
  schema.field("layers", &Options::layers).must_be_in(1, 64).doc("Steps along edges.");
  schema.field("restart", &Options::restart)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Share of a node's own vector in each step.");
  describe_relations(schema);
}

AppnpPropagation::AppnpPropagation(const Options& options, const Deps& deps)
    : LinearPropagation(power_weights(options), options.relations, {}, deps) {}

}  // namespace reckon
