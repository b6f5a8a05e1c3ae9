#include "kernels/bpr_update_loop.h"

namespace reckon::bpr_detail {

double update_avx512(const Tables& tables, const int32_t* samples, int64_t count, float lr,
                     float l2) {
  return update_loop(tables, samples, count, lr, l2);
}

}  // namespace reckon::bpr_detail
