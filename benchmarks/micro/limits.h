#pragma once

#include <benchmark/benchmark.h>

namespace reckon::bench {

/// What this machine can do at best, measured once in this process with the threads that it has.
struct Limits {
  double flops = 0.0;       ///< Multiplications and additions a second of a large float32 product.
  double read_bytes = 0.0;  ///< Bytes a second of reading memory from front to back.
  double gather_bytes = 0.0;  ///< Bytes a second of reading rows of 256 bytes anywhere in 256 MB.
};

const Limits& limits();

/// The least that one iteration of a benchmark has to do.
struct Work {
  double flops = 0.0;
  double bytes = 0.0;  ///< Front to back.
  double gathered_bytes = 0.0;
};

/// Adds the counters `limit_ms`, the time that the work takes at the machine's limits, and `of_limit`,
/// its share of the time that was taken.
void report(benchmark::State& state, const Work& work);

}  // namespace reckon::bench
