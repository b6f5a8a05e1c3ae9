#include "kernels/neighbours_loop.h"

namespace reckon::neighbours_detail {

const Loops<float>& loops_portable() { return kLoops<float>; }

const Loops<double>& loops_double() { return kLoops<double>; }

}  // namespace reckon::neighbours_detail
