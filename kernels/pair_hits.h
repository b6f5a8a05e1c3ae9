#pragma once

#include <torch/types.h>

#include <cstdint>
#include <cstring>

// Pairs of a query and a common negative that do not count, `hits` [P, N] bool: what the losses over negatives
// of a whole step share. Inside kernels/ only.

namespace reckon {

/// Throws   c10::Error unless `hits` is undefined or [num_queries, count] bool.
inline void check_hits(const char* kernel, const torch::Tensor& hits, int64_t num_queries,
                       int64_t count) {
  TORCH_CHECK(!hits.defined() || (hits.scalar_type() == torch::kBool && hits.dim() == 2 &&
                                  hits.size(0) == num_queries && hits.size(1) == count),
              kernel, ": expected hits [", num_queries, ", ", count, "] bool, got ",
              hits.defined() ? hits.sizes() : at::IntArrayRef());
}

/// row[n] = value for each n that `hits` names, which are few.
inline void put_at_hits(const bool* hits, int64_t count, float value, float* row) {
  static_assert(sizeof(bool) == 1);
  const bool* const end = hits + count;
  for (const bool* at = hits;; ++at) {
    at = static_cast<const bool*>(std::memchr(at, 1, static_cast<size_t>(end - at)));
    if (at == nullptr) return;
    row[at - hits] = value;
  }
}

}  // namespace reckon
