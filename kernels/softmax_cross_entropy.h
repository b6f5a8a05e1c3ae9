#pragma once

#include <torch/types.h>

namespace reckon {

/// Weighted sum of the cross-entropy of each query's target among all items, without ever holding all
/// scores.
///
///   sum_p weights[p] * ( log sum_i exp s(p, i) - s(p, targets[p]) ),
///   s(p, i) = <queries[p], items[i]> + bias[i]
/// Differentiable once in queries, items and bias. For float32 on the CPU the gradients are made
/// beside the loss, chunk by chunk, so that memory is O(chunk x I + (P + I) x D); elsewhere and under
/// a trace plain ATen holds [P, I].
/// Shapes   queries [P, D], items [I, D], bias [I] or undefined, targets [P] int64, weights [P] or
///          undefined (all ones) -> []
/// Throws   c10::Error on shapes that do not fit or targets outside [0, I).
torch::Tensor softmax_cross_entropy(const torch::Tensor& queries, const torch::Tensor& items,
                                    const torch::Tensor& bias, const torch::Tensor& targets,
                                    const torch::Tensor& weights);

}  // namespace reckon
