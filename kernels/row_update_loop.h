#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/lanes_dot.h"

// The loops of row_update.h, compiled once for each instruction set. The files that do so include nothing
// else, so that no code of a wide set leaks into shared functions.

namespace reckon::row_detail {

template <class Scalar>
struct Sgd {
  Scalar lr, decay;
};

template <class Scalar>
struct Adagrad {
  Scalar lr, eps, decay;
};

/// `rest1` and `rest2` are one minus the betas; `lr` and `root_scale` hold what unbiases the moments.
template <class Scalar>
struct LazyAdam {
  Scalar lr, beta1, rest1, beta2, rest2, eps, decay, root_scale;
};

void sgd_portable(float* w, const float* g, int64_t width, const Sgd<float>& rule);
void sgd_avx2(float* w, const float* g, int64_t width, const Sgd<float>& rule);
void sgd_avx512(float* w, const float* g, int64_t width, const Sgd<float>& rule);

void adagrad_portable(float* w, float* state, const float* g, int64_t width,
                      const Adagrad<float>& rule);
void adagrad_avx2(float* w, float* state, const float* g, int64_t width,
                  const Adagrad<float>& rule);
void adagrad_avx512(float* w, float* state, const float* g, int64_t width,
                    const Adagrad<float>& rule);

void lazy_adam_portable(float* w, float* m, float* v, const float* g, int64_t width,
                        const LazyAdam<float>& rule);
void lazy_adam_avx2(float* w, float* m, float* v, const float* g, int64_t width,
                    const LazyAdam<float>& rule);
void lazy_adam_avx512(float* w, float* m, float* v, const float* g, int64_t width,
                      const LazyAdam<float>& rule);

namespace {

template <class Scalar>
[[maybe_unused]] inline void sgd_loop(Scalar* __restrict w, const Scalar* __restrict g,
                                      int64_t width, const Sgd<Scalar>& rule) {
  const auto fixed = rule;
  for (int64_t d = 0; d < width; ++d) w[d] -= fixed.lr * (g[d] + fixed.decay * w[d]);
}

template <class Scalar>
[[maybe_unused]] inline void adagrad_loop(Scalar* __restrict w, Scalar* __restrict state,
                                          const Scalar* __restrict g, int64_t width,
                                          const Adagrad<Scalar>& rule) {
  const auto fixed = rule;
  const int64_t whole = width - width % kSumLanes;
  Scalar lanes[kSumLanes] = {};
  const auto square_of = [&](int64_t d) {
    const Scalar gradient = g[d] + fixed.decay * w[d];
    return gradient * gradient;
  };
  for (int64_t d = 0; d < whole; d += kSumLanes)
    for (int64_t l = 0; l < kSumLanes; ++l) lanes[l] += square_of(d + l);
  Scalar squares = 0;
  for (int64_t l = 0; l < kSumLanes; ++l) squares += lanes[l];
  for (int64_t d = whole; d < width; ++d) squares += square_of(d);
  *state += squares / static_cast<Scalar>(width);
  const Scalar rate = fixed.lr / (std::sqrt(*state) + fixed.eps);
  for (int64_t d = 0; d < width; ++d) w[d] -= rate * (g[d] + fixed.decay * w[d]);
}

template <class Scalar>
[[maybe_unused]] inline void lazy_adam_loop(Scalar* __restrict w, Scalar* __restrict m,
                                            Scalar* __restrict v, const Scalar* __restrict g,
                                            int64_t width, const LazyAdam<Scalar>& rule) {
  const auto fixed = rule;
  for (int64_t d = 0; d < width; ++d) {
    const Scalar gradient = g[d] + fixed.decay * w[d];
    m[d] = fixed.beta1 * m[d] + fixed.rest1 * gradient;
    v[d] = fixed.beta2 * v[d] + fixed.rest2 * gradient * gradient;
    w[d] -= fixed.lr * m[d] / (std::sqrt(v[d]) * fixed.root_scale + fixed.eps);
  }
}

}  // namespace

}  // namespace reckon::row_detail
