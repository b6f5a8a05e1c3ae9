#include "training/profile.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <filesystem>

#include "core/diagnostics.h"
#include "core/log.h"

namespace reckon {

namespace {

namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;

void begin_recording() {
  torch::profiler::impl::ExperimentalConfig extra;
  extra.profile_all_threads = true;
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO,
                                                     /*report_input_shapes=*/true,
                                                     /*profile_memory=*/false, /*with_stack=*/false,
                                                     /*with_flops=*/false, /*with_modules=*/false,
                                                     extra);
  profiler::prepareProfiler(config, {ActivityType::CPU});
  profiler::enableProfiler(config, {ActivityType::CPU});
}

}  // namespace

StepProfile::~StepProfile() {
  if (is_recording_) profiler::disableProfiler();
}

void StepProfile::before_step(bool is_end) {
  if (path_.empty()) return;
  if (!is_recording_) {
    if (is_end) {
      log_warning("no trace: the run had no more than " + std::to_string(kFirstStep) + " steps");
      return;
    }
    if (num_steps_ == kFirstStep) {
      begin_recording();
      is_recording_ = true;
    }
  } else if (is_end || num_steps_ == kFirstStep + kNumSteps) {
    is_recording_ = false;
    profiler::disableProfiler()->save(path_);
    if (!std::filesystem::exists(path_))
      throw DataError(path_, 0, "the trace could not be written");
    log_info("trace of " + std::to_string(num_steps_ - kFirstStep) + " steps: " + path_ +
             " (open it at ui.perfetto.dev or in chrome://tracing)");
    path_.clear();
    return;
  }
  ++num_steps_;
}

}  // namespace reckon
