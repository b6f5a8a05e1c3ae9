#pragma once

#include <cstdint>
#include <utility>

// The loop of spmm(), compiled once for each instruction set. The files that do so include nothing else
// of ours, so that no code of a wide set leaks into shared functions.

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
constexpr int64_t kLineBytes = 64;
// As wide as the instruction set has them: wider ones are kept in memory and not in registers.
#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class Scalar>
struct Vectors {
  typedef Scalar Type __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
};

// f(0), f(1), ... with each index a constant: what a loop would leave in memory stays in registers.
template <class F, int... b>
inline void unrolled(std::integer_sequence<int, b...>, const F& f) {
  (f(std::integral_constant<int, b>{}), ...);
}

// Columns [first, first + count) of output rows [begin, end).
template <class Scalar, int64_t count, bool is_weighted, bool is_indexed>
inline void multiply_columns(const Product<Scalar>& p, int64_t begin, int64_t end, int64_t first) {
  using Vector = typename Vectors<Scalar>::Type;
  constexpr int64_t kBytes = count * static_cast<int64_t>(sizeof(Scalar));
  constexpr int kNumVectors = kBytes / kVectorBytes;
  constexpr std::make_integer_sequence<int, kNumVectors> kEach{};
  constexpr std::make_integer_sequence<int, kBytes / kLineBytes> kLines{};
  constexpr int64_t kLineLength = kLineBytes / static_cast<int64_t>(sizeof(Scalar));
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = p.rows == nullptr ? i : p.rows[i];
    const int64_t stop = p.offsets[row + 1];
    // Of all rows one after another, the edges ahead are those of the rows that come.
    const int64_t known = p.rows == nullptr ? p.offsets[end] : stop;
    Vector sum[kNumVectors] = {};
    for (int64_t e = p.offsets[row]; e < stop; ++e) {
      if (!is_indexed && e + kEdgesAhead < known) {
        const Scalar* next = p.x + p.columns[e + kEdgesAhead] * p.width + first;
        unrolled(kLines, [&](auto line) { __builtin_prefetch(next + line * kLineLength); });
      }
      int64_t column = p.columns[e];
      if (is_indexed) {
        column = p.x_index[column];
        if (column < 0) continue;
      }
      const auto* from = reinterpret_cast<const Vector*>(p.x + column * p.width + first);
      if (is_weighted) {
        const Scalar value = p.values[e];
        unrolled(kEach, [&](auto b) { sum[b] += value * from[b]; });
      } else {
        unrolled(kEach, [&](auto b) { sum[b] += from[b]; });
      }
    }
    if (p.row_scale != nullptr) unrolled(kEach, [&](auto b) { sum[b] *= p.row_scale[row]; });
    if (p.add != nullptr) {
      const int64_t add_row = p.add_index == nullptr ? row : p.add_index[row];
      if (add_row >= 0) {
        const Scalar factor =
            p.add_scale == nullptr ? p.add_factor : p.add_factor * p.add_scale[row];
        const auto* from = reinterpret_cast<const Vector*>(p.add + add_row * p.width + first);
        unrolled(kEach, [&](auto b) { sum[b] += factor * from[b]; });
      }
    }
    auto* to = reinterpret_cast<Vector*>(p.out + i * p.width + first);
    unrolled(kEach, [&](auto b) { to[b] = sum[b]; });
  }
}

// Of what is narrower than a block, a column at a time.
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

template <class Scalar, int64_t count>
inline void multiply_some(const Product<Scalar>& p, int64_t begin, int64_t end, int64_t first) {
  const bool is_weighted = p.values != nullptr, is_indexed = p.x_index != nullptr;
  if (is_weighted && is_indexed) multiply_columns<Scalar, count, true, true>(p, begin, end, first);
  if (is_weighted && !is_indexed)
    multiply_columns<Scalar, count, true, false>(p, begin, end, first);
  if (!is_weighted && is_indexed)
    multiply_columns<Scalar, count, false, true>(p, begin, end, first);
  if (!is_weighted && !is_indexed)
    multiply_columns<Scalar, count, false, false>(p, begin, end, first);
}

template <class Scalar>
inline void multiply_loop(const Product<Scalar>& p, int64_t begin, int64_t end) {
  int64_t first = 0;
  for (; first + 64 <= p.width; first += 64) multiply_some<Scalar, 64>(p, begin, end, first);
  for (; first + 16 <= p.width; first += 16) multiply_some<Scalar, 16>(p, begin, end, first);
  if (first < p.width && p.width >= 16)  // some columns twice, to the same end
    return multiply_some<Scalar, 16>(p, begin, end, p.width - 16);
  for (; first < p.width; ++first) multiply_column<Scalar>(p, begin, end, first);
}

}  // namespace

}  // namespace reckon::spmm_detail
