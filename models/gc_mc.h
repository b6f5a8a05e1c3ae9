#pragma once

#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/neighbours.h"
#include "models/feature_table.h"
#include "models/rating_model.h"
#include "models/scoring_cache.h"

namespace reckon {

/// Graph convolutional matrix completion (van den Berg, Kipf, Welling, 2017; KDD Deep Learning Day 2018):
/// users and items are nodes, ratings edges, each level of ratings an edge type of its own.
///
///   h_n = relu(accumulate_r of the sum over m in N_r(n) of c_nm T_r[m]),   f_n = relu(features_n + b)
///   v_n = W [h_n, f_n],   p(r | u, i) = softmax_r(v_u^T Q_r v_i),   Q_r = sum_s a_rs P_s
///   r(u, i) = sum_r level_r p(r | u, i),   c_nm = 1 / |N(n)| or 1 / sqrt(|N(n)| |N(m)|)
///
/// A node's input is its number alone, so that T_r, the product of a level's matrix with it, is a table of
/// what each node tells along that level; with `share_levels` it is a sum over the levels up to r. Levels
/// are stacked, `hidden` being divided among them, or summed. |N(n)| counts ratings of all levels. In
/// training, nodes are left out as senders (node dropout), and elements of [h_n, f_n]. W has no bias and,
/// as in the experiments of the paper, no activation; users and items share it, unless there are features,
/// whose part f_n whoever has none goes without. What is minimised is the cross-entropy of the ratings of
/// a batch, the graph being that of all training ratings: it is gone over once for each step, so that the
/// best batch is all of them.
///
/// Users and items without a training rating have the means of RatingMeans, with features or without.
/// Shapes   U users, I items, N = U + I, R levels, D = dim, n = bases, E ratings
class GcMc : public RatingModel, public Learnable {
 public:
  enum class Accumulate { kStack, kSum };
  enum class Normalize { kLeft, kSymmetric };
  /// What is known of users, or of items, beside their ratings.
  struct Side {
    std::optional<FeatureOptions> features;
    static void describe(Schema<Side>& schema);
  };
  struct Options {
    std::vector<double> levels = {1.0, 2.0, 3.0, 4.0, 5.0};
    Accumulate accumulate = Accumulate::kStack;
    Normalize normalize = Normalize::kLeft;
    bool share_levels = false;
    int64_t hidden = 500;
    int64_t dim = 75;
    int64_t bases = 2;
    double dropout = 0.7;
    Side item;
    Side user;
    int64_t feature_dim = 10;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   ConfigError when the data has no ratings, or one that is none of the levels.
  GcMc(const Options& options, const Deps& deps);

  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;
  std::optional<torch::Tensor> item_vectors() override { return for_scoring().items; }  // [I, D]
  std::optional<torch::Tensor> user_vectors() override { return for_scoring().users; }  // [U, D]
  void fold(bool on) override;
  void train(bool on = true) override;
  using torch::nn::Module::to;
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;
  Learnable* learnable() override { return this; }

  Needs needs() const override;
  Objective::Coupling coupling() const override { return Objective::Coupling::kExample; }
  /// The products v_u^T P_s [U, n, D], and the items' vectors [I, D].
  std::vector<torch::Tensor> shared(std::span<const Batch* const> step) override;
  Represented represent(const Batch& shard, const std::vector<torch::Tensor>& shared) override;
  LossParts loss(const Represented& rows, const std::vector<torch::Tensor>& shared,
                 int64_t step_number) override;

 private:
  /// v_n of all nodes.
  struct Vectors {
    torch::Tensor users;  // [U, D]
    torch::Tensor items;  // [I, D]
  };

  int64_t num_levels() const { return static_cast<int64_t>(options_.levels.size()); }
  bool stacks() const { return options_.accumulate == Accumulate::kStack; }
  bool has_features() const { return options_.user.features || options_.item.features; }
  // Width F of what a node tells along one level.
  int64_t told_width() const { return stacks() ? options_.hidden / num_levels() : options_.hidden; }
  void read(const Interactions& train);
  void build_graph(const Ratings* ratings);
  void move_graph(const torch::Device& device);

  Vectors all_vectors();
  Vectors for_scoring();
  // Shapes   hidden [N_side, hidden] -> [N_side, D]
  torch::Tensor side_vectors(const torch::Tensor& hidden, FeatureTable& features,
                             const torch::Tensor& bias, const torch::Tensor& weight);
  // Shapes   products [..., n] -> [...]
  torch::Tensor expected(const torch::Tensor& products) const;

  Options options_;
  torch::Tensor levels_;  // [R], a buffer
  NeighbourLists lists_;  // nodes that hear: N R where levels are stacked, else N; senders N R
  torch::Tensor sends_, hears_;  // [N, 1] each, factors of c_nm
  torch::Tensor told_;           // T, [N, R F]
  FeatureTable user_features_{nullptr}, item_features_{nullptr};
  torch::Tensor user_feature_bias_, item_feature_bias_;  // [feature_dim]
  // The same one without features.
  torch::nn::Linear user_dense_{nullptr}, item_dense_{nullptr};
  torch::Tensor bases_;         // P, [n, D, D]
  torch::Tensor coefficients_;  // a, [n, R]

  ScoringCache<Vectors> scoring_;
  torch::Tensor folded_users_, folded_items_;  // [U, D], [I, D], buffers: empty unless folded
};

template <>
struct EnumNames<GcMc::Accumulate> {
  static std::vector<std::pair<std::string, GcMc::Accumulate>> all() {
    return {{"stack", GcMc::Accumulate::kStack}, {"sum", GcMc::Accumulate::kSum}};
  }
};

template <>
struct EnumNames<GcMc::Normalize> {
  static std::vector<std::pair<std::string, GcMc::Normalize>> all() {
    return {{"left", GcMc::Normalize::kLeft}, {"symmetric", GcMc::Normalize::kSymmetric}};
  }
};

}  // namespace reckon
