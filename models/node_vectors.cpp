#include "models/node_vectors.h"

#include "layers/initialize.h"

namespace reckon {

NodeVectors::NodeVectors(const Deps& deps, bool has_others)
    : width_(deps.width), num_users_(deps.num_users), num_items_(deps.num_items) {
  if (deps.graph == nullptr || !has_others) return;
  const int64_t num_others = deps.graph->num_nodes() - deps.num_users - deps.num_items;
  if (num_others == 0) return;
  others_ = register_parameter("others", xavier_table(num_others, width_));  // [O, D]
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

torch::Tensor NodeVectors::vectors_of(const NodeInputs& inputs, const torch::Tensor& nodes) const {
  if (nodes.numel() == 0) return inputs.users(nodes);  // [0, D]
  std::vector<torch::Tensor> vectors, places;          // [n, D], [n] of each table
  int64_t first = 0;
  const auto add = [&](int64_t count, const auto& look_up) {
    const auto is_of_table = nodes.ge(first).logical_and(nodes.lt(first + count));  // [S]
    const auto place = is_of_table.nonzero().squeeze(1);                            // [n]
    if (place.numel() > 0) {
      places.push_back(place);
      vectors.push_back(look_up(nodes.index_select(0, place) - first));  // [n, D]
    }
    first += count;
  };
  add(num_users_, inputs.users);
  add(num_items_, inputs.items);
  if (others_.defined())
    add(others_.size(0), [&](const torch::Tensor& ids) { return others_.index_select(0, ids); });
  const auto all = at::cat(vectors);                          // [S, D], table by table
  const auto out = torch::empty(all.sizes(), all.options());  // [S, D]
  return out.index_copy_(0, at::cat(places), all);            // [S, D]
}

torch::Tensor NodeVectors::node_vectors(const torch::Tensor& users,
                                        const torch::Tensor& items) const {
  return at::cat(tables(users, items));  // [N, D]
}

}  // namespace reckon
