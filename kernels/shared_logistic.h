#pragma once

#include <torch/types.h>

namespace reckon {

/// Which pairs of a query and a negative count, and how much:
/// (p, n) by weights[p] + scales[p] * columns[n], but nothing where hits[p, n].
struct PairWeights {
  torch::Tensor weights;  ///< [P]; undefined: all ones
  torch::Tensor scales;   ///< [P]; undefined as `columns` is: nothing is added to the weights
  torch::Tensor columns;  ///< [N]
  torch::Tensor hits;     ///< [P, N] bool; undefined: all pairs count
};

/// Weighted sum of the logistic losses of common negatives' scores above a value of each query, without
/// holding all scores: above the score of what was chosen it is BPR (Rendle et al., UAI 2009) with any
/// number of negatives, above zero the negatives' part of a binary cross-entropy.
///
///   sum_p sum_n weight_pn * log(1 + exp(<queries[p], negatives[n]> + bias[n] - chosen[p]))
/// Differentiable once in queries, negatives, bias and chosen, never in the weights. float32 on the CPU
/// goes chunk by chunk through its own loops, sums in double; elsewhere, and in other types, plain ATen
/// holds [P, N].
/// Shapes   queries [P, D], negatives [N, D], bias [N] or undefined, chosen [P] -> []
/// Throws   c10::Error on shapes that do not fit.
torch::Tensor shared_logistic(const torch::Tensor& queries, const torch::Tensor& negatives,
                              const torch::Tensor& bias, const torch::Tensor& chosen,
                              const PairWeights& pairs = {});

}  // namespace reckon
