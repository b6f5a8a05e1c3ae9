#pragma once

#include <torch/nn/module.h>

#include <optional>

#include "core/schema.h"

namespace reckon {

/// One side of a score: vectors, and the dense ids they stand for (biases are looked up by id).
struct ScorerSide {
  torch::Tensor vectors;
  torch::Tensor ids;  ///< Undefined for a user that is known by its history alone.
  /// The trained vectors that a graph made `vectors` of, in the same order; undefined where none did.
  torch::Tensor origin;
};

/// A scorer's inner-product form: score = <query, item> + item_bias for the transformed vectors.
struct InnerProduct {
  torch::Tensor vectors;
  torch::Tensor bias;  ///< Undefined when there is none.
};

/// Says how well an item fits a user state.
class Scorer : public torch::nn::Module {
 public:
  using Kind = Scorer;
  static constexpr const char* kKind = "scorer";
  struct Deps {
    int64_t width = 0;
    int64_t num_users = 0;
    int64_t num_items = 0;
    bool has_user_ids = false;  ///< Whether ScorerSide::ids of users will be given.
  };

  /// Scores of P states against C candidates each.
  ///
  /// Shapes   users.vectors [P, D], users.ids [P]; items.vectors [P, C, D] or, the same candidates
  ///          for all, [C, D], items.ids [P, C] or [C] -> [P, C]
  virtual torch::Tensor forward(const ScorerSide& users, const ScorerSide& items) = 0;

  /// Whether scores are inner products, so that top-k kernels, indexes and fused losses apply.
  virtual bool is_inner_product() const { return false; }

  /// The two sides in inner-product form; with query_bias() added exactly equal to forward().
  ///
  /// Shapes   query_form: [P, D] -> [P, D']; item_form: [I, D] -> [I, D'] and bias [I]
  /// Throws   c10::Error when is_inner_product() is false.
  virtual torch::Tensor query_form(const ScorerSide& users);
  virtual InnerProduct item_form(const ScorerSide& items);

  /// query_form() of what a user's vector is the sum of: the parts add up to that of the whole. As
  /// it stands here for scorers whose query_form() is linear.
  ///
  /// Shapes   parts [P, N, D], whole [P, D], their sum -> [P, N, D']
  virtual torch::Tensor query_parts(const torch::Tensor& parts, const torch::Tensor& whole);

  /// What is added to all scores of a user, and so changes no order; undefined when nothing is.
  ///
  /// Shapes   -> [P]
  virtual torch::Tensor query_bias(const ScorerSide&) { return {}; }
};

/// The score of each state and the one item beside it.
///
/// Shapes   users.vectors [P, D], items.vectors [P, D] -> [P]
torch::Tensor paired_scores(Scorer& scorer, const ScorerSide& users, const ScorerSide& items);

}  // namespace reckon
