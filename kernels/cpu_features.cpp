#include "kernels/cpu_features.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace reckon {

namespace {

constexpr Simd kAll[] = {Simd::kPortable, Simd::kAvx2, Simd::kAvx512};

Simd detect() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (!avx2) return Simd::kPortable;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? Simd::kAvx512 : Simd::kAvx2;
#else
  return Simd::kPortable;
#endif
}

// What the environment asks for, at most what the machine can do; other words ask for nothing.
Simd chosen_at_start() {
  const char* wish = std::getenv("RECKON_SIMD");
  if (wish != nullptr)
    for (const auto simd : kAll)
      if (std::string(wish) == simd_name(simd)) return std::min(simd, detected_simd());
  return detected_simd();
}

std::atomic<Simd>& active() {
  static std::atomic<Simd> simd = chosen_at_start();
  return simd;
}

}  // namespace

Simd detected_simd() {
  static const Simd simd = detect();
  return simd;
}

Simd active_simd() { return active().load(std::memory_order_relaxed); }

ForcedSimd::ForcedSimd(Simd simd) : previous_(active_simd()) {
  if (simd > detected_simd())
    throw std::invalid_argument(std::string("this machine cannot run ") + simd_name(simd));
  active() = simd;
}

ForcedSimd::~ForcedSimd() { active() = previous_; }

const char* simd_name(Simd simd) {
  switch (simd) {
    case Simd::kPortable:
      return "portable";
    case Simd::kAvx2:
      return "avx2";
    case Simd::kAvx512:
      return "avx512";
  }
  return "?";
}

}  // namespace reckon
