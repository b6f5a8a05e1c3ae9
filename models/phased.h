#pragma once

#include <cstdint>

namespace reckon {

/// A model that learns some of its parameters at a time, or compares them with what they were: told by
/// `supervised` where in the run a step is, before anything of the step is computed. Asked for with
/// dynamic_cast: few models have it. Parameters that a phase leaves alone get no gradient, and so no
/// update: an optimiser passes them over, state and all.
class PhasedLearnable {
 public:
  virtual ~PhasedLearnable() = default;

  /// What follows from it is a function of the position, so that a resumed run goes on as if nothing
  /// had been; what is kept from earlier weights belongs into buffers.
  /// Ranges   step_number from 0, over all epochs; steps_per_epoch from 1
  virtual void begin_step(int64_t step_number, int64_t steps_per_epoch) = 0;
};

}  // namespace reckon
