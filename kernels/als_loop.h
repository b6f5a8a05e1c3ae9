#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/lanes_dot.h"

// The loops of als_solve(), compiled once for each instruction set. The files that do so include
// nothing else, so that no code of a wide set leaks into shared functions.

namespace reckon::als_detail {

/// One side of alternating least squares: rows to solve for, and the fixed table of the other side.
struct Side {
  const float* table;      // [J, D], the fixed vectors
  const float* gram;       // [D, D], what every row's system begins with
  const int64_t* offsets;  // entries of row r are [offsets[r], offsets[r + 1])
  const int32_t* columns;  // row of `table` of each entry
  const float* squares;    // what an entry's y y^T is weighed by
  const float* targets;    // what an entry's y is weighed by on the right
  float* rows;             // [R, D], begun from and written to
  int64_t width;
};

/// `scratch` holds 3 * width floats for cg, width * width + width for cholesky. cholesky returns false
/// at the first row whose system is not positive definite, and names it.
void cg_portable(const Side& side, int64_t begin, int64_t end, int64_t steps, const float* added,
                 float* scratch);
void cg_avx2(const Side& side, int64_t begin, int64_t end, int64_t steps, const float* added,
             float* scratch);
void cg_avx512(const Side& side, int64_t begin, int64_t end, int64_t steps, const float* added,
               float* scratch);
bool cholesky_portable(const Side& side, int64_t begin, int64_t end, const float* added,
                       float* scratch, int64_t& failed);
bool cholesky_avx2(const Side& side, int64_t begin, int64_t end, const float* added, float* scratch,
                   int64_t& failed);
bool cholesky_avx512(const Side& side, int64_t begin, int64_t end, const float* added,
                     float* scratch, int64_t& failed);

namespace {

constexpr int64_t kRowsAhead = 8;
// Independent partial sums, so that no order forbids vectors.
constexpr int64_t kLanes = 16;

[[maybe_unused]] inline float dot(const float* __restrict a, const float* __restrict b,
                                  int64_t width) {
  float lanes[kLanes] = {};
  const int64_t whole = width - width % kLanes;
  for (int64_t d = 0; d < whole; d += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += a[d + l] * b[d + l];
  for (int64_t d = whole; d < width; ++d) lanes[0] += a[d] * b[d];
  float sum = 0.0F;
  for (int64_t l = 0; l < kLanes; ++l) sum += lanes[l];
  return sum;
}

[[maybe_unused]] inline void add(float* __restrict to, float scale, const float* __restrict row,
                                 int64_t width) {
  for (int64_t d = 0; d < width; ++d) to[d] += scale * row[d];
}

// out = gram p + added p, four rows of the symmetric matrix at once, so that `out` is read and written
// a quarter as often.
[[maybe_unused]] inline void multiply(const float* __restrict gram, const float* __restrict p,
                                      float added, int64_t width, float* __restrict out) {
  for (int64_t d = 0; d < width; ++d) out[d] = added * p[d];
  int64_t k = 0;
  for (; k + 4 <= width; k += 4) {
    const float* __restrict a = gram + k * width;
    const float* __restrict b = a + width;
    const float* __restrict c = b + width;
    const float* __restrict e = c + width;
    const float pa = p[k], pb = p[k + 1], pc = p[k + 2], pe = p[k + 3];
    for (int64_t d = 0; d < width; ++d) out[d] += pa * a[d] + pb * b[d] + pc * c[d] + pe * e[d];
  }
  for (; k < width; ++k) add(out, p[k], gram + k * width, width);
}

// out = A p of one row's system.
[[maybe_unused]] inline void apply(const Side& side, int64_t row, float added,
                                   const float* __restrict p, float* __restrict out) {
  multiply(side.gram, p, added, side.width, out);
  for (int64_t e = side.offsets[row]; e < side.offsets[row + 1]; ++e) {
    const float* y = side.table + side.columns[e] * side.width;
    add(out, side.squares[e] * dot(y, p, side.width), y, side.width);
  }
}

[[maybe_unused]] inline void cg_loop(const Side& side, int64_t begin, int64_t end, int64_t steps,
                                     const float* added, float* scratch) {
  const int64_t width = side.width;
  float* residual = scratch;
  float* direction = residual + width;
  float* product = direction + width;
  for (int64_t row = begin; row < end; ++row) {
    float* x = side.rows + row * width;
    const int64_t first = side.offsets[row], last = side.offsets[row + 1];
    if (first == last) {  // nothing pulls it anywhere: the minimum of what remains
      for (int64_t d = 0; d < width; ++d) x[d] = 0.0F;
      continue;
    }
    // residual = b - A x, with both sums over the entries in one pass of the rows.
    multiply(side.gram, x, added[row], width, residual);
    for (int64_t d = 0; d < width; ++d) residual[d] = -residual[d];
    for (int64_t e = first; e < last; ++e) {
      if (e + kRowsAhead < last)
        prefetch_row<false>(side.table + side.columns[e + kRowsAhead] * width, width);
      const float* y = side.table + side.columns[e] * width;
      add(residual, side.targets[e] - side.squares[e] * dot(y, x, width), y, width);
    }
    for (int64_t d = 0; d < width; ++d) direction[d] = residual[d];
    float length = dot(residual, residual, width);
    for (int64_t step = 0; step < steps && length > 1e-20F; ++step) {
      apply(side, row, added[row], direction, product);
      const float curvature = dot(direction, product, width);
      if (!(curvature > 0.0F)) break;
      const float alpha = length / curvature;
      add(x, alpha, direction, width);
      add(residual, -alpha, product, width);
      const float next = dot(residual, residual, width);
      const float beta = next / length;
      for (int64_t d = 0; d < width; ++d) direction[d] = residual[d] + beta * direction[d];
      length = next;
    }
  }
}

// a[d][:] += sum over entries of squares * y[d] * y[:], for four d at once; the upper triangle and the
// rest of its last lanes.
[[maybe_unused]] inline void add_squares(const Side& side, int64_t first, int64_t last,
                                         float* __restrict a) {
  const int64_t width = side.width;
  for (int64_t e = first; e < last; ++e) {
    if (e + kRowsAhead < last)
      prefetch_row<false>(side.table + side.columns[e + kRowsAhead] * width, width);
    const float* __restrict y = side.table + side.columns[e] * width;
    const float weight = side.squares[e];
    for (int64_t d = 0; d < width; ++d) {
      const float scale = weight * y[d];
      float* __restrict to = a + d * width;
      for (int64_t k = d - d % kLanes; k < width; ++k) to[k] += scale * y[k];
    }
  }
}

// Factors the upper triangle in place, U^T U = A, and solves for `x`, in which the right side lies.
[[maybe_unused]] inline bool solve(float* __restrict a, float* __restrict x, int64_t width) {
  for (int64_t j = 0; j < width; ++j) {
    float* __restrict pivot = a + j * width;
    if (!(pivot[j] > 0.0F)) return false;
    const float scale = 1.0F / std::sqrt(pivot[j]);
    for (int64_t k = j; k < width; ++k) pivot[k] *= scale;
    for (int64_t i = j + 1; i < width; ++i) {
      const float factor = pivot[i];
      float* __restrict to = a + i * width;
      for (int64_t k = i - i % kLanes > j ? i - i % kLanes : i; k < width; ++k)
        to[k] -= factor * pivot[k];
    }
    // Forward substitution by the same column.
    x[j] *= scale;
    for (int64_t i = j + 1; i < width; ++i) x[i] -= pivot[i] * x[j];
  }
  for (int64_t j = width - 1; j >= 0; --j) {
    const float* pivot = a + j * width;
    float sum = x[j];
    for (int64_t k = j + 1; k < width; ++k) sum -= pivot[k] * x[k];
    x[j] = sum / pivot[j];
  }
  return true;
}

[[maybe_unused]] inline bool cholesky_loop(const Side& side, int64_t begin, int64_t end,
                                           const float* added, float* scratch, int64_t& failed) {
  const int64_t width = side.width;
  float* a = scratch;
  float* b = scratch + width * width;
  for (int64_t row = begin; row < end; ++row) {
    float* x = side.rows + row * width;
    const int64_t first = side.offsets[row], last = side.offsets[row + 1];
    for (int64_t d = 0; d < width; ++d) b[d] = 0.0F;
    if (first != last) {
      for (int64_t d = 0; d < width * width; ++d) a[d] = side.gram[d];
      for (int64_t d = 0; d < width; ++d) a[d * width + d] += added[row];
      add_squares(side, first, last, a);
      for (int64_t e = first; e < last; ++e)
        add(b, side.targets[e], side.table + side.columns[e] * width, width);
      if (!solve(a, b, width)) {
        failed = row;
        return false;
      }
    }
    for (int64_t d = 0; d < width; ++d) x[d] = b[d];
  }
  return true;
}

}  // namespace

}  // namespace reckon::als_detail
