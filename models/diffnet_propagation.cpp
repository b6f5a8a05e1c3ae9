#include "models/diffnet_propagation.h"

#include "layers/initialize.h"

namespace reckon {

namespace {

// Whose row is empty hears itself.
SparseRows with_loops_of_the_lonely(const SparseRows& friends) {
  const auto* offset = friends.offsets.const_data_ptr<int64_t>();
  const auto* column = friends.columns.const_data_ptr<int32_t>();
  const auto* value = friends.values.const_data_ptr<float>();
  std::vector<RowBlock> blocks(1);
  std::vector<SparseElement> row;
  for (int64_t u = 0; u < friends.num_rows(); ++u) {
    row.clear();
    for (int64_t e = offset[u]; e < offset[u + 1]; ++e) row.push_back({value[e], column[e]});
    if (row.empty()) row.push_back({1.0F, static_cast<int32_t>(u)});
    blocks[0].add(row);
  }
  return join_blocks(blocks);
}

}  // namespace

void DiffnetPropagation::Options::describe(Schema<Options>& schema) {
  schema.field("layers", &Options::layers).must_be_in(1, 16).doc("Steps along friendships.");
  schema.field("activation", &Options::activation)
      .doc("What bends each layer; `identity`: nothing.");
}

DiffnetPropagation::DiffnetPropagation(const Options& options, const Deps& deps)
    : SocialPropagation(deps), options_(options) {
  const auto graph = social_graph(deps);
  friends_ = NeighbourMeans(with_loops_of_the_lonely(graph.friends), num_users());
  history_ = NeighbourMeans(graph.interactions, num_items());
  layers_ = register_module("layers", torch::nn::ModuleList());
  for (int64_t k = 0; k < options.layers; ++k)
    layers_->push_back(xavier_linear(2 * width(), width()));
}

void DiffnetPropagation::move_graph(const torch::Device& device) {
  friends_ = friends_.to(device);
  history_ = history_.to(device);
}

std::pair<torch::Tensor, torch::Tensor> DiffnetPropagation::mixed(const torch::Tensor& users,
                                                                  const torch::Tensor& items) {
  auto spread = users;  // [U, D]
  for (const auto& layer : *layers_) {
    const auto both = at::cat({friends_.of(spread), spread}, 1);  // [U, 2D]
    spread = activate(layer->as<torch::nn::Linear>()->forward(both), options_.activation);
  }
  return {spread + history_.of(items), items};  // [U, D], [I, D]
}

torch::Tensor DiffnetPropagation::messages(const torch::Tensor&, const torch::Tensor& items) {
  return items;  // [I, D]
}

UserEdges DiffnetPropagation::user_edges() const {
  UserEdges edges;
  edges.offsets = history_.lists().offsets;                           // [U + 1]
  edges.items = history_.lists().senders;                             // [E]
  edges.weights = history_.shares();                                  // [E]
  edges.scale = torch::ones({num_users()}, edges.weights.options());  // [U]
  return edges;
}

}  // namespace reckon
