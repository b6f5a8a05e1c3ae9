#include "kernels/exp_row.h"

namespace reckon::exp_detail {

RowSum exp_row_avx512(float* row, const float* bias, int64_t count) {
  return exp_row_loop<16>(row, bias, count);
}

}  // namespace reckon::exp_detail
