#pragma once

#include <torch/types.h>

#include <cstdint>

namespace reckon {

/// Fixes the random numbers that dropout() draws on this thread while it lives.
///
/// Masks are a function of (seed, step, shard, number of calls so far), never of thread timing.
class DropoutScope {
 public:
  DropoutScope(uint64_t seed, int64_t step, int64_t shard);
  ~DropoutScope();
  DropoutScope(const DropoutScope&) = delete;
  DropoutScope& operator=(const DropoutScope&) = delete;

 private:
  uint64_t previous_key_;
  uint64_t previous_calls_;
  bool previous_active_;
};

/// Zeroes each element with probability `p` and scales the others by 1 / (1 - p).
///
/// Identity when `training` is false or p is 0. Inside a DropoutScope the mask comes from a
/// counter-based generator (own kernel on CPU tensors); outside of one from torch's generator.
/// Throws   c10::Error when p is not in [0, 1).
torch::Tensor dropout(const torch::Tensor& x, double p, bool training);

}  // namespace reckon
