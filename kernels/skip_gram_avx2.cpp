#include "kernels/skip_gram_loop.h"

namespace reckon::skip_gram_detail {

double learn_avx2(const Tables& tables, const Examples& examples, float lr, float* scratch) {
  return learn_loop(tables, examples, lr, scratch);
}

}  // namespace reckon::skip_gram_detail
