#include "kernels/dropout_loops.h"

namespace reckon::dropout_detail {

void apply_avx2(const float* x, float* y, int64_t count, uint32_t first, Mask mask, float scale) {
  apply_loop(x, y, count, first, mask, scale);
}

void apply_avx2(const double* x, double* y, int64_t count, uint32_t first, Mask mask,
                double scale) {
  apply_loop(x, y, count, first, mask, scale);
}

}  // namespace reckon::dropout_detail
