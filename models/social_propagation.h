#pragma once

#include <utility>

#include "models/neighbour_means.h"
#include "models/node_vectors.h"
#include "models/social_graph.h"

namespace reckon {

/// Propagation among users who know each other and the items they chose. Nodes that are neither have no
/// part in it. A step makes the vectors of all users and items, for friends of friends are soon everybody.
class SocialPropagation : public NodeVectors {
 public:
  int64_t output_width() const override { return width(); }
  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>& view) override;

 protected:
  explicit SocialPropagation(const Deps& deps) : NodeVectors(deps, /*has_others=*/false) {}

  /// Vectors of all users and items after propagation.
  /// Shapes   users [U, D], items [I, D] -> [U, D], [I, D]
  virtual std::pair<torch::Tensor, torch::Tensor> mixed(const torch::Tensor& users,
                                                        const torch::Tensor& items) = 0;
};

}  // namespace reckon
