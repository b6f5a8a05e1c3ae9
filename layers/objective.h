#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"
#include "layers/scorer.h"
#include "layers/triple_scorer.h"
#include "layers/triples.h"

namespace reckon {

/// A loss as a sum and the weight it is a sum over; the trainer divides, so shards add up.
struct LossParts {
  torch::Tensor sum;                     // [] differentiable
  double weight = 0.0;                   ///< Number (or total weight) of the targets in `sum`.
  std::map<std::string, double> logged;  ///< Further sums over the same targets, for the log.
};

/// How a view of the graph, made for one step, differs from the graph itself.
struct ViewNeeds {
  enum class Kind {
    kNone,         ///< No views are wanted.
    kEdgeDropout,  ///< Each edge is left out with probability `amount`, both ways at once.
    kNoise,        ///< Each layer is moved by `amount` in a random direction of its orthant.
    kSvd,          ///< Layers go along what `rank` singular values keep of the graph.
  } kind = Kind::kNone;
  double amount = 0.0;
  int64_t rank = 0;
  int64_t count = 2;  ///< Views of one step, each drawn for itself.

  bool operator==(const ViewNeeds&) const = default;
};

template <>
struct EnumNames<ViewNeeds::Kind> {
  static std::vector<std::pair<std::string, ViewNeeds::Kind>> all() {
    return {{"edge_dropout", ViewNeeds::Kind::kEdgeDropout},
            {"noise", ViewNeeds::Kind::kNoise},
            {"svd", ViewNeeds::Kind::kSvd}};
  }
};

/// The distinct users and items of a step as one view of the graph shows them.
struct View {
  torch::Tensor users;  // [Us, D]
  torch::Tensor items;  // [Is, D]
};

/// Items that the same users chose, by how closely (Mao et al., UltraGCN, CIKM 2021): with G[i, j] users
/// in common and g[i] the sum of a row, weights are G[i, j] / (g[i] - G[i, i]) * sqrt(g[i] / g[j]).
struct ItemNeighbours {
  torch::Tensor ids;      // [I, K] int64, kPaddingId where there are fewer
  torch::Tensor weights;  // [I, K], zero there
};

/// A mean over those whom each user hears in one way, such as friends.   Shapes   [U, D] -> [U, D]
using UserChannel = std::function<torch::Tensor(const torch::Tensor&)>;

/// What an objective may want to know of the training interactions before it learns from them.
struct InteractionStatistics {
  torch::Tensor user_degrees;  // [U] distinct items of each
  torch::Tensor item_degrees;  // [I] distinct users of each
  ItemNeighbours neighbours;   ///< Undefined when none were asked for.
};

/// The edges of a graph as facts, and how plausible each is by what a propagation knows of relations.
struct GraphFacts {
  std::shared_ptr<const Triples> triples;  ///< Entities are nodes. Null while only sizes are known.
  std::shared_ptr<TripleScorer> scorer;    ///< A part of the propagation, which owns it.
};

/// Everything an objective may look at: P positions, flattened over users and steps.
///
/// What the objective's needs do not name is undefined.
struct ObjectiveInput {
  ScorerSide users;                    // vectors [P, D], ids [P]
  ScorerSide targets;                  // vectors [P, D], ids [P]
  torch::Tensor negative_ids;          // [N], shared by all, or [P, N]
  torch::Tensor negative_hits;         // [P, N] bool: which of [N] the user of a target has
  torch::Tensor labels;                // [P]
  torch::Tensor weights;               // [P]
  torch::Tensor target_log_q;          // [P], how often a target is drawn as a negative
  torch::Tensor negative_log_q;        // [N] or [P, N]
  torch::Tensor target_log_frequency;  // [P], how often a target is one
  int64_t num_items = 0;
  /// Vectors [N, D] or [P, N, D] of the negatives; asked for once, and only when needed.
  std::function<ScorerSide()> negatives;
  std::function<ScorerSide()> all_items;  ///< vectors [I, D], ids [I]; asked for only when needed.
  /// Vectors [..., D] of any items [...]; only when `any_items` is needed.
  std::function<ScorerSide(const torch::Tensor&)> items;
  /// Rows [..., D] of the items' own table, before dropout and propagation.
  std::function<torch::Tensor(const torch::Tensor& ids)> item_table;
  bool items_are_sparse = false;  ///< Gradients of items are to name only the rows touched.
  Scorer* scorer = nullptr;
  /// Vectors [U, D] of all users, and their channels; only when `channels` are needed.
  std::function<torch::Tensor()> all_users;
  std::vector<UserChannel> channels;
  torch::Tensor nodes;  ///< [N, D], trained vectors of all nodes of the graph; with `graph_facts`.
  torch::Tensor intents;  ///< [K, D], those of a propagation; with `intents`.
  /// The graph itself as a view, then those that were asked for; empty when none were.
  std::vector<View> views;
};

/// What an objective asks of the batches; a plain struct, so that layers/ knows no data set.
struct ObjectiveNeeds {
  int64_t negatives = 0;  ///< Per target; 0 when none are drawn.
  enum class Sharing { kStep, kShard, kExample, kPosition } sharing = Sharing::kExample;
  double popularity_exponent = 0.0;  ///< 0 draws uniformly.
  bool exclude_positives = true;     ///< Of draws for a step or shard: negative_hits is asked for.
  bool labels = false;
  bool log_q = false;          ///< Log probabilities of drawing the negatives, and each target.
  bool log_frequency = false;  ///< Log share of each target in the training interactions.
  bool all_items = false;      ///< ObjectiveInput::all_items is asked for.
  bool user_ids = false;       ///< ScorerSide::ids of users is looked at.
  bool any_items = false;      ///< ObjectiveInput::items is asked for.
  bool origins = false;        ///< ScorerSide::origin is looked at.
  bool triples = false;        ///< Facts about items, Deps::triples.
  bool channels = false;       ///< ObjectiveInput::all_users and channels are asked for.
  bool graph_facts = false;    ///< Deps::graph_facts and ObjectiveInput::nodes.
  bool intents = false;        ///< ObjectiveInput::intents is looked at.
  ViewNeeds views;
};

template <>
struct EnumNames<ObjectiveNeeds::Sharing> {
  static std::vector<std::pair<std::string, ObjectiveNeeds::Sharing>> all() {
    return {{"step", ObjectiveNeeds::Sharing::kStep},
            {"shard", ObjectiveNeeds::Sharing::kShard},
            {"example", ObjectiveNeeds::Sharing::kExample},
            {"position", ObjectiveNeeds::Sharing::kPosition}};
  }
};

/// What is minimised.
class Objective : public torch::nn::Module {
 public:
  using Kind = Objective;
  static constexpr const char* kKind = "objective";
  struct Deps {
    int64_t width = 0;        ///< Of the vectors that scorers see.
    int64_t table_width = 0;  ///< Of the rows of the items' own table.
    int64_t num_users = 0;
    int64_t num_items = 0;
    int64_t num_channels = 0;  ///< In which users hear others along the model's propagation.
    /// Counts the training interactions, with the `num_neighbours` closest items of each (0: none); a
    /// pass over the data. Empty while only sizes are known.
    std::function<InteractionStatistics(int64_t num_neighbours)> statistics;
    /// What the data says of items beside the interactions; null when it says nothing, or while only
    /// sizes are known.
    std::shared_ptr<const Triples> triples;
    /// What a propagation along typed edges gives; without a scorer when there is none.
    GraphFacts graph_facts;
  };
  /// Keys that every objective takes beside its own: an entry of the list `objectives`.
  struct Common {
    double weight = 1.0;
    int64_t every = 1;
    static void describe(Schema<Common>& schema);
  };

  /// kExample: the loss of a shard is a part of the whole. kBatch: positions of the step interact
  /// (in-batch softmax), so it is computed once on the gathered representations.
  enum class Coupling { kExample, kBatch };

  virtual ObjectiveNeeds needs() const = 0;
  virtual Coupling coupling() const { return Coupling::kExample; }
  virtual LossParts forward(const ObjectiveInput& input) = 0;
};

}  // namespace reckon
