#pragma once

#include <torch/types.h>

#include <cstdint>

namespace reckon {

/// Fixes the random numbers that dropout() and dropout_rows() draw on this thread while it lives.
///
/// Masks of dropout() are a function of (seed, step, shard, number of calls so far), those of
/// dropout_rows() of (seed, step, id) alone; never of thread timing.
class DropoutScope {
 public:
  DropoutScope(uint64_t seed, int64_t step, int64_t shard);
  ~DropoutScope();
  DropoutScope(const DropoutScope&) = delete;
  DropoutScope& operator=(const DropoutScope&) = delete;

 private:
  uint64_t previous_key_;
  uint64_t previous_row_key_;
  uint64_t previous_calls_;
  bool previous_active_;
};

/// A key for other randomness of a step: another one at each call, a function of what a DropoutScope is
/// made of; outside of one from torch's generator.
uint64_t next_random_key();

/// Zeroes each element with probability `p` and scales the others by 1 / (1 - p).
///
/// Identity when `training` is false or p is 0. Inside a DropoutScope the mask comes from a
/// counter-based generator (own kernel on CPU tensors); outside of one from torch's generator.
/// Throws   c10::Error when p is not in [0, 1).
torch::Tensor dropout(const torch::Tensor& x, double p, bool training);

/// dropout() of rows of a table, as if the whole table had gone through it once for the step: inside a
/// DropoutScope a row has the same mask wherever and however often its id stands, on every shard.
///
/// Shapes   x [..., D], ids [...] int64 -> [..., D]
/// Throws   c10::Error when p is not in [0, 1) or the shapes do not fit.
torch::Tensor dropout_rows(const torch::Tensor& x, const torch::Tensor& ids, double p,
                           bool training);

}  // namespace reckon
