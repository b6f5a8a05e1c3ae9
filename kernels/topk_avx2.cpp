#include "kernels/topk_scan.h"

namespace reckon::topk_detail {

int64_t scan_avx2(const float* scores, const float* bias, int64_t count, float threshold,
                  int32_t* found) {
  return scan_loop(scores, bias, count, threshold, found);
}

void maximum_avx2(float* into, const float* from, int64_t count) {
  maximum_loop(into, from, count);
}

}  // namespace reckon::topk_detail
