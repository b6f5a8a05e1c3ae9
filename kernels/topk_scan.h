#pragma once

#include <cstdint>

// The loop that finds candidates for a top-k, compiled once for each instruction set. The files that
// do so include nothing else, so that no code of a wide set leaks into shared functions.

namespace reckon::topk_detail {

/// Writes the positions j, ascending, where scores[j] + bias[j] is not at or below `threshold` (so
/// also where it is no number) and returns how many there are. `bias` may be null.
int64_t scan_portable(const float* scores, const float* bias, int64_t count, float threshold,
                      int32_t* found);
int64_t scan_avx2(const float* scores, const float* bias, int64_t count, float threshold,
                  int32_t* found);
int64_t scan_avx512(const float* scores, const float* bias, int64_t count, float threshold,
                    int32_t* found);

/// into[j] = max(into[j], from[j]); not a number wins, as in torch's maximum.
void maximum_portable(float* into, const float* from, int64_t count);
void maximum_avx2(float* into, const float* from, int64_t count);
void maximum_avx512(float* into, const float* from, int64_t count);

namespace {

// Almost no score is a candidate, so whole groups are looked at first: a comparison without a branch,
// which compilers turn into vectors of any width.
constexpr int64_t kGroup = 64;

template <bool has_bias>
inline int64_t scan_range(const float* __restrict scores, const float* __restrict bias,
                          int64_t count, float threshold, int32_t* __restrict found) {
  int64_t num_found = 0;
  int64_t j = 0;
  for (; j + kGroup <= count; j += kGroup) {
    int32_t any = 0;
    for (int64_t i = 0; i < kGroup; ++i) {
      const float score = has_bias ? scores[j + i] + bias[j + i] : scores[j + i];
      any |= score <= threshold ? 0 : 1;
    }
    if (any == 0) continue;
    for (int64_t i = j; i < j + kGroup; ++i) {
      const float score = has_bias ? scores[i] + bias[i] : scores[i];
      found[num_found] = static_cast<int32_t>(i);
      num_found += score <= threshold ? 0 : 1;
    }
  }
  for (; j < count; ++j) {
    const float score = has_bias ? scores[j] + bias[j] : scores[j];
    if (!(score <= threshold)) found[num_found++] = static_cast<int32_t>(j);
  }
  return num_found;
}

[[maybe_unused]] inline int64_t scan_loop(const float* scores, const float* bias, int64_t count,
                                          float threshold, int32_t* found) {
  return bias == nullptr ? scan_range<false>(scores, bias, count, threshold, found)
                         : scan_range<true>(scores, bias, count, threshold, found);
}

[[maybe_unused]] inline void maximum_loop(float* __restrict into, const float* __restrict from,
                                          int64_t count) {
  for (int64_t j = 0; j < count; ++j) {
    const float a = into[j], b = from[j];
    into[j] = a <= b || b != b ? b : a;
  }
}

}  // namespace

}  // namespace reckon::topk_detail
