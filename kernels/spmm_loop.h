#pragma once

#include <cstdint>

// The loop of spmm(), compiled once for each instruction set. The files that do so include nothing else,
// so that no code of a wide set leaks into shared functions.

namespace reckon::spmm_detail {

/// Pointers that may be null count as not being there. All rows of x, add and out are `width` long.
template <class Scalar>
struct Product {
  const int64_t* offsets;
  const int32_t* columns;
  const Scalar* values;  // [E]
  const Scalar* x;
  const int32_t* x_index;   // by column, the row of x; negative: that row is zero
  const int64_t* rows;      // [N] which rows of the matrix; null: all
  const Scalar* row_scale;  // by row of the matrix
  const Scalar* add;
  const Scalar* add_scale;   // by row of the matrix
  const int32_t* add_index;  // by row of the matrix, the row of `add`; negative: none
  Scalar add_factor;
  int64_t width;
  Scalar* out;  // [N, width]
};

void multiply_portable(const Product<float>& product, int64_t begin, int64_t end);
void multiply_avx2(const Product<float>& product, int64_t begin, int64_t end);
void multiply_avx512(const Product<float>& product, int64_t begin, int64_t end);
void multiply_double(const Product<double>& product, int64_t begin, int64_t end);

namespace {

// Rows of x lie anywhere: their lines are asked for this many edges ahead.
constexpr int64_t kEdgesAhead = 8;
constexpr int64_t kLanes = 16;

template <class Scalar>
struct Vectors {
  typedef Scalar Type __attribute__((vector_size(kLanes * sizeof(Scalar)), aligned(4), may_alias));
};

// Columns [first, first + blocks * kLanes) of output rows [begin, end).
template <class Scalar, int blocks, bool is_weighted, bool is_indexed>
inline void multiply_blocks(const Product<Scalar>& p, int64_t begin, int64_t end, int64_t first) {
  using Vector = typename Vectors<Scalar>::Type;
  constexpr int64_t kLineLength = 64 / sizeof(Scalar);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = p.rows == nullptr ? i : p.rows[i];
    const int64_t stop = p.offsets[row + 1];
    Vector sum[blocks] = {};
    for (int64_t e = p.offsets[row]; e < stop; ++e) {
      if (!is_indexed && e + kEdgesAhead < stop) {
        const Scalar* next = p.x + p.columns[e + kEdgesAhead] * p.width + first;
        for (int64_t d = 0; d < blocks * kLanes; d += kLineLength) __builtin_prefetch(next + d);
      }
      int64_t column = p.columns[e];
      if (is_indexed) {
        column = p.x_index[column];
        if (column < 0) continue;
      }
      const auto* from = reinterpret_cast<const Vector*>(p.x + column * p.width + first);
      if (is_weighted) {
        const Scalar value = p.values[e];
        for (int b = 0; b < blocks; ++b) sum[b] += value * from[b];
      } else {
        for (int b = 0; b < blocks; ++b) sum[b] += from[b];
      }
    }
    if (p.row_scale != nullptr)
      for (int b = 0; b < blocks; ++b) sum[b] *= p.row_scale[row];
    if (p.add != nullptr) {
      const int64_t add_row = p.add_index == nullptr ? row : p.add_index[row];
      if (add_row >= 0) {
        const Scalar factor =
            p.add_scale == nullptr ? p.add_factor : p.add_factor * p.add_scale[row];
        const auto* from = reinterpret_cast<const Vector*>(p.add + add_row * p.width + first);
        for (int b = 0; b < blocks; ++b) sum[b] += factor * from[b];
      }
    }
    auto* to = reinterpret_cast<Vector*>(p.out + i * p.width + first);
    for (int b = 0; b < blocks; ++b) to[b] = sum[b];
  }
}

// What is left of a width that blocks do not divide, a column at a time.
template <class Scalar>
inline void multiply_column(const Product<Scalar>& p, int64_t begin, int64_t end, int64_t column) {
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = p.rows == nullptr ? i : p.rows[i];
    Scalar sum = 0;
    for (int64_t e = p.offsets[row]; e < p.offsets[row + 1]; ++e) {
      int64_t from = p.columns[e];
      if (p.x_index != nullptr) from = p.x_index[from];
      if (from < 0) continue;
      sum += (p.values == nullptr ? Scalar(1) : p.values[e]) * p.x[from * p.width + column];
    }
    if (p.row_scale != nullptr) sum *= p.row_scale[row];
    if (p.add != nullptr) {
      const int64_t add_row = p.add_index == nullptr ? row : p.add_index[row];
      if (add_row >= 0)
        sum += (p.add_scale == nullptr ? p.add_factor : p.add_factor * p.add_scale[row]) *
               p.add[add_row * p.width + column];
    }
    p.out[i * p.width + column] = sum;
  }
}

template <class Scalar, int blocks>
inline void multiply_some(const Product<Scalar>& p, int64_t begin, int64_t end, int64_t first) {
  const bool is_weighted = p.values != nullptr, is_indexed = p.x_index != nullptr;
  if (is_weighted && is_indexed) multiply_blocks<Scalar, blocks, true, true>(p, begin, end, first);
  if (is_weighted && !is_indexed)
    multiply_blocks<Scalar, blocks, true, false>(p, begin, end, first);
  if (!is_weighted && is_indexed)
    multiply_blocks<Scalar, blocks, false, true>(p, begin, end, first);
  if (!is_weighted && !is_indexed)
    multiply_blocks<Scalar, blocks, false, false>(p, begin, end, first);
}

template <class Scalar>
inline void multiply_loop(const Product<Scalar>& p, int64_t begin, int64_t end) {
  int64_t first = 0;
  for (; first + 4 * kLanes <= p.width; first += 4 * kLanes)
    multiply_some<Scalar, 4>(p, begin, end, first);
  for (; first + kLanes <= p.width; first += kLanes) multiply_some<Scalar, 1>(p, begin, end, first);
  for (; first < p.width; ++first) multiply_column<Scalar>(p, begin, end, first);
}

}  // namespace

}  // namespace reckon::spmm_detail
