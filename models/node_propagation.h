#pragma once

#include <string>
#include <vector>

#include "kernels/neighbour_sampling.h"
#include "kernels/spmm.h"
#include "models/node_vectors.h"

namespace reckon {

/// Propagation over all nodes and relations of a graph as one, which is what its components share.
class NodePropagation : public NodeVectors {
 public:
  bool samples_neighbours() const override { return !fanouts_.empty(); }
  Propagated forward_sampled(const NodeInputs& inputs, const torch::Tensor& rows,
                             uint64_t key) override;

 protected:
  /// `relations` names those along which vectors are mixed; empty: all. Without edges while only sizes
  /// are known. `fanouts`: neighbours that a step of training hears at each hop from its own nodes, one
  /// number for each layer; empty: all neighbours.
  /// Throws   std::invalid_argument with a sentence when `relations` names one that the graph has not.
  NodePropagation(const std::vector<std::string>& relations, std::vector<int64_t> fanouts,
                  const Deps& deps);

  /// What comes of the vectors of a sample's nodes for those it was drawn for.
  /// Shapes   x [S, D] -> [R, D'], [R, D]
  virtual Propagated forward_over(const NeighbourSample& sample, const torch::Tensor& x) = 0;

  const UndirectedGraph& graph() const { return graph_; }

  void move_graph(const torch::Device& device) override { graph_ = graph_.to(device); }

 private:
  UndirectedGraph graph_;
  std::vector<int64_t> fanouts_;  // by hop
};

/// The most neighbours that a hop may draw: more are slower than all of them would be.
constexpr int64_t kMostNeighbours = 10000;

/// Declares the key that says how many neighbours a step of training hears.
template <class Options>
void describe_fanouts(Schema<Options>& schema) {
  schema.field("fanouts", &Options::fanouts)
      .must_be_in(1, kMostNeighbours)
      .doc(
          "Neighbours that a step of training draws at most: for its own nodes, for theirs, and so "
          "on, a number for each layer; left out: all. Scoring hears all of them.");
  schema.invariant("fanouts", "needs a number for each layer", [](const Options& o) {
    return o.fanouts.empty() || static_cast<int64_t>(o.fanouts.size()) == o.layers;
  });
}

}  // namespace reckon
