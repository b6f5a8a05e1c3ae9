#include "models/node_propagation.h"

#include "layers/embedding_table.h"
#include "models/node_graph.h"

namespace reckon {

namespace {

UndirectedGraph graph_of(const std::vector<std::string>& relations, const Propagation::Deps& deps) {
  if (deps.graph != nullptr) return node_graph(*deps.graph, relations);
  const auto none = torch::empty({0}, torch::kLong);  // [0]
  return undirected_graph(deps.num_users + deps.num_items, none, none);
}

}  // namespace

NodePropagation::NodePropagation(const std::vector<std::string>& relations, const Deps& deps)
    : width_(deps.width), num_users_(deps.num_users), graph_(graph_of(relations, deps)) {
  const int64_t num_others = graph_.num_nodes() - deps.num_users - deps.num_items;
  if (num_others == 0) return;
  auto rows = torch::empty({num_others, width_});  // [O, D]
  draw_rows(rows, {.kind = EmbeddingInit::Kind::kXavierUniform}, num_others);
  others_ = register_parameter("others", rows);
}

void NodePropagation::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  Propagation::to(device, dtype, non_blocking);
  graph_ = graph_.to(device);
}

void NodePropagation::to(torch::Device device, bool non_blocking) {
  Propagation::to(device, non_blocking);
  graph_ = graph_.to(device);
}

std::vector<torch::Tensor> NodePropagation::tables(const torch::Tensor& users,
                                                   const torch::Tensor& items) const {
  std::vector<torch::Tensor> tables{users, items};
  if (others_.defined()) tables.push_back(others_);
  return tables;
}

}  // namespace reckon
