#include "kernels/dropout_loops.h"

namespace reckon::dropout_detail {

void apply_portable(const float* x, float* y, int64_t begin, int64_t end, Mask mask, float scale) {
  apply_loop(x, y, begin, end, mask, scale);
}

void apply_portable(const double* x, double* y, int64_t begin, int64_t end, Mask mask,
                    double scale) {
  apply_loop(x, y, begin, end, mask, scale);
}

}  // namespace reckon::dropout_detail
