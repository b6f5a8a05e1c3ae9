#include "kernels/spmm_loop.h"

namespace reckon::spmm_detail {

void multiply_portable(const Product<float>& product, int64_t begin, int64_t end) {
  multiply_loop(product, begin, end);
}

void multiply_double(const Product<double>& product, int64_t begin, int64_t end) {
  multiply_loop(product, begin, end);
}

}  // namespace reckon::spmm_detail
