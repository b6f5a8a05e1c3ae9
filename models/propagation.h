#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/schema.h"
#include "datasets/graph.h"
#include "datasets/interactions.h"
#include "layers/objective.h"

namespace reckon {

/// A view of the graph that one step makes: what it differs in, and the key of what is drawn for it.
struct GraphView {
  ViewNeeds needs;
  uint64_t key = 0;
};

/// Vectors of some nodes after propagation, and the trained vectors of the same nodes.
struct Propagated {
  torch::Tensor vectors;  // [R, D']
  torch::Tensor origin;   // [R, D]
};

/// Looks up vectors of some users and items before propagation; gradients go to those rows alone.
/// Shapes   dense ids [n] int64 -> [n, D]
struct NodeInputs {
  std::function<torch::Tensor(const torch::Tensor&)> users, items;
};

/// The items that users of a graph get messages of. A known user's vector is
///
///   its own part + scale[u] * sum_e weights[e] * messages()[items[e]]
///
/// where the own part is all that comes of no item next to it.
struct UserEdges {
  torch::Tensor offsets;  // [U + 1] int64
  torch::Tensor items;    // [E] int32
  torch::Tensor weights;  // [E], undefined: all 1
  torch::Tensor scale;    // [U]
};

/// Mixes user and item representations along the edges of a graph, once for each step.
class Propagation : public torch::nn::Module {
 public:
  using Kind = Propagation;
  static constexpr const char* kKind = "propagation";
  struct Deps {
    int64_t width = 0;
    int64_t num_users = 0;
    int64_t num_items = 0;
    const Graph* graph = nullptr;  ///< Null while only sizes are known.
  };

  /// Width D' of what comes out.
  virtual int64_t output_width() const = 0;

  /// Whether it knows views of that kind.
  virtual bool makes_views(ViewNeeds::Kind) const { return false; }

  /// Told once, before any step, which views steps will ask for: what such a view needs of the graph
  /// alone is made here.
  virtual void prepare_views(const ViewNeeds&) {}

  /// The vectors of `rows` alone, which are nodes of the graph: users from 0, items from U. What they do
  /// not depend on need not be computed.
  ///
  /// Shapes   users [U, D], items [I, D], rows [R] int64, distinct -> [R, D'], [R, D]
  virtual Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                             const torch::Tensor& rows, const std::optional<GraphView>& view) = 0;

  /// Whether a step of training hears drawn neighbours alone; scoring always hears all of them.
  virtual bool samples_neighbours() const { return false; }

  /// forward() over neighbourhoods that are drawn for `rows`, a function of `key`; no other vectors are
  /// looked up. Only asked for when samples_neighbours().
  ///
  /// Shapes   rows [R] int64, distinct -> [R, D'], [R, D]
  virtual Propagated forward_sampled(const NodeInputs& inputs, const torch::Tensor& rows,
                                     uint64_t key);

  /// The graph's edges as facts, for objectives that learn from them; without a scorer where relations have
  /// no vectors. Whoever gives some gives node_vectors() too.
  virtual GraphFacts facts() const { return {}; }
  /// The trained vectors of all nodes.   Shapes   users [U, D], items [I, D] -> [N, D]
  virtual torch::Tensor node_vectors(const torch::Tensor& users, const torch::Tensor& items) const;

  /// What users may be after, as vectors that are to differ; undefined where there is no such thing.
  /// Shapes   -> [K, D]
  virtual torch::Tensor intents() const { return {}; }

  /// What an item tells a user whom the graph has never seen: such a user is the sum of the messages of
  /// n items, times n^message_exponent(). Undefined where that says nothing; only asked for when
  /// serves_new_users().
  ///
  /// Shapes   users [U, D], items [I, D] -> [I, D']
  virtual bool serves_new_users() const { return false; }
  virtual torch::Tensor messages(const torch::Tensor& users, const torch::Tensor& items);
  virtual double message_exponent() const { return -0.5; }

  /// Whether vectors of known users are sums of those messages too, so that user_edges() is there.
  /// Only asked for when serves_new_users().
  virtual bool is_sum_of_messages() const { return false; }
  virtual UserEdges user_edges() const;

  /// Means over those whom users hear, one for each channel in which they hear others; none where users
  /// have no channels. They have no parameters, and live as long as the propagation.
  virtual std::vector<UserChannel> channels() const { return {}; }
};

/// The graph of what users did in training, and the same the other way round, for data that declares no
/// other.
Graph interaction_graph(const Interactions& train);

}  // namespace reckon
