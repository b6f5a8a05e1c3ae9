#pragma once

#include <cstdint>

namespace reckon {

/// What flows out of a component: the family connects slots by it, so that no width is said twice.
struct OutputSpec {
  enum class Steps { kPerStep, kPooled };  ///< [B, T, width] or [B, width].

  int64_t width = 0;
  Steps steps = Steps::kPerStep;

  bool operator==(const OutputSpec&) const = default;
};

}  // namespace reckon
