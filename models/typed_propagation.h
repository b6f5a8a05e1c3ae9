#pragma once

#include <string>
#include <vector>

#include "models/layered_propagation.h"

namespace reckon {

/// Propagation by trained layers that know along which relation and in which direction they hear, from the
/// vectors of all nodes to those of all, or for the last one of the rows that are asked for.
class TypedPropagation : public NodeVectors {
 public:
  using Combine = LayeredPropagation::Combine;

  int64_t output_width() const override;
  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>& view) override;

 protected:
  TypedPropagation(int64_t num_layers, Combine combine, const Deps& deps);

  int64_t num_layers() const { return num_layers_; }

  /// Layer k of the network, from 0.
  /// Shapes   x [N, D], rows [R] int64 or undefined (all) -> [R, D]
  virtual torch::Tensor layer(int64_t k, const torch::Tensor& x, const torch::Tensor& rows) = 0;

 private:
  int64_t num_layers_;
  Combine combine_;
};

}  // namespace reckon
