#pragma once

#include <torch/nn/module.h>

#include <cstdint>

#include "core/schema.h"

namespace reckon {

/// Says how plausible it is that a relation holds between two entities.
class TripleScorer : public torch::nn::Module {
 public:
  using Kind = TripleScorer;
  static constexpr const char* kKind = "triple_scorer";
  struct Deps {
    int64_t width = 0;
    int64_t num_relations = 0;
  };

  /// Higher is more plausible; a distance counts negative.
  ///
  /// Shapes   heads [n, M, D], relations [n] int64, tails [n, M, D] -> [n, M]; the M of either side may
  ///          be 1
  virtual torch::Tensor forward(const torch::Tensor& heads, const torch::Tensor& relations,
                                const torch::Tensor& tails) = 0;
};

}  // namespace reckon
