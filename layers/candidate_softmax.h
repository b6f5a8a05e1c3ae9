#pragma once

#include <torch/types.h>

#include "layers/objective.h"

namespace reckon {

/// What targets are compared with.
struct SoftmaxCandidates {
  ScorerSide items;  ///< Vectors [C, D], ids [C]; or for each position [P, C, D], [P, C].
  /// Like the ids: how often each is a candidate; undefined where nothing is corrected for it.
  torch::Tensor log_q;
  torch::Tensor target_log_q;  ///< [P], the same of the targets.
  double temperature = 1.0;    ///< Divides the scores.
  torch::Tensor hits;          ///< [P, C] bool: candidates [C] that do not count; or undefined.
};

/// Cross-entropy of each target among candidates.
///
///   sum_p w_p * ( log(exp z(u, i) + sum_c exp z(u, c)) - z(u, i) ),  c: candidates that are not i
///   z(u, c) = s(u, c) / temperature - log_q(c)
/// Never holds the scores of all positions: inner products of common candidates take the fused
/// kernel, everything else is scored in chunks of positions.
LossParts candidate_softmax(const ObjectiveInput& input, const SoftmaxCandidates& candidates);

}  // namespace reckon
