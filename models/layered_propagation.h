#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/neighbourhood.h"
#include "models/node_propagation.h"

namespace reckon {

/// Propagation by trained layers, each from the vectors of all nodes to those of all nodes, or for the
/// last one of the rows that are asked for. What a family of graph networks shares.
class LayeredPropagation : public NodePropagation {
 public:
  /// What becomes of the outputs of the layers, the trained vectors being layer 0.
  enum class Combine { kConcatenate, kLast, kMean };

  int64_t output_width() const override;
  bool makes_views(ViewNeeds::Kind kind) const override {
    return !samples_neighbours() && kind == ViewNeeds::Kind::kEdgeDropout;
  }
  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>& view) override;

 protected:
  /// Throws   std::invalid_argument with a sentence when `relations` names one that the graph has not.
  LayeredPropagation(int64_t num_layers, Combine combine, const std::vector<std::string>& relations,
                     std::vector<int64_t> fanouts, const Deps& deps);

  int64_t num_layers() const { return num_layers_; }
  Propagated forward_over(const NeighbourSample& sample, const torch::Tensor& x) override;

  /// Layer k of the network, from 0.
  /// Shapes   x [N, D], of all nodes that may be heard -> [R, D], of those who hear
  virtual torch::Tensor layer(int64_t k, const Neighbourhood& near, const torch::Tensor& x) = 0;
  /// How a layer's output enters the combination.   Shapes   [R, D] -> [R, D]
  virtual torch::Tensor shown(const torch::Tensor& output) const { return output; }

 private:
  int64_t num_layers_;
  Combine combine_;
};

template <>
struct EnumNames<LayeredPropagation::Combine> {
  static std::vector<std::pair<std::string, LayeredPropagation::Combine>> all() {
    return {{"concatenate", LayeredPropagation::Combine::kConcatenate},
            {"last", LayeredPropagation::Combine::kLast},
            {"mean", LayeredPropagation::Combine::kMean}};
  }
};

/// Width of what comes out of a number of layers that keep the width.
int64_t combined_width(LayeredPropagation::Combine combine, int64_t num_layers, int64_t width);

/// What the layers of a network make of the vectors of all nodes, combined. All but the last one make those
/// of all nodes, and that one those of `rows`.
///
/// `layer` is called with k, x [N, D] and rows or, for all, an undefined tensor; `shown` gives how an output
/// enters the combination.
/// Shapes   x [N, D], rows [R] int64 -> [R, D'], [R, D]
Propagated through_layers(const torch::Tensor& x, const torch::Tensor& rows, int64_t num_layers,
                          LayeredPropagation::Combine combine,
                          const std::function<torch::Tensor(int64_t k, const torch::Tensor& x,
                                                            const torch::Tensor& rows)>& layer,
                          const std::function<torch::Tensor(const torch::Tensor&)>& shown);

}  // namespace reckon
