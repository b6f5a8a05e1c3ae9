#include "kernels/row_update_loop.h"

namespace reckon::row_detail {

void sgd_portable(float* w, const float* g, int64_t width, const Sgd<float>& rule) {
  sgd_loop(w, g, width, rule);
}

void adagrad_portable(float* w, float* state, const float* g, int64_t width,
                      const Adagrad<float>& rule) {
  adagrad_loop(w, state, g, width, rule);
}

void lazy_adam_portable(float* w, float* m, float* v, const float* g, int64_t width,
                        const LazyAdam<float>& rule) {
  lazy_adam_loop(w, m, v, g, width, rule);
}

}  // namespace reckon::row_detail
