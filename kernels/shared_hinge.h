#pragma once

#include <torch/types.h>

namespace reckon {

/// Weighted sum over queries of what scores of common negatives exceed, without holding all scores.
///
///   sum_p weights[p] * sum_(n: negative_ids[n] != target_ids[p]) max(0, <queries[p], negatives[n]> - limits[n])
/// Pairs that `hits` names are left out too.
/// Differentiable once in queries, negatives and limits. On the CPU the gradients are made beside the
/// sum, chunk by chunk, and cost what the few scores above their limit cost; elsewhere plain ATen holds
/// [P, N]. Works with the thread that calls, so that a training step runs a shard on each core.
/// Shapes   queries [P, D], negatives [N, D], limits [N], target_ids [P] and negative_ids [N] int64,
///          weights [P] or undefined (all ones), hits [P, N] bool or undefined -> []
/// Throws   c10::Error on shapes that do not fit.
torch::Tensor shared_hinge(const torch::Tensor& queries, const torch::Tensor& negatives,
                           const torch::Tensor& limits, const torch::Tensor& target_ids,
                           const torch::Tensor& negative_ids, const torch::Tensor& weights,
                           const torch::Tensor& hits = {});

}  // namespace reckon
