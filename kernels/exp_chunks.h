#pragma once

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdint>

#include "kernels/cpu_features.h"
#include "kernels/exp_row.h"

// What the cross-entropy kernels share: scores of queries against rows, chunk by chunk, and the
// gradients of both from the exponentials, without ever holding all scores. Inside kernels/ only.

namespace reckon::exp_detail {

// Scores held at once: they stay in the last cache between the products.
constexpr int64_t kChunkScores = 1 << 19;
constexpr int64_t kMinChunk = 32;
constexpr int64_t kGrainRows = 8;

/// Queries of a chunk. The products read and write all rows for each chunk, which wide rows make dearer than
/// scores that leave the cache: as many queries as the width, so that scores take at most the memory of the rows.
inline int64_t chunk_of(int64_t num_rows, int64_t width) {
  const auto whole = [](int64_t count) { return count / kMinChunk * kMinChunk; };
  return std::max({kMinChunk, whole(kChunkScores / std::max<int64_t>(1, num_rows)), whole(width)});
}

/// exp_row with the instruction set that is active.
inline RowSum exp_row(float* row, const float* bias, int64_t count) {
  return for_active_simd(exp_row_portable, exp_row_avx2, exp_row_avx512)(row, bias, count);
}

/// Gradients of queries [P, D], rows [R, D] and bias [R]; a bias that was not given has none.
struct RowGradients {
  torch::Tensor queries, rows, bias;
};

/// Calls `exponentials(p, scores)` for every query p, from several threads, with its scores against
/// all rows (without bias). It turns them into exponentials of scores plus bias in place, and says by
/// which factor they are to be multiplied to be derivatives of the loss.
///
/// Returns  where `with_gradients` says so, the gradients of sum_p factor_p * sum_r e_pr * s_pr
/// Shapes   queries [P, D], rows [R, D], contiguous float32 on the CPU
template <class Exponentials>
RowGradients for_each_score_row(const torch::Tensor& queries, const torch::Tensor& rows,
                                bool has_bias, bool with_gradients,
                                const Exponentials& exponentials) {
  const int64_t num_queries = queries.size(0), num_rows = rows.size(0);
  const int64_t chunk = chunk_of(num_rows, queries.size(1));
  RowGradients out;
  if (with_gradients) {
    out.queries = torch::empty_like(queries);  // [P, D]
    // The first chunk fills them, unless there is none.
    const bool is_empty = num_queries == 0;
    out.rows = is_empty ? torch::zeros_like(rows) : torch::empty_like(rows);  // [R, D]
    if (has_bias)
      out.bias = is_empty ? torch::zeros({num_rows}, queries.options())
                          : torch::empty({num_rows}, queries.options());  // [R]
  }
  auto scores = torch::empty({std::min(chunk, num_queries), num_rows}, queries.options());
  auto factors = torch::empty({num_queries}, queries.options());  // [P]
  auto* factor = factors.data_ptr<float>();
  const auto transposed = rows.t();  // [D, R]
  for (int64_t begin = 0; begin < num_queries; begin += chunk) {
    const int64_t length = std::min(chunk, num_queries - begin);
    auto block = scores.narrow(0, 0, length);         // [chunk, R]
    const auto q = queries.narrow(0, begin, length);  // [chunk, D]
    at::mm_out(block, q, transposed);
    auto* score = block.data_ptr<float>();
    at::parallel_for(0, length, kGrainRows, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        factor[begin + i] = exponentials(begin + i, score + i * num_rows);
    });
    if (!with_gradients) continue;
    // Derivatives are the exponentials times a factor for each row, which is cheaper to put on the
    // narrow side of each product.
    const auto scale = factors.narrow(0, begin, length);   // [chunk]
    auto gradient = out.queries.narrow(0, begin, length);  // [chunk, D]
    at::mm_out(gradient, block, rows);
    gradient.mul_(scale.unsqueeze(1));
    const bool is_first = begin == 0;
    out.rows.addmm_(block.t(), q * scale.unsqueeze(1), /*beta=*/is_first ? 0 : 1);
    if (has_bias) out.bias.addmv_(block.t(), scale, /*beta=*/is_first ? 0 : 1);
  }
  return out;
}

/// Whether the kernels' own loops take a tensor.
inline bool is_plain_float(const torch::Tensor& t) {
  return !t.defined() || (t.is_cpu() && t.scalar_type() == torch::kFloat);
}

}  // namespace reckon::exp_detail
