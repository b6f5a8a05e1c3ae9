#pragma once

#include <cstdint>

// What loops of several instruction sets share; nothing else may be included here, so that no code of a
// wide set leaks into shared functions.

namespace reckon {

namespace {

// Independent partial sums, so that no order forbids vectors.
constexpr int64_t kSumLanes = 16;

[[maybe_unused]] inline float lanes_dot(const float* __restrict a, const float* __restrict b,
                                        int64_t width) {
  const int64_t whole = width - width % kSumLanes;
  float lanes[kSumLanes] = {};
  for (int64_t d = 0; d < whole; d += kSumLanes)
    for (int64_t l = 0; l < kSumLanes; ++l) lanes[l] += a[d + l] * b[d + l];
  float total = 0.0F;
  for (int64_t l = 0; l < kSumLanes; ++l) total += lanes[l];
  for (int64_t d = whole; d < width; ++d) total += a[d] * b[d];
  return total;
}

// Rows lie anywhere in a table that no cache holds: asks for the lines of one that is needed soon.
template <bool for_writing>
inline void prefetch_row(const float* row, int64_t width) {
  constexpr int64_t kFloatsPerLine = 16;
  for (int64_t d = 0; d < width; d += kFloatsPerLine)
    __builtin_prefetch(row + d, for_writing ? 1 : 0);
}

}  // namespace

}  // namespace reckon
