#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/catalog.h"
#include "datasets/batch.h"
#include "datasets/column_source.h"
#include "datasets/graph.h"
#include "datasets/interactions.h"
#include "datasets/needs.h"
#include "layers/objective.h"

namespace reckon {

class FeatureEncoding;

/// What a model made of a request; opaque to all but the model. Each tensor has one row per request.
struct State {
  std::vector<torch::Tensor> tensors;
};

/// The inner-product form of a model:
/// score(b, i) = reduce_m <query[b, m], items[i]> + bias[i] + query_bias[b].
struct Factors {
  enum class Reduction { kSum, kMax };

  torch::Tensor items;      // [I, D]
  torch::Tensor item_bias;  // [I], undefined when there is none
  Reduction reduction = Reduction::kSum;
};

/// Who can be served, in writing; the exported file carries it.
struct Contract {
  bool known_user = false;             ///< By user id, from parameters of the model.
  bool new_user_with_history = false;  ///< By a list of item ids.
  bool user_features = false;          ///< By the values of columns of the table of users.
  bool new_item_with_content = false;  ///< Items without training rows, by their own columns.
  /// What a request without anything usable gets; a sentence.
  std::string fallback = "the items most popular in training";
};

/// What scores of a model are sums over, and so what can be named as having carried one.
struct Explains {
  enum class By { kItems, kUsers };

  By by = By::kItems;
  /// Known users: by what they did in training, which the model keeps for it, and not by the
  /// history of a request.
  bool reads_training = false;
};

/// A score divided among what it is the sum of: score(b, i) = sum_p contributions[b, p] + rest[b].
struct Explanation {
  torch::Tensor sources;        // [B, P] int64, dense ids, each once in a row; negative: none
  torch::Tensor contributions;  // [B, P], zero where there is no source
  torch::Tensor rest;           // [B], of no source, such as vectors of ids and biases
};

/// Learning by gradients: what the supervised procedure talks to.
///
/// A step is: shared() once; represent() for each shard, on any thread; loss() of each shard, or for
/// Coupling::kBatch once of the gathered shards. None of them changes the model.
class Learnable {
 public:
  /// Differentiable rows, and fixed facts about them, made from one shard.
  struct Represented {
    std::vector<torch::Tensor> rows;   ///< Differentiable; gathered along dimension 0.
    std::vector<torch::Tensor> fixed;  ///< No gradient; gathered along dimension 0 too.
    std::vector<torch::Tensor> step;   ///< Differentiable or not; the same for every shard.
  };

  virtual ~Learnable() = default;

  virtual Needs needs() const = 0;
  virtual Objective::Coupling coupling() const = 0;

  /// What every shard needs and is costly to make (graph propagation, a full item table); computed
  /// once for each step. Shard gradients are added up at those of these tensors that need one and sent
  /// back once. `step` holds the shards that it is for: the result serves no others.
  virtual std::vector<torch::Tensor> shared(std::span<const Batch* const> step) {
    static_cast<void>(step);
    return {};
  }

  virtual Represented represent(const Batch& shard, const std::vector<torch::Tensor>& shared) = 0;

  /// `step_number` counts optimiser steps from 0 (objectives may run every n-th step).
  virtual LossParts loss(const Represented& rows, const std::vector<torch::Tensor>& shared,
                         int64_t step_number) = 0;
};

/// Learning without gradients: fills buffers, so that checkpoints and exports need no special case.
class Fittable {
 public:
  /// What a fit may ask beside the data.
  struct Context {
    uint64_t seed = 1;
    int64_t round = 0;  ///< From 0; rounds come in order, each once.
  };

  virtual ~Fittable() = default;

  /// How often fit() is called: 1 for a closed form or one count, more for sweeps. After each round
  /// the model can be evaluated, and its buffers hold all that the next one needs: a checkpoint
  /// between two rounds goes on as if nothing had been.
  virtual int64_t num_rounds() const { return 1; }

  /// Works with at::get_num_threads() threads, which never shows in results, unless an option of the
  /// model's own says so.
  ///
  /// Returns  the mean loss of the round over what it learnt from, NaN when it minimises none.
  /// Throws   std::invalid_argument with a sentence when the data allows no fit (a singular system).
  virtual double fit(const Interactions& train, const Context& context) = 0;
};

/// Makes `value` the content of a registered buffer, without copying where it need not; for buffers whose
/// size the data decides: they are empty until a fit or a checkpoint fills them.
void fill_buffer(torch::Tensor& buffer, const torch::Tensor& value);

/// A whole recommender, as trainer, evaluator, exporter and server know it.
class Model : public torch::nn::Module {
 public:
  using Kind = Model;
  static constexpr const char* kKind = "model";
  static constexpr const char* kSelector = "family";
  struct Deps {
    int64_t num_users = 0;
    int64_t num_items = 0;
    /// Training interactions, for models that hold a graph of them; null while only sizes are known.
    const Interactions* train = nullptr;
    /// What the data declares beside them (data.graph); null when it declares none.
    const Graph* graph = nullptr;
    bool has_ratings = true;  ///< Whether interactions carry ratings; what learns them asks.
    bool mutual = true;  ///< Whether they are pairs of users; what compares who knows whom asks.
    /// Columns of the tables of items and users, for models with features; null while only sizes are
    /// known.
    ColumnSource columns = nullptr;
  };

  /// A file of vectors that the config names for one of the model's tables, row = raw id.
  struct Pretrained {
    std::string path;
    bool items = true;    ///< Else users.
    bool frozen = false;  ///< Never trained: an id without a vector stays at zero.
    std::string option;   ///< Where the config names the file: `model.item.id.pretrained`.
    /// Takes [rows, width] by dense id; rows of NaN are ids without a vector.
    std::function<void(const torch::Tensor&)> load;
    int64_t width = 0;
  };

  // --- Scoring. Requests are batches with the keys that request_needs() asks for. Every function
  // --- below must be traceable: no C++ integer taken from a tensor's size may reach an op.

  virtual RequestNeeds request_needs() const = 0;
  virtual Contract contract() const = 0;
  virtual int64_t num_items() const = 0;

  /// Shapes   request of B rows -> State of B rows
  virtual State encode(const Batch& request) = 0;

  /// Shapes   candidates [B, C] int64 dense item ids -> [B, C]
  virtual torch::Tensor score(const State& state, const torch::Tensor& candidates) = 0;

  /// A capability for models that score all items of a request together for less than one after another:
  /// rankings then ask score_all() in place of many score().
  virtual bool can_score_all() const { return false; }

  /// Shapes   state of B rows -> [B, I]
  /// Throws   c10::Error when can_score_all() is false.
  virtual torch::Tensor score_all(const State& state);

  /// A capability: asked for, never assumed. Where it is present, queries() is too.
  virtual std::optional<Factors> factors() { return std::nullopt; }

  /// Shapes   -> [B, M, D]
  /// Throws   c10::Error when factors() is empty.
  virtual torch::Tensor queries(const State& state);

  /// What factors() leaves out of every score of a request, and so changes no order; undefined when
  /// it leaves out nothing.
  /// Shapes   -> [B]
  virtual torch::Tensor query_bias(const State&) { return {}; }

  /// One vector for each item, for similar_items and embeddings out; empty when there is none.
  virtual std::optional<torch::Tensor> item_vectors() { return std::nullopt; }  // [I, D]
  virtual std::optional<torch::Tensor> user_vectors() { return std::nullopt; }  // [U, D]

  /// A capability: whether a score is a sum over items or users, so that each of them has a share.
  virtual std::optional<Explains> explains() const { return std::nullopt; }

  /// The shares in the score of one item for each request. Users that a request lacks are unknown.
  /// What usable() says nothing usable of has no share in anything.
  ///
  /// Shapes   request of B > 0 rows, items [B] int64 dense item ids
  /// Throws   c10::Error when explains() is empty.
  virtual Explanation contributions(const Batch& request, const torch::Tensor& items);

  /// Puts what is the same for every request and costly to make (propagated vectors) into buffers, from
  /// which scoring then reads, or empties them again: a trace of a folded model holds the result and
  /// not its making. Training has no use for it.
  virtual void fold(bool on) { static_cast<void>(on); }

  /// How the raw values that describe a user become the tensors kUserCodes and kUserNumbers of a
  /// request; null unless Contract::user_features.
  virtual const FeatureEncoding* user_encoding() const { return nullptr; }

  /// What is to be read from files before training begins.
  virtual std::vector<Pretrained> pretrained() { return {}; }

  // --- Who can be answered: one rule for evaluation, export and serving, which give everybody else
  // --- Contract::fallback.

  /// Whether the ranking looks at no part of a request, so that nothing can be missing from one.
  bool ranks_for_everybody() const;

  /// The users that training had rows of, kUnknownId in place of all others: no vector of theirs was
  /// ever learnt. encode() sees users through this.
  /// Shapes   users [B] int64 -> [B] int64
  virtual torch::Tensor known_users(const torch::Tensor& users) { return users; }

  /// Which rows of a request hold something to rank by: a user that training had rows of, or a history
  /// with a known item in it, as far as the model reads them.
  /// Shapes   request of B rows -> [B] bool
  virtual torch::Tensor usable(const Batch& request);

  /// Whether the buffers fit each other, for those whose size is not known before a fit: a checkpoint
  /// or a caller may have filled them with anything.
  /// Throws   std::invalid_argument with a sentence.
  virtual void check_buffers() const {}

  // --- Learning capabilities; the procedure asks, and says so when the model has not the one it needs.

  virtual Learnable* learnable() { return nullptr; }
  virtual Fittable* fittable() { return nullptr; }
};

}  // namespace reckon
