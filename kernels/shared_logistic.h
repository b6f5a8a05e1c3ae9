#pragma once

#include <torch/types.h>

namespace reckon {

/// Weighted sum of the logistic losses of chosen scores above those of common negatives (Rendle et al.,
/// BPR, UAI 2009, with any number of negatives), without holding all scores.
///
///   sum_p weights[p] * sum_n log(1 + exp(<queries[p], negatives[n]> + bias[n] - chosen[p]))
/// Pairs that `hits` names are left out.
/// Differentiable once in queries, negatives, bias and chosen. float32 on the CPU goes chunk by chunk
/// through its own loops, sums in double; elsewhere, and in other types, plain ATen holds [P, N].
/// Shapes   queries [P, D], negatives [N, D], bias [N] or undefined, chosen [P],
///          weights [P] or undefined (all ones), hits [P, N] bool or undefined -> []
/// Throws   c10::Error on shapes that do not fit.
torch::Tensor shared_logistic(const torch::Tensor& queries, const torch::Tensor& negatives,
                              const torch::Tensor& bias, const torch::Tensor& chosen,
                              const torch::Tensor& weights, const torch::Tensor& hits = {});

}  // namespace reckon
