#pragma once

#include <string>
#include <vector>

#include "core/schema.h"
#include "models/propagation.h"

namespace reckon {

/// Propagation over all nodes of a graph. Where there are more than users and items, the other nodes have
/// trained vectors of their own.
class NodeVectors : public Propagation {
 public:
  using torch::nn::Module::to;
  /// Takes the graph along: it is no buffer, for checkpoints and files hold none.
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;

  torch::Tensor node_vectors(const torch::Tensor& users, const torch::Tensor& items) const override;

 protected:
  /// Without `has_others` the other nodes have none, for components that do not look at them.
  explicit NodeVectors(const Deps& deps, bool has_others = true);

  int64_t width() const { return width_; }
  int64_t num_users() const { return num_users_; }
  int64_t num_items() const { return num_items_; }

  /// The vectors of all nodes, table by table in their order.   Shapes   -> [N_t, D] each
  std::vector<torch::Tensor> tables(const torch::Tensor& users, const torch::Tensor& items) const;

  /// Those of some nodes alone.   Shapes   nodes [S] int64 -> [S, D]
  torch::Tensor vectors_of(const NodeInputs& inputs, const torch::Tensor& nodes) const;

  /// Brings to a device what a component keeps of the graph.
  virtual void move_graph(const torch::Device& device) = 0;

 private:
  int64_t width_;
  int64_t num_users_;
  int64_t num_items_;
  torch::Tensor others_;  // [nodes that are neither, D], a parameter; or undefined
};

/// Declares the key that says along which relations vectors are mixed.
template <class Options>
void describe_relations(Schema<Options>& schema) {
  schema.field("relations", &Options::relations)
      .doc("Relations of data.graph along which vectors are mixed; empty: all.");
}

/// Declares how many layers a propagation has, and how much of each is dropped: Options have members of
/// these names.
template <class Options>
void describe_layers(Schema<Options>& schema) {
  schema.field("layers", &Options::layers).must_be_in(1, 16).doc("Steps along edges.");
}
template <class Options>
void describe_layer_dropout(Schema<Options>& schema) {
  schema.field("dropout", &Options::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Drop probability of each layer's output in training.");
}

}  // namespace reckon
