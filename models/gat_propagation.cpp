#include "models/gat_propagation.h"

#include <cmath>
#include <stdexcept>

#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

namespace {

// A vector of 2 F numbers for each head by Xavier's rule, of which this is one half.
torch::Tensor draw_attention(int64_t num_heads, int64_t width) {
  const double bound = std::sqrt(6.0 / static_cast<double>(2 * width + 1));
  return torch::empty({num_heads, width}).uniform_(-bound, bound);  // [H, F]
}

}  // namespace

void GatPropagation::Options::describe(Schema<Options>& schema) {
  describe_layers(schema);
  schema.field("num_heads", &Options::num_heads)
      .must_be_in(1, 64)
      .doc("Attention heads; they divide the width.");
  schema.field("negative_slope", &Options::negative_slope)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Of the leaky ReLU that scores go through.");
  schema.field("self_loops", &Options::self_loops)
      .doc("Whether a node is one of its own neighbours.");
  schema.field("average_last", &Options::average_last)
      .doc("Heads of the last layer as wide as the model, and averaged.");
  describe_layer_dropout(schema);
  schema.field("attention_dropout", &Options::attention_dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Drop probability of the share of a neighbour in training.");
  schema.field("combine", &Options::combine)
      .doc("What becomes of the layers: side by side, the last alone, or their mean.");
  describe_fanouts(schema);
  describe_relations(schema);
}

GatPropagation::GatPropagation(const Options& options, const Deps& deps)
    : LayeredPropagation(options.layers, options.combine, options.relations, options.fanouts, deps),
      options_(options),
      lists_(neighbour_lists(graph(), options.self_loops)) {
  if (width() % options.num_heads != 0)
    throw std::invalid_argument("num_heads " + std::to_string(options.num_heads) +
                                " does not divide the width " + std::to_string(width()));
  inputs_ = register_module("inputs", torch::nn::ModuleList());
  for (int64_t k = 0; k < options.layers; ++k) {
    const bool averages = options.average_last && k == options.layers - 1;
    const int64_t head_width = averages ? width() : width() / options.num_heads;
    torch::nn::Linear input(
        torch::nn::LinearOptions(width(), options.num_heads * head_width).bias(false));
    xavier_uniform(input, averages ? options.num_heads : 1);
    inputs_->push_back(input);
    const auto number = std::to_string(k);
    receivers_.push_back(
        register_parameter("receivers_" + number, draw_attention(options.num_heads, head_width)));
    senders_.push_back(
        register_parameter("senders_" + number, draw_attention(options.num_heads, head_width)));
  }
}

void GatPropagation::move_graph(const torch::Device& device) {
  LayeredPropagation::move_graph(device);
  lists_ = lists_.to(device);
}

NeighbourLists GatPropagation::lists_of(const Neighbourhood& near) const {
  if (const auto* drawn = near.drawn())
    return options_.self_loops ? with_self_loops(drawn->lists) : drawn->lists;
  const bool is_view = !near.graph().ends.is_same(graph().ends);
  const auto lists = is_view ? neighbour_lists(near.graph(), options_.self_loops) : lists_;
  return near.rows().defined() ? lists_of_rows(lists, near.rows()).lists : lists;
}

torch::Tensor GatPropagation::layer(int64_t k, const Neighbourhood& near, const torch::Tensor& x) {
  const auto lists = lists_of(near);
  const auto h = inputs_[k]->as<torch::nn::Linear>()->forward(x).unflatten(1, {options_.num_heads,
                                                                               -1});  // [N, H, F]
  const auto to_receivers = near.own((h * receivers_[k]).sum(-1));                    // [R, H]
  const auto to_senders = (h * senders_[k]).sum(-1);                                  // [N, H]
  const auto scores = at::leaky_relu(edge_sums(lists, to_receivers, to_senders),
                                     options_.negative_slope);  // [E, H]
  const auto shares = reckon::dropout(edge_softmax(lists, scores), options_.attention_dropout,
                                      is_training());        // [E, H]
  const auto heads = weighted_neighbours(lists, shares, h);  // [R, H, F]
  const bool is_last = k == num_layers() - 1;
  auto mixed = is_last && options_.average_last ? heads.mean(1) : heads.flatten(1);  // [R, D]
  if (!is_last) mixed = at::elu(mixed);                                              // [R, D]
  return reckon::dropout(mixed, options_.dropout, is_training());                    // [R, D]
}

}  // namespace reckon
