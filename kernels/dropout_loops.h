#pragma once

#include <cstdint>

// The loop of the dropout kernel, compiled once for each instruction set (dropout_avx2.cpp, ...).
// Those files include nothing but this, so that no code of a wide set leaks into shared functions.

namespace reckon::dropout_detail {

/// What a mask is a function of, beside the index of the element.
struct Mask {
  uint32_t key1;
  uint32_t key2;
  int32_t threshold;  ///< Of 2^24: an element is kept when its random number is not below it.
};

/// y[i] = x[i] * (kept(first + i) ? scale : 0) for i in [0, count).
void apply_portable(const float* x, float* y, int64_t count, uint32_t first, Mask mask,
                    float scale);
void apply_portable(const double* x, double* y, int64_t count, uint32_t first, Mask mask,
                    double scale);
void apply_avx2(const float* x, float* y, int64_t count, uint32_t first, Mask mask, float scale);
void apply_avx2(const double* x, double* y, int64_t count, uint32_t first, Mask mask, double scale);
void apply_avx512(const float* x, float* y, int64_t count, uint32_t first, Mask mask, float scale);
void apply_avx512(const double* x, double* y, int64_t count, uint32_t first, Mask mask,
                  double scale);

namespace {

// 24 random bits for an index: multiplications and shifts of 32 bits, which every set has as
// vectors. Shift-multiply rounds as in MurmurHash3's finaliser, with the key entering twice.
[[maybe_unused]] inline int32_t random_bits(uint32_t index, Mask mask) {
  uint32_t h = (index * 0x9e3779b9u) ^ mask.key1;
  h ^= h >> 16;
  h *= 0x7feb352du;
  h += mask.key2;
  h ^= h >> 15;
  h *= 0x846ca68bu;
  h ^= h >> 16;
  return static_cast<int32_t>(h >> 8);
}

template <class Scalar>
inline void apply_loop(const Scalar* __restrict x, Scalar* __restrict y, int64_t count,
                       uint32_t first, Mask mask, Scalar scale) {
  for (int64_t i = 0; i < count; ++i)
    y[i] =
        x[i] *
        (random_bits(first + static_cast<uint32_t>(i), mask) >= mask.threshold ? scale : Scalar(0));
}

}  // namespace

}  // namespace reckon::dropout_detail
