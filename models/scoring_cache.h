#pragma once

#include <ATen/core/grad_mode.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/tracing.h"

namespace reckon {

/// What scoring reads of a model and is costly to make, such as propagated vectors: made once for as long
/// as weights and mode stay what they are. Several threads may ask at once.
template <class Made>
class ScoringCache {
 public:
  template <class Make>
  Made of(const torch::nn::Module& model, const Make& make) {
    // A trace must hold the operations, and a gradient its own graph.
    if (model.is_training() || at::GradMode::is_enabled() || is_tracing()) return make();
    std::vector<uint32_t> versions;
    for (const auto& parameter : model.parameters()) versions.push_back(parameter._version());
    const std::lock_guard lock(mutex_);
    if (!made_ || versions_ != versions) {
      made_ = make();
      versions_ = std::move(versions);
    }
    return *made_;
  }

  /// For changes of the mode: training may write weights past autograd's count of versions.
  void clear() {
    const std::lock_guard lock(mutex_);
    made_.reset();
  }

 private:
  std::mutex mutex_;
  std::optional<Made> made_;
  std::vector<uint32_t> versions_;  // of the parameters that it was made from
};

}  // namespace reckon
