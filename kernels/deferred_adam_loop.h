#pragma once

#include <cmath>
#include <cstdint>

// The loops of deferred_adam.h, compiled once for each instruction set. The files that do so include
// nothing else, so that no code of a wide set leaks into shared functions.

namespace reckon::adam_detail {

/// What stays the same over all steps.
struct Rule {
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float eps = 1e-8F;
  float l2 = 0.0F;  ///< Times the weight, added to its gradient.
};

/// What a step is to every weight: kept * weight - size * m / (root_scale * sqrt(v) + eps).
struct Step {
  float size = 0.0F;
  float root_scale = 1.0F;
  float kept = 1.0F;
};

/// A row: weights and both moments.
struct Row {
  float* weight;
  float* moment1;
  float* moment2;
  int64_t width;
};

/// `count` steps without a gradient.
void advance_portable(const Row& row, const Rule& rule, const Step* steps, int64_t count);
void advance_avx2(const Row& row, const Rule& rule, const Step* steps, int64_t count);
void advance_avx512(const Row& row, const Rule& rule, const Step* steps, int64_t count);

/// One step with a gradient.
void step_portable(const Row& row, const Rule& rule, const Step& step, const float* gradient);
void step_avx2(const Row& row, const Rule& rule, const Step& step, const float* gradient);
void step_avx512(const Row& row, const Rule& rule, const Step& step, const float* gradient);

namespace {

// A first moment that is halved for ever would end among numbers that processors are slow with; so small a one moves
// nothing.
constexpr float kNothing = 1e-30F;

[[maybe_unused]] inline void move(float& weight, float& moment1, float& moment2, float gradient,
                                  const Rule& rule, const Step& step) {
  const float m = rule.beta1 * moment1 + (1.0F - rule.beta1) * gradient;
  const float v = rule.beta2 * moment2 + (1.0F - rule.beta2) * gradient * gradient;
  moment1 = std::fabs(m) < kNothing ? 0.0F : m;
  moment2 = v;
  weight = step.kept * weight - step.size * moment1 / (step.root_scale * std::sqrt(v) + rule.eps);
}

[[maybe_unused]] inline void advance_loop(const Row& row, const Rule& rule, const Step* steps,
                                          int64_t count) {
  float* __restrict w = row.weight;
  float* __restrict m = row.moment1;
  float* __restrict v = row.moment2;
  const int64_t width = row.width;
  const Rule fixed = rule;
  for (int64_t s = 0; s < count; ++s) {
    const Step step = steps[s];
    for (int64_t i = 0; i < width; ++i) move(w[i], m[i], v[i], fixed.l2 * w[i], fixed, step);
  }
}

[[maybe_unused]] inline void step_loop(const Row& row, const Rule& rule, const Step& step,
                                       const float* gradient) {
  float* __restrict w = row.weight;
  float* __restrict m = row.moment1;
  float* __restrict v = row.moment2;
  const float* __restrict g = gradient;
  const int64_t width = row.width;
  const Rule fixed = rule;
  const Step same = step;
  for (int64_t i = 0; i < width; ++i) move(w[i], m[i], v[i], g[i] + fixed.l2 * w[i], fixed, same);
}

}  // namespace

}  // namespace reckon::adam_detail
