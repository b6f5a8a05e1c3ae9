#pragma once

#include <torch/nn/module.h>

#include <utility>

#include "core/schema.h"
#include "datasets/interactions.h"

namespace reckon {

/// Mixes user and item representations along the edges of a graph, once for each step.
class Propagation : public torch::nn::Module {
 public:
  using Kind = Propagation;
  static constexpr const char* kKind = "propagation";
  struct Deps {
    int64_t width = 0;
    int64_t num_users = 0;
    int64_t num_items = 0;
    const Interactions* train = nullptr;  ///< Null while only sizes are known.
  };

  /// Shapes   users [U, D], items [I, D] -> the same two
  virtual std::pair<torch::Tensor, torch::Tensor> forward(const torch::Tensor& users,
                                                          const torch::Tensor& items) = 0;
};

}  // namespace reckon
