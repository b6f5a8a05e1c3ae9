#pragma once

#include "models/linear_propagation.h"

namespace reckon {

/// Personalised PageRank of the vectors (Gasteiger, Bojchevski, Guennemann, "Predict then Propagate: Graph
/// Neural Networks meet Personalized PageRank", ICLR 2019):
///
///   E_k = (1 - restart) * D^(-1/2) A D^(-1/2) E_(k-1) + restart * E_0,   out = E_L
class AppnpPropagation : public LinearPropagation {
 public:
  struct Options {
    int64_t layers = 10;
    double restart = 0.1;
    std::vector<std::string> relations;
    static void describe(Schema<Options>& schema);
  };

  AppnpPropagation(const Options& options, const Deps& deps);
};

}  // namespace reckon
