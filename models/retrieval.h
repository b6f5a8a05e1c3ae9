#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/catalog.h"
#include "layers/embedding_table.h"
#include "layers/norm.h"
#include "layers/objective.h"
#include "layers/position.h"
#include "layers/scorer.h"
#include "layers/sequence_encoder.h"
#include "models/feature_table.h"
#include "models/model.h"
#include "models/pairwise.h"
#include "models/propagation.h"
#include "models/scoring_cache.h"

namespace reckon {

/// An embedding table for ids, as the config describes it.
struct IdOptions {
  EmbeddingInit init;
  bool sparse = false;
  std::string pretrained;
  bool frozen = false;
  static void describe(Schema<IdOptions>& schema);
};

/// A user seen as the items of the history.
struct HistoryOptions {
  int64_t max_length = 50;
  bool windows = false;
  bool scale = false;
  bool one_target = false;
  bool norm = false;
  double dropout = 0.2;
  std::optional<IdOptions> id;
  Component<Position> position;
  Component<SequenceEncoder> encoder;
  static void describe(Schema<HistoryOptions>& schema);
};

/// What represents an item; parts are added up.
struct ItemOptions {
  std::optional<IdOptions> id = IdOptions();
  std::optional<FeatureOptions> features;
  double dropout = 0.0;
  static void describe(Schema<ItemOptions>& schema);
};

/// What represents a user; several parts are added up, with `id_weight` g as g * (id + features) +
/// (1 - g) * history.
struct UserOptions {
  std::optional<IdOptions> id;
  std::optional<FeatureOptions> features;
  std::optional<HistoryOptions> history;
  std::optional<double> id_weight;
  static void describe(Schema<UserOptions>& schema);
};

/// The family that brings users and items into one space and compares them there.
///
/// A skeleton with slots: what an item is, what a user is, what mixes them along a graph, how two
/// representations are scored, and what is minimised. Matrix factorisation, recurrent and
/// transformer sequence models are presets of it.
/// Shapes   D = dim everywhere: item vectors [I, D], user states [B, D]
class Retrieval : public Model, public Learnable, public PairwiseLearnable {
 public:
  struct Options {
    int64_t dim = 64;
    ItemOptions item;
    UserOptions user;
    std::optional<Component<Propagation>> propagation;
    Component<Scorer> scorer;
    std::vector<Component<Objective>> objectives;
    static void describe(Schema<Options>& schema);
  };

  /// Throws ConfigError when slots do not fit each other, with the places of both.
  Retrieval(const Options& options, const Deps& deps);

  RequestNeeds request_needs() const override;
  Contract contract() const override;
  int64_t num_items() const override { return item_ids_.size(0); }
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override;
  torch::Tensor score_all(const State& state) override;
  std::optional<Factors> factors() override;
  torch::Tensor queries(const State& state) override;
  torch::Tensor query_bias(const State& state) override;
  std::optional<torch::Tensor> item_vectors() override;
  std::optional<torch::Tensor> user_vectors() override;
  std::optional<Explains> explains() const override;
  Explanation contributions(const Batch& request, const torch::Tensor& items) override;
  void fold(bool on) override;
  std::vector<Pretrained> pretrained() override;
  const FeatureEncoding* user_encoding() const override;
  torch::Tensor known_users(const torch::Tensor& users) override;
  torch::Tensor usable(const Batch& request) override;
  void train(bool on = true) override;
  Learnable* learnable() override { return this; }

  Needs needs() const override;
  Objective::Coupling coupling() const override;
  std::vector<torch::Tensor> shared(std::span<const Batch* const> step) override;
  Represented represent(const Batch& shard, const std::vector<torch::Tensor>& shared) override;
  LossParts loss(const Represented& rows, const std::vector<torch::Tensor>& shared,
                 int64_t step_number) override;

  Form pairwise_form() override;

 private:
  // What the constructor is made of, in this order. Each throws ConfigError when slots do not fit.
  void build_inputs(const Deps& deps);
  void build_history(const Deps& deps);
  void build_propagation(const Deps& deps);
  // `width` is that of the vectors that are scored.
  void build_objectives(const Deps& deps, int64_t width);

  bool has_user_ids() const { return !users_.is_empty(); }
  // Whether a user's dense id says something.
  bool reads_users() const { return has_user_ids() || !user_features_.is_empty(); }
  bool has_history() const { return encoder_ != nullptr; }

  // User and item vectors before propagation. Whoever training had no rows of is the features alone,
  // where there are any.
  torch::Tensor all_users();        // [U, D]
  torch::Tensor all_item_inputs();  // [I, D]
  NodeInputs node_inputs();

  // Whether users that the graph has not seen are made of their items.
  bool serves_new_users() const { return propagation_ && propagation_->serves_new_users(); }

  // Where in `shared` what lies; empty without propagation. Vectors are those of some nodes, users then
  // items, of whom kIndex says where each node stands; where that is undefined, of all in order.
  enum Shared { kVectors, kIndex, kOrigin, kNodes, kFirstView };
  // The nodes that a step asks for, ascending.   Shapes  -> [R] int64
  torch::Tensor nodes_of(std::span<const Batch* const> step) const;
  // Vectors of all nodes, and messages where new users are served: propagated once for as long as
  // weights and mode stay what they are.
  struct Scoring {
    std::vector<torch::Tensor> shared;
    torch::Tensor messages;  // [I, D']
  };
  Scoring for_scoring();
  Scoring propagate_all();

  // `part` says which of the shared tensors holds the rows.   Shapes   nodes [...] -> [..., D']
  torch::Tensor node_rows(const torch::Tensor& nodes, const std::vector<torch::Tensor>& shared,
                          Shared part) const;
  torch::Tensor item_rows(const torch::Tensor& ids, const std::vector<torch::Tensor>& shared);
  torch::Tensor user_rows(const torch::Tensor& ids, const std::vector<torch::Tensor>& shared);
  ScorerSide all_items(const std::vector<torch::Tensor>& shared);
  std::vector<View> views(const std::vector<torch::Tensor>& shared) const;
  // Throws ConfigError when vectors for all of `negatives` would not fit into any memory.
  void require_room(const torch::Tensor& negatives, size_t objective) const;
  // Vectors of the items of a history: the table's own, or those of the items that are scored.
  torch::Tensor history_rows(const torch::Tensor& history,
                             const std::vector<torch::Tensor>& shared);
  // What flows into the encoder.   Shapes   history [B, T] -> [B, T, D], zero on padding
  torch::Tensor history_vectors(const torch::Tensor& history,
                                const std::vector<torch::Tensor>& shared);
  // The state behind the last step.   Shapes   history [B, T] -> [B, D]
  torch::Tensor last_state(const torch::Tensor& history, const std::vector<torch::Tensor>& shared);
  // What targets are learnt from: `flat` are their places in the flattened history, `rows` those of
  // their users.   Shapes   history [B, T], flat [P] int64, rows [P] int64 -> [P, D]
  torch::Tensor target_states(const torch::Tensor& history, const torch::Tensor& flat,
                              const torch::Tensor& rows, const std::vector<torch::Tensor>& shared);
  // Whether nothing but the table's own rows flows into an encoder that adds them up.
  bool adds_up_rows(const std::vector<torch::Tensor>& shared) const;
  // What a request says of the user beside the history.   Shapes   users [B] known ones -> [B, D']
  torch::Tensor own_rows(const Batch& request, const torch::Tensor& users, const Scoring& scoring);
  // Whether users that the graph has not seen are made of their items, and nothing else is.
  bool is_made_of_messages() const { return serves_new_users() && !has_history(); }

  // A user's vector as the sum of what items bring and of the rest.
  struct Summands {
    torch::Tensor items;  // [B, P] int64, negative: none
    torch::Tensor parts;  // [B, P, D']
    torch::Tensor rest;   // [B, D']
  };
  Summands summands_of_history(const Batch& request, const State& state);
  Summands summands_of_messages(const Batch& request, const State& state);
  torch::Tensor joined(const torch::Tensor& of_history, const torch::Tensor& of_id) const;

  Options options_;
  // The union of what the objectives need; each different kind of negatives stands there once.
  Needs objective_needs_;
  bool wants_all_items_ = false, wants_origins_ = false, wants_channels_ = false,
       wants_nodes_ = false, wants_intents_ = false;
  ViewNeeds view_needs_;
  int64_t num_users_ = 0;
  std::vector<size_t> stream_of_;  // by objective: which of those negatives are its own
  EmbeddingTable items_{nullptr};
  EmbeddingTable users_{nullptr};
  EmbeddingTable history_items_{nullptr};  // empty where histories have the items' own vectors
  FeatureTable item_features_{nullptr};
  FeatureTable user_features_{nullptr};
  std::shared_ptr<Position> position_;
  Norm input_norm_{nullptr};
  std::shared_ptr<SequenceEncoder> encoder_;
  std::shared_ptr<Propagation> propagation_;
  std::shared_ptr<Scorer> scorer_;
  std::vector<std::shared_ptr<Objective>> objectives_;
  torch::Tensor item_ids_;       // [I] int64, a buffer: candidates of a score over all items
  torch::Tensor trained_users_;  // [U] bool, a buffer: who has rows in training
  torch::Tensor trained_items_;  // [I] bool, a buffer where items have features beside ids

  ScoringCache<Scoring> scoring_;
  torch::Tensor folded_vectors_;   // [U + I, D'], a buffer: empty unless folded
  torch::Tensor folded_messages_;  // [I, D'], a buffer: empty unless folded and there are any
  // Buffers of a child that is there while the model is folded, so that no checkpoint holds them.
  std::optional<UserEdges> folded_edges_;
};

}  // namespace reckon
