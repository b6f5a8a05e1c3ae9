#include "models/node_propagation.h"

#include "models/node_graph.h"

namespace reckon {

namespace {

UndirectedGraph graph_of(const std::vector<std::string>& relations, const Propagation::Deps& deps) {
  if (deps.graph != nullptr) return node_graph(*deps.graph, relations);
  const auto none = torch::empty({0}, torch::kLong);  // [0]
  return undirected_graph(deps.num_users + deps.num_items, none, none);
}

}  // namespace

NodePropagation::NodePropagation(const std::vector<std::string>& relations,
                                 std::vector<int64_t> fanouts, const Deps& deps)
    : NodeVectors(deps), graph_(graph_of(relations, deps)), fanouts_(std::move(fanouts)) {}

Propagated NodePropagation::forward_sampled(const NodeInputs& inputs, const torch::Tensor& rows,
                                            uint64_t key) {
  const auto sample = sample_neighbours(graph_, rows, fanouts_, key);
  return forward_over(sample, vectors_of(inputs, sample.nodes));
}

}  // namespace reckon
