#pragma once

#include <cstdint>
#include <string>

namespace reckon {

/// Records what all threads do during some steps of a training and writes it as a trace that Perfetto
/// and Chrome's viewer (chrome://tracing) open.
///
/// The first steps are left out: they fill caches and buffers. At most one records at a time.
class StepProfile {
 public:
  static constexpr int64_t kFirstStep = 5;
  static constexpr int64_t kNumSteps = 20;

  /// Records nothing when `path` is empty.
  explicit StepProfile(std::string path) : path_(std::move(path)) {}
  /// Ends a recording without a trace, as when a step has thrown.
  ~StepProfile();
  StepProfile(const StepProfile&) = delete;
  StepProfile& operator=(const StepProfile&) = delete;

  /// To be called before each step of this session, and once behind the last with is_end.
  /// Throws   DataError when the trace cannot be written.
  void before_step(bool is_end = false);

 private:
  std::string path_;
  int64_t num_steps_ = 0;
  bool is_recording_ = false;
};

}  // namespace reckon
