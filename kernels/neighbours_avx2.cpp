#include "kernels/neighbours_loop.h"

namespace reckon::neighbours_detail {

const Loops<float>& loops_avx2() { return kLoops<float>; }

}  // namespace reckon::neighbours_detail
