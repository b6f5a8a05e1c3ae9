#pragma once

#include <torch/nn/module.h>

#include "core/schema.h"

namespace reckon {

/// Adds to each history vector where it stands, counted from the newest item (which is 0), so that
/// a history gives the same states however much padding stands in front.
class Position : public torch::nn::Module {
 public:
  using Kind = Position;
  static constexpr const char* kKind = "position";
  struct Deps {
    int64_t width = 0;
    int64_t max_length = 0;
  };

  /// Shapes   x [B, T, D] -> [B, T, D]
  /// Throws   c10::Error when T is greater than max_length (outside of a trace).
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
};

/// Adds row p of `table` to the item that is p steps older than the newest; `name` opens messages.
///
/// Shapes   x [B, T, D], table [max_length, D] -> [B, T, D]
torch::Tensor add_positions(const torch::Tensor& x, const torch::Tensor& table, const char* name);

}  // namespace reckon
