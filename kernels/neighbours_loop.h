#pragma once

#include <cstdint>

#include "kernels/exp_row.h"

// The loops over edges of kernels/neighbours.h, compiled once for each instruction set. The files that
// do so include nothing else of ours, so that no code of a wide set leaks into shared functions.

namespace reckon::neighbours_detail {

/// Edges by row: those of row r stand at offsets[r] <= e < offsets[r + 1]. Values of an edge lie at
/// numbers[e], or where that is null at e.
struct Edges {
  const int64_t* offsets;
  const int32_t* ends;
  const int64_t* numbers;
};

/// out[r, h] = sum over edges of weights[number, h] * x[end, h].
template <class Scalar>
struct Sum {
  Edges edges;
  const Scalar* weights;  // [E, heads]; null: all 1
  const Scalar* x;        // [., heads, width], or [., width] where heads share it
  int64_t num_heads, width;
  bool shares_x;
  bool adds_heads;  // out is [., width]: what heads give is added up
  Scalar* out;      // [., heads, width]
};

/// out[number, h] = <rows[r, h], x[end, h]>.
template <class Scalar>
struct Products {
  Edges edges;
  const Scalar* rows;  // [., heads, width]
  const Scalar* x;     // [., heads, width], or [., width] where heads share it
  int64_t num_heads, width;
  bool shares_x;
  Scalar* out;  // [E, heads]
};

/// out[number, h] = rows[r, h] + x[end, h].
template <class Scalar>
struct Pairs {
  Edges edges;
  const Scalar* rows;  // [., heads]
  const Scalar* x;     // [., heads]
  int64_t num_heads;
  Scalar* out;  // [E, heads]
};

/// out[r, h] = sum over edges of values[number, h].
template <class Scalar>
struct Totals {
  Edges edges;
  const Scalar* values;  // [E, heads]
  int64_t num_heads;
  Scalar* out;  // [., heads]
};

/// values[e, h] become shares of their row, exp(v - max) / sum; numbers are not read.
template <class Scalar>
struct Softmax {
  const int64_t* offsets;
  int64_t num_heads;
  Scalar* values;  // [E, heads]
};

/// out[e, h] = shares[e, h] * (gradient[e, h] - sum over the row of shares * gradient).
template <class Scalar>
struct SoftmaxGradient {
  const int64_t* offsets;
  int64_t num_heads;
  const Scalar* shares;    // [E, heads]
  const Scalar* gradient;  // [E, heads]
  Scalar* out;             // [E, heads]
};

/// Each does rows [begin, end).
template <class Scalar>
struct Loops {
  void (*sum)(const Sum<Scalar>&, int64_t begin, int64_t end);
  void (*products)(const Products<Scalar>&, int64_t begin, int64_t end);
  void (*pairs)(const Pairs<Scalar>&, int64_t begin, int64_t end);
  void (*totals)(const Totals<Scalar>&, int64_t begin, int64_t end);
  void (*softmax)(const Softmax<Scalar>&, int64_t begin, int64_t end);
  void (*softmax_gradient)(const SoftmaxGradient<Scalar>&, int64_t begin, int64_t end);
};

const Loops<float>& loops_portable();
const Loops<float>& loops_avx2();
const Loops<float>& loops_avx512();
const Loops<double>& loops_double();

namespace {

// Rows of x lie anywhere: their lines are asked for this many edges ahead.
constexpr int64_t kEdgesAhead = 8;
constexpr int64_t kLineBytes = 64;
// Independent partial sums of a product, so that no order forbids vectors.
constexpr int64_t kManyLanes = 16, kFewLanes = 4;
#if defined(__AVX512F__)
constexpr int kExpWidth = 16;
#elif defined(__AVX2__)
constexpr int kExpWidth = 8;
#else
constexpr int kExpWidth = 4;
#endif

template <class Scalar>
inline void prefetch(const Scalar* from, int64_t count) {
  constexpr int64_t kPerLine = kLineBytes / static_cast<int64_t>(sizeof(Scalar));
  for (int64_t i = 0; i < count; i += kPerLine) __builtin_prefetch(from + i);
}

template <class Scalar>
inline Scalar dot(const Scalar* __restrict a, const Scalar* __restrict b, int64_t count) {
  Scalar lanes[kManyLanes] = {};
  int64_t i = 0;
  for (; i + kManyLanes <= count; i += kManyLanes)
    for (int64_t l = 0; l < kManyLanes; ++l) lanes[l] += a[i + l] * b[i + l];
  for (; i + kFewLanes <= count; i += kFewLanes)
    for (int64_t l = 0; l < kFewLanes; ++l) lanes[l] += a[i + l] * b[i + l];
  for (; i < count; ++i) lanes[0] += a[i] * b[i];
  Scalar total = 0;
  for (int64_t l = 0; l < kManyLanes; ++l) total += lanes[l];
  return total;
}

template <class Scalar>
inline void add_scaled(Scalar* __restrict to, Scalar factor, const Scalar* __restrict from,
                       int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

inline int64_t number_of(const Edges& edges, int64_t e) {
  return edges.numbers == nullptr ? e : edges.numbers[e];
}

template <class Scalar>
void sum_loop(const Sum<Scalar>& s, int64_t begin, int64_t end) {
  const int64_t x_length = s.shares_x ? s.width : s.num_heads * s.width;
  const int64_t out_length = s.adds_heads ? s.width : s.num_heads * s.width;
  const int64_t x_step = s.shares_x ? 0 : s.width, out_step = s.adds_heads ? 0 : s.width;
  for (int64_t r = begin; r < end; ++r) {
    Scalar* out = s.out + r * out_length;
    for (int64_t i = 0; i < out_length; ++i) out[i] = 0;
    const int64_t stop = s.edges.offsets[r + 1];
    for (int64_t e = s.edges.offsets[r]; e < stop; ++e) {
      if (e + kEdgesAhead < stop)
        prefetch(s.x + s.edges.ends[e + kEdgesAhead] * x_length, x_length);
      const Scalar* x = s.x + s.edges.ends[e] * x_length;
      const Scalar* weights =
          s.weights == nullptr ? nullptr : s.weights + number_of(s.edges, e) * s.num_heads;
      for (int64_t h = 0; h < s.num_heads; ++h)
        add_scaled(out + h * out_step, weights == nullptr ? Scalar(1) : weights[h], x + h * x_step,
                   s.width);
    }
  }
}

template <class Scalar>
void products_loop(const Products<Scalar>& p, int64_t begin, int64_t end) {
  const int64_t x_length = p.shares_x ? p.width : p.num_heads * p.width;
  const int64_t x_step = p.shares_x ? 0 : p.width;
  for (int64_t r = begin; r < end; ++r) {
    const Scalar* row = p.rows + r * p.num_heads * p.width;
    const int64_t stop = p.edges.offsets[r + 1];
    for (int64_t e = p.edges.offsets[r]; e < stop; ++e) {
      if (e + kEdgesAhead < stop)
        prefetch(p.x + p.edges.ends[e + kEdgesAhead] * x_length, x_length);
      const Scalar* x = p.x + p.edges.ends[e] * x_length;
      Scalar* out = p.out + number_of(p.edges, e) * p.num_heads;
      for (int64_t h = 0; h < p.num_heads; ++h)
        out[h] = dot(row + h * p.width, x + h * x_step, p.width);
    }
  }
}

template <class Scalar>
void pairs_loop(const Pairs<Scalar>& p, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r)
    for (int64_t e = p.edges.offsets[r]; e < p.edges.offsets[r + 1]; ++e) {
      const Scalar* row = p.rows + r * p.num_heads;
      const Scalar* x = p.x + p.edges.ends[e] * p.num_heads;
      Scalar* out = p.out + number_of(p.edges, e) * p.num_heads;
      for (int64_t h = 0; h < p.num_heads; ++h) out[h] = row[h] + x[h];
    }
}

template <class Scalar>
void totals_loop(const Totals<Scalar>& t, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    Scalar* out = t.out + r * t.num_heads;
    for (int64_t h = 0; h < t.num_heads; ++h) out[h] = 0;
    for (int64_t e = t.edges.offsets[r]; e < t.edges.offsets[r + 1]; ++e) {
      const Scalar* values = t.values + number_of(t.edges, e) * t.num_heads;
      for (int64_t h = 0; h < t.num_heads; ++h) out[h] += values[h];
    }
  }
}

[[maybe_unused]] inline void to_exponentials(float* values, int64_t count) {
  using Lanes = exp_detail::Lanes<kExpWidth>;
  int64_t i = 0;
  for (; i + kExpWidth <= count; i += kExpWidth)
    Lanes::store(values + i, Lanes::exp_below_zero(Lanes::load(values + i)));
  for (; i < count; ++i)
    values[i] = exp_detail::Lanes<4>::exp_below_zero(exp_detail::Lanes<4>::all(values[i]))[0];
}

[[maybe_unused]] inline void to_exponentials(double* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) values[i] = __builtin_exp(values[i]);
}

template <class Scalar>
void softmax_loop(const Softmax<Scalar>& s, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t num_edges = s.offsets[r + 1] - s.offsets[r];
    if (num_edges == 0) continue;
    Scalar* values = s.values + s.offsets[r] * s.num_heads;
    const int64_t count = num_edges * s.num_heads;
    for (int64_t h = 0; h < s.num_heads; ++h) {
      Scalar top = values[h];
      for (int64_t i = h; i < count; i += s.num_heads) top = values[i] > top ? values[i] : top;
      for (int64_t i = h; i < count; i += s.num_heads) values[i] -= top;
    }
    to_exponentials(values, count);
    for (int64_t h = 0; h < s.num_heads; ++h) {
      double total = 0.0;
      for (int64_t i = h; i < count; i += s.num_heads) total += static_cast<double>(values[i]);
      const auto factor = static_cast<Scalar>(1.0 / total);
      for (int64_t i = h; i < count; i += s.num_heads) values[i] *= factor;
    }
  }
}

template <class Scalar>
void softmax_gradient_loop(const SoftmaxGradient<Scalar>& s, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t first = s.offsets[r] * s.num_heads, last = s.offsets[r + 1] * s.num_heads;
    for (int64_t h = 0; h < s.num_heads; ++h) {
      double mean = 0.0;
      for (int64_t i = first + h; i < last; i += s.num_heads)
        mean += static_cast<double>(s.shares[i]) * static_cast<double>(s.gradient[i]);
      for (int64_t i = first + h; i < last; i += s.num_heads)
        s.out[i] = s.shares[i] * (s.gradient[i] - static_cast<Scalar>(mean));
    }
  }
}

template <class Scalar>
constexpr Loops<Scalar> kLoops = {sum_loop<Scalar>,     products_loop<Scalar>,
                                  pairs_loop<Scalar>,   totals_loop<Scalar>,
                                  softmax_loop<Scalar>, softmax_gradient_loop<Scalar>};

}  // namespace

}  // namespace reckon::neighbours_detail
