#pragma once

#include <string>
#include <vector>

#include "kernels/spmm.h"
#include "models/node_vectors.h"

namespace reckon {

/// Propagation over all nodes and relations of a graph as one, which is what its components share.
class NodePropagation : public NodeVectors {
 protected:
  /// `relations` names those along which vectors are mixed; empty: all. Without edges while only sizes
  /// are known.
  /// Throws   std::invalid_argument with a sentence when it names one that the graph has not.
  NodePropagation(const std::vector<std::string>& relations, const Deps& deps);

  const UndirectedGraph& graph() const { return graph_; }

  void move_graph(const torch::Device& device) override { graph_ = graph_.to(device); }

 private:
  UndirectedGraph graph_;
};

}  // namespace reckon
