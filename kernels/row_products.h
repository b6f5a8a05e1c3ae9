#pragma once

#include <cstdint>

#include "kernels/lanes_dot.h"

// Products of one vector with rows of a table named by id, compiled once for each instruction set.
// The files that do so include nothing else, so that no code of a wide set leaks into shared functions.

namespace reckon::row_detail {

/// out[n] = <query, table[ids[n]]>
void dot_rows_portable(const float* query, const float* table, const int64_t* ids, int64_t count,
                       int64_t width, float* out);
void dot_rows_avx2(const float* query, const float* table, const int64_t* ids, int64_t count,
                   int64_t width, float* out);
void dot_rows_avx512(const float* query, const float* table, const int64_t* ids, int64_t count,
                     int64_t width, float* out);

/// sum += values[n] * table[ids[n]]  and  gradient[ids[n]] += values[n] * query, n after n.
void add_rows_portable(const float* query, const float* table, const int64_t* ids,
                       const float* values, int64_t count, int64_t width, float* sum,
                       float* gradient);
void add_rows_avx2(const float* query, const float* table, const int64_t* ids, const float* values,
                   int64_t count, int64_t width, float* sum, float* gradient);
void add_rows_avx512(const float* query, const float* table, const int64_t* ids,
                     const float* values, int64_t count, int64_t width, float* sum,
                     float* gradient);

namespace {

// Rows lie anywhere in a table that no cache holds: their lines are asked for this many rows ahead.
constexpr int64_t kRowsAhead = 8;
// Independent partial sums, so that no order forbids vectors.
constexpr int64_t kRowLanes = 16;

[[maybe_unused]] inline void dot_rows_loop(const float* __restrict query,
                                           const float* __restrict table,
                                           const int64_t* __restrict ids, int64_t count,
                                           int64_t width, float* __restrict out) {
  const int64_t whole = width - width % kRowLanes;
  for (int64_t n = 0; n < count; ++n) {
    if (n + kRowsAhead < count) prefetch_row<false>(table + ids[n + kRowsAhead] * width, width);
    const float* row = table + ids[n] * width;
    float lanes[kRowLanes] = {};
    for (int64_t d = 0; d < whole; d += kRowLanes)
      for (int64_t l = 0; l < kRowLanes; ++l) lanes[l] += query[d + l] * row[d + l];
    for (int64_t d = whole; d < width; ++d) lanes[0] += query[d] * row[d];
    float total = 0.0f;
    for (int64_t l = 0; l < kRowLanes; ++l) total += lanes[l];
    out[n] = total;
  }
}

[[maybe_unused]] inline void add_rows_loop(const float* __restrict query,
                                           const float* __restrict table,
                                           const int64_t* __restrict ids,
                                           const float* __restrict values, int64_t count,
                                           int64_t width, float* __restrict sum,
                                           float* __restrict gradient) {
  for (int64_t n = 0; n < count; ++n) {
    if (n + kRowsAhead < count) prefetch_row<true>(gradient + ids[n + kRowsAhead] * width, width);
    const float value = values[n];
    const float* row = table + ids[n] * width;
    float* to = gradient + ids[n] * width;
    for (int64_t d = 0; d < width; ++d) {
      sum[d] += value * row[d];
      to[d] += value * query[d];
    }
  }
}

}  // namespace

}  // namespace reckon::row_detail
