#pragma once

#include <cstdint>

#include "kernels/lanes_dot.h"

// The loops of rating_sgd.h, compiled once for each instruction set. The files that do so include
// nothing else, so that no code of a wide set leaks into shared functions.

namespace reckon {

/// Ratings of U users; those of user u stand at [user_offsets[u], user_offsets[u + 1]).
struct RatingRows {
  const int64_t* user_offsets = nullptr;
  const int32_t* items = nullptr;
  const float* values = nullptr;
  int64_t num_users = 0;
};

/// What is learnt: vectors [U, width] and [I, width], biases [U] and [I].
struct FactorTables {
  float* users = nullptr;
  float* items = nullptr;
  float* user_bias = nullptr;
  float* item_bias = nullptr;
  int64_t width = 0;
  float mean = 0.0F;
  bool biased = true;
};

struct FactorRates {
  float lr = 0.005F;
  float l2 = 0.02F;
};

namespace rating_detail {

double factor_sgd_portable(const RatingRows& ratings, const FactorTables& tables,
                           const FactorRates& rates);
double factor_sgd_avx2(const RatingRows& ratings, const FactorTables& tables,
                       const FactorRates& rates);
double factor_sgd_avx512(const RatingRows& ratings, const FactorTables& tables,
                         const FactorRates& rates);

/// `scratch` holds two vectors.
double factor_pp_sgd_portable(const RatingRows& ratings, const FactorTables& tables,
                              float* implicit, const FactorRates& rates, float* scratch);
double factor_pp_sgd_avx2(const RatingRows& ratings, const FactorTables& tables, float* implicit,
                          const FactorRates& rates, float* scratch);
double factor_pp_sgd_avx512(const RatingRows& ratings, const FactorTables& tables, float* implicit,
                            const FactorRates& rates, float* scratch);

namespace {

[[maybe_unused]] inline double factor_sgd_loop(const RatingRows& ratings,
                                               const FactorTables& tables,
                                               const FactorRates& rates) {
  const int64_t width = tables.width;
  const float lr = rates.lr, keep = 1.0F - rates.lr * rates.l2;
  double sum = 0.0;
  for (int64_t user = 0; user < ratings.num_users; ++user) {
    float* __restrict p = tables.users + user * width;
    float user_bias = tables.user_bias[user];
    for (int64_t row = ratings.user_offsets[user]; row < ratings.user_offsets[user + 1]; ++row) {
      const int64_t item = ratings.items[row];
      float* __restrict q = tables.items + item * width;
      float prediction = lanes_dot(p, q, width);
      if (tables.biased) prediction += tables.mean + user_bias + tables.item_bias[item];
      const float error = ratings.values[row] - prediction;
      sum += static_cast<double>(error) * error;
      const float step = lr * error;
      if (tables.biased) {
        user_bias = keep * user_bias + step;
        tables.item_bias[item] = keep * tables.item_bias[item] + step;
      }
      for (int64_t d = 0; d < width; ++d) {
        const float before = p[d];
        p[d] = keep * before + step * q[d];
        q[d] = keep * q[d] + step * before;
      }
    }
    tables.user_bias[user] = user_bias;
  }
  return sum;
}

[[maybe_unused]] inline double factor_pp_sgd_loop(const RatingRows& ratings,
                                                  const FactorTables& tables,
                                                  float* __restrict implicit,
                                                  const FactorRates& rates, float* scratch) {
  const int64_t width = tables.width;
  const float lr = rates.lr, keep = 1.0F - rates.lr * rates.l2;
  float* __restrict whole = scratch;          // n^(-1/2) sum_j y_j
  float* __restrict shift = scratch + width;  // what every y_j has gained
  double sum = 0.0;
  for (int64_t user = 0; user < ratings.num_users; ++user) {
    const int64_t begin = ratings.user_offsets[user], end = ratings.user_offsets[user + 1];
    if (begin == end) continue;
    const float root = 1.0F / __builtin_sqrtf(static_cast<float>(end - begin));
    for (int64_t d = 0; d < width; ++d) whole[d] = shift[d] = 0.0F;
    for (int64_t row = begin; row < end; ++row) {
      const float* __restrict y = implicit + static_cast<int64_t>(ratings.items[row]) * width;
      for (int64_t d = 0; d < width; ++d) whole[d] += y[d];
    }
    for (int64_t d = 0; d < width; ++d) whole[d] *= root;
    float kept = 1.0F;  // the share of every y_j that is left
    float* __restrict p = tables.users + user * width;
    float user_bias = tables.user_bias[user];
    for (int64_t row = begin; row < end; ++row) {
      const int64_t item = ratings.items[row];
      float* __restrict q = tables.items + item * width;
      const float prediction = tables.mean + user_bias + tables.item_bias[item] +
                               lanes_dot(p, q, width) + lanes_dot(whole, q, width);
      const float error = ratings.values[row] - prediction;
      sum += static_cast<double>(error) * error;
      const float step = lr * error;
      user_bias = keep * user_bias + step;
      tables.item_bias[item] = keep * tables.item_bias[item] + step;
      const float gain = step * root;
      for (int64_t d = 0; d < width; ++d) {
        const float before = p[d], all = whole[d], other = q[d];
        p[d] = keep * before + step * other;
        q[d] = keep * other + step * (before + all);
        whole[d] = keep * all + step * other;
        shift[d] = keep * shift[d] + gain * other;
      }
      kept *= keep;
    }
    tables.user_bias[user] = user_bias;
    for (int64_t row = begin; row < end; ++row) {
      float* __restrict y = implicit + static_cast<int64_t>(ratings.items[row]) * width;
      for (int64_t d = 0; d < width; ++d) y[d] = kept * y[d] + shift[d];
    }
  }
  return sum;
}

}  // namespace
}  // namespace rating_detail
}  // namespace reckon
