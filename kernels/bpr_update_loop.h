#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/lanes_dot.h"

// The loop of bpr_update(), compiled once for each instruction set. The files that do so include
// nothing else, so that no code of a wide set leaks into shared functions.

namespace reckon::bpr_detail {

struct Tables {
  float* users;
  float* items;
  float* item_bias;  // null without biases
  int64_t width;
};

/// `samples` are triples of user, positive and negative id.
double update_portable(const Tables& tables, const int32_t* samples, int64_t count, float lr,
                       float l2);
double update_avx2(const Tables& tables, const int32_t* samples, int64_t count, float lr, float l2);
double update_avx512(const Tables& tables, const int32_t* samples, int64_t count, float lr,
                     float l2);

namespace {

// Rows lie anywhere: their lines are asked for this many samples ahead.
constexpr int64_t kSamplesAhead = 6;
constexpr int64_t kLanes = 16;

[[maybe_unused]] inline double update_loop(const Tables& t, const int32_t* samples, int64_t count,
                                           float lr, float l2) {
  const int64_t width = t.width;
  const int64_t whole = width - width % kLanes;
  const float kept = 1.0F - lr * l2;
  double loss = 0.0;
  for (int64_t s = 0; s < count; ++s) {
    if (s + kSamplesAhead < count) {
      const int32_t* next = samples + 3 * (s + kSamplesAhead);
      prefetch_row<true>(t.users + next[0] * width, width);
      prefetch_row<true>(t.items + next[1] * width, width);
      prefetch_row<true>(t.items + next[2] * width, width);
    }
    const int32_t* sample = samples + 3 * s;
    float* __restrict u = t.users + sample[0] * width;
    float* __restrict i = t.items + sample[1] * width;
    float* __restrict j = t.items + sample[2] * width;
    float lanes[kLanes] = {};
    for (int64_t d = 0; d < whole; d += kLanes)
      for (int64_t l = 0; l < kLanes; ++l) lanes[l] += u[d + l] * (i[d + l] - j[d + l]);
    for (int64_t d = whole; d < width; ++d) lanes[0] += u[d] * (i[d] - j[d]);
    float x = 0.0F;
    for (int64_t l = 0; l < kLanes; ++l) x += lanes[l];
    if (t.item_bias != nullptr) x += t.item_bias[sample[1]] - t.item_bias[sample[2]];
    // exp() of the negative side alone, so that neither overflows.
    const float e = std::exp(-std::fabs(x));
    const float z = (x >= 0.0F ? e : 1.0F) / (1.0F + e);  // sigmoid(-x)
    loss += std::log1p(e) + (x < 0.0F ? -x : 0.0F);
    const float step = lr * z;
    for (int64_t d = 0; d < width; ++d) {
      const float ud = u[d], id = i[d], jd = j[d];
      u[d] = kept * ud + step * (id - jd);
      i[d] = kept * id + step * ud;
      j[d] = kept * jd - step * ud;
    }
    if (t.item_bias != nullptr) {
      t.item_bias[sample[1]] = kept * t.item_bias[sample[1]] + step;
      t.item_bias[sample[2]] = kept * t.item_bias[sample[2]] - step;
    }
  }
  return loss;
}

}  // namespace

}  // namespace reckon::bpr_detail
