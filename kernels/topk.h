#pragma once

#include <torch/types.h>

#include <cstdint>

namespace reckon {

/// The best items for each query, and their scores.
struct TopK {
  torch::Tensor items;   // [B, k] int64; kPaddingId where fewer than k items are left
  torch::Tensor scores;  // [B, k] float32; -infinity there
};

/// Items that each query must not get, as a ragged array (offsets [B + 1] int64, items int32, in any
/// order). Undefined tensors exclude nothing.
struct SeenItems {
  torch::Tensor offsets;
  torch::Tensor items;
};

/// Exact top-k of reduce_m <queries[b, m], items[i]> + bias[i] over all items that are not seen.
///
/// Ordered by score, highest first; ties by the lower item index. NaN scores rank last.
/// Blocked, so that memory is O(B k + block), never O(B I); threads split the queries.
/// Shapes   queries [B, M, D], items [I, D], bias [I] or undefined
/// Throws   c10::Error on shapes that do not fit, k < 1, or seen items outside [0, I).
TopK topk(const torch::Tensor& queries, const torch::Tensor& items, const torch::Tensor& bias,
          bool reduce_max, const SeenItems& seen, int64_t k);

/// The same over a given block of scores: scores [B, I] float32, changed by no one.
TopK topk_of_scores(const torch::Tensor& scores, const SeenItems& seen, int64_t k);

}  // namespace reckon
