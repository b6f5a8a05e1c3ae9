#include "kernels/spmm_loop.h"

namespace reckon::spmm_detail {

void multiply_avx2(const Product<float>& product, int64_t begin, int64_t end) {
  multiply_loop(product, begin, end);
}

}  // namespace reckon::spmm_detail
