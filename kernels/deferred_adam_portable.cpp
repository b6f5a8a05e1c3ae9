#include "kernels/deferred_adam_loop.h"

namespace reckon::adam_detail {

void advance_portable(const Row& row, const Rule& rule, const Step* steps, int64_t count) {
  advance_loop(row, rule, steps, count);
}

void step_portable(const Row& row, const Rule& rule, const Step& step, const float* gradient) {
  step_loop(row, rule, step, gradient);
}

}  // namespace reckon::adam_detail
