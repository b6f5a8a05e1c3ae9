#pragma once

#include <torch/types.h>

namespace reckon {

/// A model whose loss is that of pairs under an inner product, learnt row by row: what the procedure
/// `lock_free` talks to. Asked for with dynamic_cast: few models have it, and only in some settings.
class PairwiseLearnable {
 public:
  /// What the updates write to: views of the model's own weights.
  struct Form {
    torch::Tensor users;      // [U, D]
    torch::Tensor items;      // [I, D]
    torch::Tensor item_bias;  // [I], undefined when there is none
    double l2 = 0.0;          ///< As in BprObjective.
  };

  virtual ~PairwiseLearnable() = default;

  /// Throws   std::invalid_argument with a sentence when a slot of the model is filled with something
  ///          that has no such updates.
  virtual Form pairwise_form() = 0;
};

}  // namespace reckon
