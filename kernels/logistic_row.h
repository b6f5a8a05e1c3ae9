#pragma once

#include <cstdint>

#include "kernels/exp_row.h"

// Logistic losses of a row of scores, compiled once for each instruction set like exp_row.h, and
// with nothing else in the files that do so.

namespace reckon::logistic_detail {

/// sum_j log(1 + exp(x[j])) = positive + log(product) + exponent * log(2); that of the
/// derivatives, 1 / (1 + exp(-x[j])), is `derivatives`.
struct RowLoss {
  double positive;
  double product;
  int64_t exponent;
  double derivatives;
};

/// x[j] = row[j] + bias[j] - chosen; row[j] = 1 / (1 + exp(-x[j])), and the sums. `bias` may be null.
/// What is no finite number anywhere makes the sums none.
RowLoss logistic_row_portable(float* row, const float* bias, float chosen, int64_t count);
RowLoss logistic_row_avx2(float* row, const float* bias, float chosen, int64_t count);
RowLoss logistic_row_avx512(float* row, const float* bias, float chosen, int64_t count);

/// Of a row whose pairs count by weight + scale * columns[j].
struct RowWeights {
  float weight;
  float scale;
  const float* columns;
};

/// The sum of the weighted losses, and that of their derivatives.
struct WeightedRowLoss {
  double loss;
  double derivatives;
};

/// As logistic_row, with weights in the sums and in row[j].
WeightedRowLoss weighted_logistic_row_portable(float* row, const float* bias, float chosen,
                                               const RowWeights& weights, int64_t count);
WeightedRowLoss weighted_logistic_row_avx2(float* row, const float* bias, float chosen,
                                           const RowWeights& weights, int64_t count);
WeightedRowLoss weighted_logistic_row_avx512(float* row, const float* bias, float chosen,
                                             const RowWeights& weights, int64_t count);

namespace {

// Factors between 1 and 2 that are multiplied before the exponent of the product is taken out of it:
// float holds 2^127.
constexpr int64_t kFactors = 64;

// Lanes that scores are looked at in: the same for every instruction set, so that all round alike.
constexpr int kLossLanes = 32;

template <int kWidth>
struct LossLanes {
  using L = exp_detail::Lanes<kWidth>;
  using Floats = typename L::Floats;

  Floats positive = L::all(0.0f), product = L::all(1.0f), derivatives = L::all(0.0f);

  // Of x; returns the derivative.
  Floats add(Floats x) {
    const auto zero = L::all(0.0f), one = L::all(1.0f);
    const auto e = L::exp_below_zero(x > zero ? -x : x);  // in (0, 1]
    positive += x > zero ? x : zero;
    product *= one + e;
    const auto derivative = (x > zero ? one : e) / (one + e);
    derivatives += derivative;
    return derivative;
  }

  // Moves whole powers of two out of the products; what is no number stays one.
  int64_t take_exponents() {
    const auto bits = (typename L::Bits)product;
    int64_t sum = 0;
    for (int l = 0; l < kWidth; ++l) sum += static_cast<int64_t>(bits[l] >> 23) - 127;
    const auto fraction = (bits & 0x007fffffu) | 0x3f800000u;
    product = (Floats)fraction + (product - product);
    return sum;
  }
};

template <int kWidth, bool has_bias>
inline RowLoss logistic_row_range(float* __restrict row, const float* __restrict bias, float chosen,
                                  int64_t count) {
  using L = exp_detail::Lanes<kWidth>;
  constexpr int kParts = kLossLanes / kWidth;
  LossLanes<kWidth> parts[kParts];
  const auto limit = L::all(chosen);
  const int64_t whole = count - count % kLossLanes;
  RowLoss out{0.0, 1.0, 0, 0.0};
  for (int64_t block = 0; block < whole; block += kFactors * kLossLanes) {
    const int64_t end =
        block + kFactors * kLossLanes < whole ? block + kFactors * kLossLanes : whole;
    for (int64_t j = block; j < end; j += kLossLanes)
      for (int k = 0; k < kParts; ++k) {
        auto* at = row + j + k * kWidth;
        auto x = L::load(at);
        if (has_bias) x += L::load(bias + j + k * kWidth);
        L::store(at, parts[k].add(x - limit));
      }
    for (auto& part : parts) out.exponent += part.take_exponents();
  }
  // What is left over, one score in all lanes: the others of a lane are not looked at.
  for (int64_t j = whole; j < count; ++j) {
    LossLanes<4> one;
    const float x = row[j] + (has_bias ? bias[j] : 0.0f) - chosen;
    row[j] = one.add(exp_detail::Lanes<4>::all(x))[0];
    out.positive += static_cast<double>(one.positive[0]);
    out.product *= static_cast<double>(one.product[0]);
    out.derivatives += static_cast<double>(one.derivatives[0]);
  }
  for (const auto& part : parts)
    for (int l = 0; l < kWidth; ++l) {
      out.positive += static_cast<double>(part.positive[l]);
      out.product *= static_cast<double>(part.product[l]);
      out.derivatives += static_cast<double>(part.derivatives[l]);
    }
  return out;
}

template <int kWidth>
[[maybe_unused]] inline RowLoss logistic_row_loop(float* row, const float* bias, float chosen,
                                                  int64_t count) {
  return bias == nullptr ? logistic_row_range<kWidth, false>(row, bias, chosen, count)
                         : logistic_row_range<kWidth, true>(row, bias, chosen, count);
}

// Scores whose sums are kept in float before they are added to those in double.
constexpr int64_t kWeightedBlock = 1024;

template <int kWidth>
struct WeightedLossLanes {
  using L = exp_detail::Lanes<kWidth>;
  using Floats = typename L::Floats;

  Floats loss = L::all(0.0f), derivatives = L::all(0.0f);

  // Of x, which counts `weight`; returns the weighted derivative.
  Floats add(Floats x, Floats weight) {
    const auto zero = L::all(0.0f), one = L::all(1.0f);
    const auto e = L::exp_below_zero(x > zero ? -x : x);  // in (0, 1]
    // log(1 + e) = 2 artanh(e / (2 + e)), of an argument of at most a third.
    const auto z = e / (e + 2.0f);
    const auto s = z * z;
    auto series = L::all(1.0f / 13.0f);
    series = series * s + 1.0f / 11.0f;
    series = series * s + 1.0f / 9.0f;
    series = series * s + 1.0f / 7.0f;
    series = series * s + 1.0f / 5.0f;
    series = series * s + 1.0f / 3.0f;
    series = series * s + 1.0f;
    loss += weight * ((x > zero ? x : zero) + 2.0f * z * series);
    const auto derivative = weight * ((x > zero ? one : e) / (one + e));
    derivatives += derivative;
    return derivative;
  }
};

template <int kWidth, bool has_bias>
inline WeightedRowLoss weighted_logistic_row_range(float* __restrict row,
                                                   const float* __restrict bias, float chosen,
                                                   const RowWeights& weights, int64_t count) {
  using L = exp_detail::Lanes<kWidth>;
  constexpr int kParts = kLossLanes / kWidth;
  const auto limit = L::all(chosen), scale = L::all(weights.scale), weight = L::all(weights.weight);
  const float* __restrict columns = weights.columns;
  const int64_t whole = count - count % kLossLanes;
  WeightedRowLoss out{0.0, 0.0};
  for (int64_t block = 0; block < whole; block += kWeightedBlock) {
    const int64_t end = block + kWeightedBlock < whole ? block + kWeightedBlock : whole;
    WeightedLossLanes<kWidth> parts[kParts];
    for (int64_t j = block; j < end; j += kLossLanes)
      for (int k = 0; k < kParts; ++k) {
        const int64_t from = j + k * kWidth;
        auto x = L::load(row + from);
        if (has_bias) x += L::load(bias + from);
        L::store(row + from, parts[k].add(x - limit, weight + scale * L::load(columns + from)));
      }
    for (const auto& part : parts)
      for (int l = 0; l < kWidth; ++l) {
        out.loss += static_cast<double>(part.loss[l]);
        out.derivatives += static_cast<double>(part.derivatives[l]);
      }
  }
  // What is left over, one score in all lanes: the others of a lane are not looked at.
  for (int64_t j = whole; j < count; ++j) {
    using One = exp_detail::Lanes<4>;
    WeightedLossLanes<4> one;
    const float x = row[j] + (has_bias ? bias[j] : 0.0f) - chosen;
    row[j] = one.add(One::all(x), One::all(weights.weight + weights.scale * columns[j]))[0];
    out.loss += static_cast<double>(one.loss[0]);
    out.derivatives += static_cast<double>(one.derivatives[0]);
  }
  return out;
}

template <int kWidth>
[[maybe_unused]] inline WeightedRowLoss weighted_logistic_row_loop(float* row, const float* bias,
                                                                   float chosen,
                                                                   const RowWeights& weights,
                                                                   int64_t count) {
  return bias == nullptr
             ? weighted_logistic_row_range<kWidth, false>(row, bias, chosen, weights, count)
             : weighted_logistic_row_range<kWidth, true>(row, bias, chosen, weights, count);
}

}  // namespace

}  // namespace reckon::logistic_detail
