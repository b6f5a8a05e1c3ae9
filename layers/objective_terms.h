#pragma once

#include <torch/types.h>

#include "kernels/shared_logistic.h"
#include "layers/objective.h"

namespace reckon {

/// What the objectives are made of; shapes as in ObjectiveInput.

/// The scores of an item that may not count: so low that no exponential sees it, yet finite, so that
/// a row in which nothing counts has gradients of zero and not of NaN.
inline constexpr double kExcludedScore = -1e30;

/// Sum of the weights; their number where there are none.
double total_weight(const ObjectiveInput& input);

/// sum_p weights[p] * losses[p]; an undefined `weights` is all ones.
///
/// Shapes   losses [P]
LossParts weighted_sum(const torch::Tensor& losses, const torch::Tensor& weights);

/// Scores of the items that were chosen.   Shapes   -> [P]
torch::Tensor target_scores(const ObjectiveInput& input);

/// Users as a scorer of inner products has them, made once, and the scores of what they chose, without
/// query_bias().
struct InnerProducts {
  torch::Tensor queries;  // [P, D']
  torch::Tensor chosen;   // [P]
};

/// Throws   c10::Error when the scorer has no inner-product form
InnerProducts inner_products(const ObjectiveInput& input);

/// Whether the negatives are those of the whole step and their scores inner products, so that a kernel
/// can sum over them without holding all scores.
bool shares_inner_products(const ObjectiveInput& input);

/// Scores of what was chosen, query_bias() among them.   Shapes   -> [P]
torch::Tensor chosen_scores(const ObjectiveInput& input, const InnerProducts& products);

/// sum_pn weight_pn * log(1 + exp(score_pn)) over the negatives of the step, which shares_inner_products().
///
/// Shapes   -> []
torch::Tensor shared_negatives_loss(const ObjectiveInput& input, const InnerProducts& products,
                                    const ScorerSide& negatives, const PairWeights& pairs);

/// Vectors and ids of the negatives.   Shapes   vectors [N, D] or [P, N, D], ids [N] or [P, N]
/// Throws   c10::Error when the batch has none
ScorerSide negative_side(const ObjectiveInput& input);

/// Scores of the negatives.   Shapes   -> [P, N]
torch::Tensor negative_scores(const ObjectiveInput& input, const ScorerSide& negatives);

/// Which negatives may not count: those that happen to be the target itself, and where the input has
/// negative_hits, what else the user has.   Shapes   -> [P, N] bool
torch::Tensor hits_of_negatives(const ObjectiveInput& input);

/// a + b, where an undefined one counts nothing.
torch::Tensor sum_of(const torch::Tensor& a, const torch::Tensor& b);

/// The trained vectors of a side: those before propagation, where there is one.   Shapes   [..., D]
torch::Tensor trained_vectors(const ScorerSide& side);

/// Squared length of each vector.   Shapes   vectors [..., D] -> [...]
torch::Tensor squared_norm(const torch::Tensor& vectors);

/// Half of `l2` times the squared length of the trained vectors of user and target and of the mean over the
/// negatives; undefined where `l2` is 0.   Shapes   -> [P]
torch::Tensor length_penalty(const ObjectiveInput& input, const ScorerSide& negatives, double l2);

/// More negatives than this for each target are refused: the whole catalogue is `softmax`, and costs
/// less.
inline constexpr int64_t kMaxNegatives = 1'000'000;

/// Declares the keys of an objective that draws negatives: its Options have the members of
/// ObjectiveNeeds of the same names; `exclude_positives` is optional, since one draw for many users
/// cannot avoid what each of them has: the objective leaves out negative_hits instead.
template <class Options>
void describe_negatives(Schema<Options>& schema) {
  schema.field("negatives", &Options::negatives)
      .must_be_in(1, kMaxNegatives)
      .doc("Items that were not chosen, drawn for each target, with replacement.");
  schema.field("sharing", &Options::sharing)
      .doc(
          "Who shares one draw: all of a step, each of its training.shards, one example (a user's "
          "row), or nobody.");
  schema.field("popularity_exponent", &Options::popularity_exponent)
      .must_be_in(0.0, 2.0)
      .doc("Draw in proportion to popularity to this power; 0 draws uniformly.");
  schema.field("exclude_positives", &Options::exclude_positives)
      .doc(
          "Never learn against what the user has in training; left out, true but with "
          "`sharing: step` and `shard`, where it takes a comparison of each user with each draw.");
}

template <class Options>
ObjectiveNeeds negative_needs(const Options& options) {
  return {.negatives = options.negatives,
          .sharing = options.sharing,
          .popularity_exponent = options.popularity_exponent,
          .exclude_positives = options.exclude_positives.value_or(
              options.sharing != ObjectiveNeeds::Sharing::kStep &&
              options.sharing != ObjectiveNeeds::Sharing::kShard)};
}

}  // namespace reckon
