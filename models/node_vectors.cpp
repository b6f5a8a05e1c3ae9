#include "models/node_vectors.h"

#include "layers/embedding_table.h"

namespace reckon {

NodeVectors::NodeVectors(const Deps& deps)
    : width_(deps.width), num_users_(deps.num_users), num_items_(deps.num_items) {
  if (deps.graph == nullptr) return;
  const int64_t num_others = deps.graph->num_nodes() - deps.num_users - deps.num_items;
  if (num_others == 0) return;
  auto rows = torch::empty({num_others, width_});  // [O, D]
  draw_rows(rows, {.kind = EmbeddingInit::Kind::kXavierUniform}, num_others);
  others_ = register_parameter("others", rows);
}

void NodeVectors::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  Propagation::to(device, dtype, non_blocking);
  move_graph(device);
}

void NodeVectors::to(torch::Device device, bool non_blocking) {
  Propagation::to(device, non_blocking);
  move_graph(device);
}

std::vector<torch::Tensor> NodeVectors::tables(const torch::Tensor& users,
                                               const torch::Tensor& items) const {
  std::vector<torch::Tensor> tables{users, items};
  if (others_.defined()) tables.push_back(others_);
  return tables;
}

}  // namespace reckon
