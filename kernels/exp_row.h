#pragma once

#include <bit>
#include <cstdint>

// Exponentials of a row of scores, compiled once for each instruction set. The files that do so
// include nothing else, so that no code of a wide set leaks into shared functions.

namespace reckon::exp_detail {

/// log sum_j exp(row[j] + bias[j]) = max + log(sum).
struct RowSum {
  float max;
  float sum;
};

/// row[j] = exp(row[j] + bias[j] - max), and the maximum and the sum. `bias` may be null. Relative
/// error of an exponential below 3e-7; what is below max by more than 87 counts as exp(-87); not a
/// number anywhere makes the sum one.
RowSum exp_row_portable(float* row, const float* bias, int64_t count);
RowSum exp_row_avx2(float* row, const float* bias, int64_t count);
RowSum exp_row_avx512(float* row, const float* bias, int64_t count);

namespace {

// Independent partial results, so that sums and maxima have no order that would forbid vectors.
constexpr int64_t kLanes = 32;

// exp(x) for x <= 0: 2^n by the exponent field, the rest by a polynomial on [-ln2 / 2, ln2 / 2].
[[maybe_unused]] inline float exp_below_zero(float x) {
  constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer
  const float clamped = x < -87.0f ? -87.0f : x;
  const float shifted = clamped * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (clamped - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const uint32_t exponent = std::bit_cast<uint32_t>(shifted) << 23;
  // x - x is 0, or not a number where x is none.
  return std::bit_cast<float>(std::bit_cast<uint32_t>(p) + exponent) + (x - x);
}

template <bool has_bias>
inline RowSum exp_row_range(float* __restrict row, const float* __restrict bias, int64_t count) {
  float max[kLanes], sum[kLanes];
  for (int64_t l = 0; l < kLanes; ++l) {
    max[l] = -3.4e38f;
    sum[l] = 0.0f;
  }
  const int64_t whole = count - count % kLanes;
  for (int64_t j = 0; j < whole; j += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) {
      if (has_bias) row[j + l] += bias[j + l];
      max[l] = row[j + l] > max[l] ? row[j + l] : max[l];
    }
  for (int64_t j = whole; j < count; ++j) {
    if (has_bias) row[j] += bias[j];
    max[0] = row[j] > max[0] ? row[j] : max[0];
  }
  float top = max[0];
  for (int64_t l = 1; l < kLanes; ++l) top = max[l] > top ? max[l] : top;

  for (int64_t j = 0; j < whole; j += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) {
      const float e = exp_below_zero(row[j + l] - top);
      row[j + l] = e;
      sum[l] += e;
    }
  for (int64_t j = whole; j < count; ++j) {
    row[j] = exp_below_zero(row[j] - top);
    sum[0] += row[j];
  }
  double total = 0.0;
  for (int64_t l = 0; l < kLanes; ++l) total += sum[l];
  return {top, static_cast<float>(total)};
}

[[maybe_unused]] inline RowSum exp_row_loop(float* row, const float* bias, int64_t count) {
  return bias == nullptr ? exp_row_range<false>(row, bias, count)
                         : exp_row_range<true>(row, bias, count);
}

}  // namespace

}  // namespace reckon::exp_detail
