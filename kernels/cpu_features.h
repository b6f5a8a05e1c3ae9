#pragma once

namespace reckon {

/// Instruction sets that kernels are compiled for; each includes those before it.
enum class Simd { kPortable, kAvx2, kAvx512 };

/// The widest set that this machine runs.
Simd detected_simd();

/// The set that kernels use now: the detected one, or a narrower one named by the environment
/// variable RECKON_SIMD (portable, avx2, avx512) or by a ForcedSimd.
Simd active_simd();

/// Of one loop compiled for each set, the one that active_simd() names.
template <class Function>
Function* for_active_simd(Function* portable, Function* avx2, Function* avx512) {
  switch (active_simd()) {
    case Simd::kAvx512:
      return avx512;
    case Simd::kAvx2:
      return avx2;
    case Simd::kPortable:
      break;
  }
  return portable;
}

/// Makes kernels of all threads use a set while it lives, so that tests and benchmarks reach every
/// path. Not for use from several threads at once.
///
/// Throws std::invalid_argument when the machine cannot run it.
class ForcedSimd {
 public:
  explicit ForcedSimd(Simd simd);
  ~ForcedSimd();
  ForcedSimd(const ForcedSimd&) = delete;
  ForcedSimd& operator=(const ForcedSimd&) = delete;

 private:
  Simd previous_;
};

const char* simd_name(Simd simd);

}  // namespace reckon
