#pragma once

#include "models/linear_propagation.h"

namespace reckon {

/// The sum of all layers of linear propagation, by default their mean (He, Deng, Wang, Li, Zhang, Wang,
/// "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation", SIGIR 2020).
class LightGcnPropagation : public LinearPropagation {
 public:
  struct Options {
    int64_t layers = 3;
    std::vector<double> layer_weights;
    std::vector<int64_t> fanouts;
    double edge_dropout = 0.0;
    std::vector<std::string> relations;
    static void describe(Schema<Options>& schema);
  };

  LightGcnPropagation(const Options& options, const Deps& deps);
};

}  // namespace reckon
