#pragma once

#include <string>
#include <vector>

#include "kernels/light_propagation.h"
#include "models/node_propagation.h"

namespace reckon {

/// Propagation without transformations: a weighted sum of the layers E_k = G E_(k-1), with
/// G = D^(-1/2) A D^(-1/2). What `lightgcn` and `appnp` are, who differ in the weights alone.
///
/// The view `svd` (Cai, Huang, Xia, Ren, "LightGCL", ICLR 2023) goes the last step of each layer along
/// G' = G V V^T, where V are singular vectors of G:
///
///   w_0 E_0 + sum_k w_k G' E_(k-1) = w_0 E_0 + (G V) ((sum_k w_k G^(k-1) V)^T E_0)
///
/// Both factors are made once, so that a step costs N * 4q multiplications for each column and no edge.
/// The q singular values of users by items are 2q of G, each there with either sign, where interactions
/// are all the edges; where others are too, the 2q largest of all. Edges are left out of neither factor.
class LinearPropagation : public NodePropagation {
 public:
  /// `layer_weights` are those of layers 0 to L; `edge_dropout` is the probability with which a step
  /// leaves out an edge, but for views that say themselves what they leave out.
  /// Throws   std::invalid_argument with a sentence when `relations` names one that the graph has not.
  LinearPropagation(std::vector<double> layer_weights, const std::vector<std::string>& relations,
                    std::vector<int64_t> fanouts, const Deps& deps, double edge_dropout = 0.0);

  int64_t output_width() const override { return width(); }
  bool makes_views(ViewNeeds::Kind kind) const override;
  void prepare_views(const ViewNeeds& needs) override;
  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>& view) override;
  bool serves_new_users() const override { return true; }
  torch::Tensor messages(const torch::Tensor& users, const torch::Tensor& items) override;
  bool is_sum_of_messages() const override { return true; }
  UserEdges user_edges() const override;

 protected:
  /// The estimate is right in the mean over draws, for each layer draws anew.
  Propagated forward_over(const NeighbourSample& sample, const torch::Tensor& x) override;
  void move_graph(const torch::Device& device) override;

 private:
  // The graph as a step sees it.
  UndirectedGraph seen(const std::optional<GraphView>& view) const;
  // Shapes   x [N, D], rows [R] int64 -> [R, D]
  torch::Tensor low_rank_view(const torch::Tensor& x, const torch::Tensor& rows) const;

  std::vector<double> layer_weights_;  // [L + 1]
  double edge_dropout_;
  // The factors of the view `svd`, undefined where nobody asks for it or there is no edge.
  torch::Tensor images_;  // [N, 2q]: G V
  torch::Tensor layers_;  // [N, 2q]: sum_k w_k G^(k-1) V
};

}  // namespace reckon
