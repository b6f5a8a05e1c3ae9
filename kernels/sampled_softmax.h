#pragma once

#include <torch/types.h>

namespace reckon {

/// Weighted sum of the cross-entropy of each query's target among sampled negatives:
///
///   sum_p w_p * log(1 + sum_n exp(<q_p, v_n> + offset_n - chosen_p)),  over n that are not the target
///
/// (Jean, Cho, Memisevic, Bengio, ACL 2015). `offsets` hold what is added to a negative's score, a
/// bias or the log-Q correction; `chosen` holds the targets' own scores with theirs. On CPU tensors of
/// float32 loss and gradients are made in one pass that holds only a chunk of the scores; on others,
/// and in a trace, by plain ATen.

/// Negatives shared by all queries; pairs that `hits` names do not count either.
///
/// Shapes   queries [P, D], negatives [N, D], offsets [N] or undefined, chosen [P],
///          target_ids [P] int64, negative_ids [N] int64, weights [P] or undefined,
///          hits [P, N] bool or undefined -> []
/// Throws   c10::Error on shapes that do not fit
torch::Tensor shared_sampled_softmax(const torch::Tensor& queries, const torch::Tensor& negatives,
                                     const torch::Tensor& offsets, const torch::Tensor& chosen,
                                     const torch::Tensor& target_ids,
                                     const torch::Tensor& negative_ids,
                                     const torch::Tensor& weights, const torch::Tensor& hits = {});

/// Negatives of each query alone, rows of the table `items` named by id: no [P, N, D] is ever made on
/// the CPU. The gradient of `items` is dense.
///
/// Shapes   queries [P, D], items [I, D], offsets [P, N] or undefined, chosen [P],
///          target_ids [P] int64, negative_ids [P, N] int64 in [0, I), weights [P] or undefined -> []
/// Throws   c10::Error on shapes that do not fit, or negatives out of range
torch::Tensor position_sampled_softmax(const torch::Tensor& queries, const torch::Tensor& items,
                                       const torch::Tensor& offsets, const torch::Tensor& chosen,
                                       const torch::Tensor& target_ids,
                                       const torch::Tensor& negative_ids,
                                       const torch::Tensor& weights);

}  // namespace reckon
