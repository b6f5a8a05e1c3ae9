#include "kernels/als_loop.h"

namespace reckon::als_detail {

void cg_portable(const Side& side, int64_t begin, int64_t end, int64_t steps, const float* added,
                 float* scratch) {
  cg_loop(side, begin, end, steps, added, scratch);
}

bool cholesky_portable(const Side& side, int64_t begin, int64_t end, const float* added,
                       float* scratch, int64_t& failed) {
  return cholesky_loop(side, begin, end, added, scratch, failed);
}

}  // namespace reckon::als_detail
