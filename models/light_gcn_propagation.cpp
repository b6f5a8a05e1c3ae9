#include "models/light_gcn_propagation.h"

namespace reckon {

namespace {

std::vector<double> weights_of(const LightGcnPropagation::Options& options) {
  if (!options.layer_weights.empty()) return options.layer_weights;
  return std::vector<double>(options.layers + 1, 1.0 / static_cast<double>(options.layers + 1));
}

}  // namespace

void LightGcnPropagation::Options::describe(Schema<Options>& schema) {
  schema.field("layers", &Options::layers).must_be_in(0, 16).doc("Steps along edges; 0: none.");
  schema.field("layer_weights", &Options::layer_weights)
      .at_least(0.0)
      .doc("Weight of layers 0 to `layers` in the sum; left out, all alike.");
  describe_fanouts(schema);
  schema.field("edge_dropout", &Options::edge_dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Probability with which a training step leaves out an edge, both ways at once.");
  describe_relations(schema);
  schema.invariant("edge_dropout",
                   "cannot be above 0 with `fanouts`: who is not drawn is left out already",
                   [](const Options& o) { return o.edge_dropout == 0.0 || o.fanouts.empty(); });
  schema.invariant("layer_weights", "needs a number for each of layers 0 to `layers`",
                   [](const Options& o) {
                     return o.layer_weights.empty() ||
                            static_cast<int64_t>(o.layer_weights.size()) == o.layers + 1;
                   });
}

LightGcnPropagation::LightGcnPropagation(const Options& options, const Deps& deps)
    : LinearPropagation(weights_of(options), options.relations, options.fanouts, deps,
                        options.edge_dropout) {}

}  // namespace reckon
