#include "kernels/row_update_loop.h"

namespace reckon::row_detail {

void sgd_avx2(float* w, const float* g, int64_t width, const Sgd<float>& rule) {
  sgd_loop(w, g, width, rule);
}

void adagrad_avx2(float* w, float* state, const float* g, int64_t width,
                  const Adagrad<float>& rule) {
  adagrad_loop(w, state, g, width, rule);
}

void lazy_adam_avx2(float* w, float* m, float* v, const float* g, int64_t width,
                    const LazyAdam<float>& rule) {
  lazy_adam_loop(w, m, v, g, width, rule);
}

}  // namespace reckon::row_detail
