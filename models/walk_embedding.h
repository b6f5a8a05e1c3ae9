#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/alias_table.h"
#include "core/schema.h"
#include "models/model.h"
#include "models/random_walks.h"

namespace reckon {

/// Vectors of nodes that tell who is met on random walks: skip-gram with negative sampling over walks on
/// the graph of data.graph, or on that of users and items alone (DeepWalk: Perozzi, Al-Rfou, Skiena, KDD
/// 2014; node2vec: Grover, Leskovec, KDD 2016; metapath2vec: Dong, Chawla, Swami, KDD 2017; the walks are
/// those of random_walks.h, the loss that of skip_gram.h).
///
/// A node v and each node c at most `window` places from it on a walk are a pair, `negatives` nodes are
/// drawn beside it by q ~ degree^0.75, of which c itself is left out. With vectors x and contexts y, what
/// minimises the loss has <x_v, y_c> = log(p / (1 - p)) - log(negatives q(c)), p = p(c | v) being the share
/// of c among what v meets (Levy, Goldberg, NIPS 2014, where nothing is left out), so that
///
///   score: meeting   <x_u, y_i> + log(negatives q(i)), the logarithm of the odds of meeting i
///   score: vectors   <x_u, x_i>
///
/// An epoch takes walks_per_node walks from each node, drawn anew; the learning rate falls linearly with
/// the walks. Walks are drawn by all threads and learnt from in their order, so that results depend on the
/// seed alone; `lock_free` learns from several at once (Niu et al., NIPS 2011), and they differ in their
/// last digits from run to run.
///
/// In mutual data a user and the item that is the same are one node.
///
/// Who has no vector is served by the mean of the vectors of the history's items.
class WalkEmbedding : public Model, public Fittable {
 public:
  enum class Score { kMeeting, kVectors };

  struct Options {
    int64_t dim = 64;
    int64_t walks_per_node = 2;
    int64_t walk_length = 40;
    int64_t window = 5;
    int64_t negatives = 5;
    int64_t epochs = 10;
    double lr = 0.025;
    double return_parameter = 1.0;
    double in_out_parameter = 1.0;
    std::vector<std::string> metapath;
    std::vector<std::string> relations;
    Score score = Score::kMeeting;
    bool lock_free = false;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   ConfigError when the graph lacks a relation or a type that the options name.
  WalkEmbedding(const Options& options, const Deps& deps);

  int64_t num_rounds() const override { return options_.epochs; }
  /// Returns  the mean loss of the pairs, each from before its step.
  /// Throws   std::invalid_argument when no walk can begin, or the loss is no number any more.
  double fit(const Interactions& train, const Context& context) override;

  RequestNeeds request_needs() const override;
  Contract contract() const override { return {.known_user = true, .new_user_with_history = true}; }
  int64_t num_items() const override { return num_items_; }
  torch::Tensor known_users(const torch::Tensor& users) override;
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  std::optional<Factors> factors() override;
  torch::Tensor queries(const State& state) override { return state.tensors[0].unsqueeze(1); }
  std::optional<torch::Tensor> item_vectors() override { return rows_of_items(vectors_); }
  std::optional<torch::Tensor> user_vectors() override { return vectors_.narrow(0, 0, num_users_); }
  Fittable* fittable() override { return this; }

 private:
  /// What one walk is to be learnt from.
  struct Examples;

  bool scores_meeting() const { return options_.score == Score::kMeeting; }
  torch::Tensor rows_of_items(const torch::Tensor& table) const {
    return table.narrow(0, first_item_, num_items_);  // [I, D]
  }
  void begin(uint64_t seed);
  void draw(int32_t start, const RandomKey& key, Examples& examples) const;
  double learn(const Examples& examples, double lr);

  Options options_;
  int64_t num_users_;
  int64_t num_items_;
  int64_t first_item_;       // among the nodes; those of mutual data are the users
  torch::Tensor vectors_;    // [N, D], of users, items and all other nodes
  torch::Tensor contexts_;   // [N, D]
  torch::Tensor item_bias_;  // [I], log(negatives q)
  torch::Tensor known_;      // [U] bool
  torch::Tensor noise_;      // [N] float64, q
  std::optional<RandomWalks> walks_;
  AliasTable draws_of_noise_;
};

template <>
struct EnumNames<WalkEmbedding::Score> {
  static std::vector<std::pair<std::string, WalkEmbedding::Score>> all() {
    return {{"meeting", WalkEmbedding::Score::kMeeting},
            {"vectors", WalkEmbedding::Score::kVectors}};
  }
};

}  // namespace reckon
