#pragma once

#include <string>
#include <vector>

#include "kernels/light_propagation.h"
#include "models/node_propagation.h"

namespace reckon {

/// Propagation without transformations: a weighted sum of the layers E_k = D^(-1/2) A D^(-1/2) E_(k-1).
/// What `lightgcn` and `appnp` are, who differ in the weights alone.
class LinearPropagation : public NodePropagation {
 public:
  /// `layer_weights` are those of layers 0 to L.
  /// Throws   std::invalid_argument with a sentence when `relations` names one that the graph has not.
  LinearPropagation(std::vector<double> layer_weights, const std::vector<std::string>& relations,
                    std::vector<int64_t> fanouts, const Deps& deps);

  int64_t output_width() const override { return width(); }
  bool makes_views(ViewNeeds::Kind kind) const override;
  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>& view) override;
  bool serves_new_users() const override { return true; }
  torch::Tensor messages(const torch::Tensor& users, const torch::Tensor& items) override;
  bool is_sum_of_messages() const override { return true; }
  UserEdges user_edges() const override;

 protected:
  /// The estimate is right in the mean over draws, for each layer draws anew.
  Propagated forward_over(const NeighbourSample& sample, const torch::Tensor& x) override;

 private:
  std::vector<double> layer_weights_;  // [L + 1]
};

}  // namespace reckon
