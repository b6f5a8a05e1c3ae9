#pragma once

#include <cstdint>
#include <memory>

#include "datasets/batch_builder.h"

namespace reckon {

/// Builds the batches that come next on threads of its own, while the caller learns from this one.
///
/// A batch is a pure function of epoch and step (BatchBuilder), so results are the same with any number
/// of threads, none included.
class Prefetcher {
 public:
  /// `threads` of 0 builds in take(). `builder` must outlive this.
  Prefetcher(const BatchBuilder& builder, int64_t threads);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  /// The batch of a step, and from now on those behind it in the background. Steps may be taken in any
  /// order; another than the next one makes what was built ahead useless.
  /// Throws whatever building it threw.
  StepBatch take(int64_t epoch, int64_t step);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reckon
