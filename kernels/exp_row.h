#pragma once

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

// Vectors of the compiler's own, since loops that are to become vectors do so only at a compiler's mercy.
template <int kWidth>
struct Lanes {
  // GCC forgets the attribute of a `using` whose width is a parameter.
  typedef float Floats __attribute__((vector_size(kWidth * 4)));
  typedef uint32_t Bits __attribute__((vector_size(kWidth * 4)));
  // Anywhere in memory, beside floats.
  typedef float Unaligned __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));

  static Floats load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
  static void store(float* to, Floats values) { *reinterpret_cast<Unaligned*>(to) = values; }
  static Floats all(float value) { return Floats{} + value; }

  // exp(x) for x <= 0: 2^n by the exponent field, the rest by a polynomial on [-ln2 / 2, ln2 / 2].
  static Floats exp_below_zero(Floats x) {
    constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
    constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer
    const Floats lowest = all(-87.0f);
    const Floats clamped = x < lowest ? lowest : x;
    const Floats shifted = clamped * kLog2E + kRound;
    const Floats n = shifted - kRound;
    const Floats r = (clamped - n * kLn2High) - n * kLn2Low;
    Floats p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    // Casts between vectors keep the bits (std::bit_cast takes none of a width that is a parameter).
    const Bits exponent = (Bits)shifted << 23;
    // x - x is 0, or not a number where x is none.
    return (Floats)((Bits)p + exponent) + (x - x);
  }
};

// Independent partial results, so that sums and maxima wait for nobody; the same number for every width.
constexpr int kLanes = 32;

template <int kWidth, bool has_bias>
inline RowSum exp_row_range(float* __restrict row, const float* __restrict bias, int64_t count) {
  using L = Lanes<kWidth>;
  using Floats = typename L::Floats;
  constexpr int kParts = kLanes / kWidth;
  Floats max[kParts], sum[kParts];
  for (int k = 0; k < kParts; ++k) {
    max[k] = L::all(-3.4e38f);
    sum[k] = L::all(0.0f);
  }
  const int64_t whole = count - count % kLanes;
  for (int64_t j = 0; j < whole; j += kLanes)
    for (int k = 0; k < kParts; ++k) {
      auto* at = row + j + k * kWidth;
      auto score = L::load(at);
      if (has_bias) {
        score += L::load(bias + j + k * kWidth);
        L::store(at, score);
      }
      max[k] = score > max[k] ? score : max[k];
    }
  float top = -3.4e38f;
  for (int64_t j = whole; j < count; ++j) {
    if (has_bias) row[j] += bias[j];
    top = row[j] > top ? row[j] : top;
  }
  for (int k = 0; k < kParts; ++k)
    for (int l = 0; l < kWidth; ++l) top = max[k][l] > top ? max[k][l] : top;

  const Floats tops = L::all(top);
  for (int64_t j = 0; j < whole; j += kLanes)
    for (int k = 0; k < kParts; ++k) {
      auto* at = row + j + k * kWidth;
      const auto e = L::exp_below_zero(L::load(at) - tops);
      L::store(at, e);
      sum[k] += e;
    }
  double total = 0.0;
  for (int64_t j = whole; j < count; ++j) {
    row[j] = Lanes<4>::exp_below_zero(Lanes<4>::all(row[j] - top))[0];
    total += row[j];
  }
  for (int k = 0; k < kParts; ++k)
    for (int l = 0; l < kWidth; ++l) total += static_cast<double>(sum[k][l]);
  return {top, static_cast<float>(total)};
}

template <int kWidth>
[[maybe_unused]] inline RowSum exp_row_loop(float* row, const float* bias, int64_t count) {
  return bias == nullptr ? exp_row_range<kWidth, false>(row, bias, count)
                         : exp_row_range<kWidth, true>(row, bias, count);
}

}  // namespace

}  // namespace reckon::exp_detail
