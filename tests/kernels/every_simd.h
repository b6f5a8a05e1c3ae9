#pragma once

#include <vector>

#include "kernels/cpu_features.h"

namespace reckon {

/// The instruction sets that this machine can run, narrowest first.
inline std::vector<Simd> runnable_simd() {
  std::vector<Simd> sets;
  for (const auto simd : {Simd::kPortable, Simd::kAvx2, Simd::kAvx512})
    if (simd <= detected_simd()) sets.push_back(simd);
  return sets;
}

}  // namespace reckon
