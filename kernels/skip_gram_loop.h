#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/lanes_dot.h"

// The loop of skip_gram_update(), compiled once for each instruction set. The files that do so include
// nothing else, so that no code of a wide set leaks into shared functions.

namespace reckon::skip_gram_detail {

struct Tables {
  float* vectors;
  float* contexts;
  int64_t width;
};

struct Examples {
  const int32_t* pairs;      // center and context, one after the other
  const int32_t* negatives;  // `num_negatives` of each pair
  int64_t count;
  int64_t num_negatives;
};

/// `scratch` holds one vector.
double learn_portable(const Tables& tables, const Examples& examples, float lr, float* scratch);
double learn_avx2(const Tables& tables, const Examples& examples, float lr, float* scratch);
double learn_avx512(const Tables& tables, const Examples& examples, float lr, float* scratch);

namespace {

// Moves one context towards the vector or away from it, and adds to `move` what that does to the vector.
[[maybe_unused]] inline double learn_context(const float* __restrict vector,
                                             float* __restrict context, float* __restrict move,
                                             int64_t width, bool is_met, float lr) {
  const float x = lanes_dot(vector, context, width);
  // exp() of the negative side alone, so that neither overflows.
  const float e = std::exp(-std::fabs(x));
  const float probability = (x >= 0.0F ? 1.0F : e) / (1.0F + e);
  const float step = lr * ((is_met ? 1.0F : 0.0F) - probability);
  for (int64_t d = 0; d < width; ++d) {
    const float before = context[d];
    move[d] += step * before;
    context[d] = before + step * vector[d];
  }
  const float margin = is_met ? x : -x;
  return std::log1p(e) + (margin < 0.0F ? -margin : 0.0F);
}

[[maybe_unused]] inline double learn_loop(const Tables& t, const Examples& examples, float lr,
                                          float* __restrict move) {
  const int64_t width = t.width, num_negatives = examples.num_negatives;
  double loss = 0.0;
  for (int64_t s = 0; s < examples.count; ++s) {
    const int32_t* negatives = examples.negatives + s * num_negatives;
    // Rows lie anywhere: those of the next pair are asked for while this one is learnt.
    if (s + 1 < examples.count) {
      prefetch_row<true>(t.contexts + examples.pairs[2 * s + 3] * width, width);
      for (int64_t n = 0; n < num_negatives; ++n)
        prefetch_row<true>(t.contexts + negatives[num_negatives + n] * width, width);
    }
    float* __restrict vector = t.vectors + examples.pairs[2 * s] * width;
    const int32_t met = examples.pairs[2 * s + 1];
    for (int64_t d = 0; d < width; ++d) move[d] = 0.0F;
    loss += learn_context(vector, t.contexts + met * width, move, width, true, lr);
    for (int64_t n = 0; n < num_negatives; ++n)
      if (negatives[n] != met)
        loss += learn_context(vector, t.contexts + negatives[n] * width, move, width, false, lr);
    for (int64_t d = 0; d < width; ++d) vector[d] += move[d];
  }
  return loss;
}

}  // namespace

}  // namespace reckon::skip_gram_detail
