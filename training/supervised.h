#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/units.h"
#include "datasets/batch_builder.h"
#include "datasets/prefetch.h"
#include "models/phased.h"
#include "training/epoch_log.h"
#include "training/learning_step.h"
#include "training/optimizer.h"
#include "training/procedure.h"
#include "training/schedule.h"
#include "training/weight_average.h"
#include "training/workers.h"

namespace reckon {

struct SupervisedOptions {
  int64_t epochs = 100;
  int64_t steps = 0;
  int64_t batch_size = 128;
  int64_t accumulate = 1;
  int64_t shards = 2;
  int64_t threads = 0;
  int64_t prefetch_threads = 1;
  bool bucket_by_length = false;
  Sampling sampling = Sampling::kExamples;
  Component<Optimizer> optimizer;
  Component<Schedule> schedule;
  double clip_norm = 0.0;
  double weight_average = 0.0;
  std::optional<EarlyStoppingOptions> early_stopping;
  int64_t validate_every = 0;
  Duration checkpoint_every = {60.0};
  int64_t checkpoint_steps = 0;
  int64_t log_every = 0;
  std::string device = "cpu";
  static void describe(Schema<SupervisedOptions>& schema);
};

/// Learning by gradients of a loss: epochs of shuffled batches, each cut into shards that worker
/// threads execute.
///
/// Results depend on the seed and the options, never on `threads` or `prefetch_threads`.
class Supervised : public Procedure {
 public:
  using Options = SupervisedOptions;

  /// Throws   MisfitError when model, data and options do not fit; DataError when there is nothing to
  ///          learn from.
  Supervised(const Options& options, const Deps& deps);
  ~Supervised() override;

  bool is_finished() const override;
  void step() override;
  ProcedureState state() const override;
  void load(const ProcedureState& state) override;
  void exchange_weights() override;
  int64_t num_steps() const override { return step_; }
  const std::vector<EpochRecord>& history() const override { return log_.records(); }
  std::optional<BestEpoch> best() const override { return log_.best(); }
  bool has_stopped_early() const override { return log_.has_stopped_early(); }
  CheckpointPolicy checkpoint_policy() const override;
  int64_t num_threads() const override { return workers_.num_threads(); }
  torch::Device device() const override { return device_; }

 private:
  /// Sums over the targets of the epoch so far.
  struct EpochSums {
    double loss = 0.0;
    double weight = 0.0;
    std::map<std::string, double> terms;
  };

  int64_t steps_per_epoch() const;
  int64_t total_steps() const;
  std::vector<StepBatch> next_batches();
  void check_finite(const StepResult& result) const;
  void clip(StepResult& result) const;
  void finish_epoch();

  Options options_;
  Deps deps_;
  torch::Device device_;
  Learnable& learnable_;
  PhasedLearnable* phased_;  // null: a model that learns all of itself at each step
  WorkerPool workers_;
  std::optional<BatchBuilder> builder_;  // empty while only the model is known
  EpochLog log_;
  std::unique_ptr<Prefetcher> prefetcher_;  // after the builder, whose batches it builds
  std::shared_ptr<Optimizer> optimizer_;
  std::unique_ptr<LearningStep> learning_step_;
  std::optional<WeightAverage> average_;  // empty without weight_average

  int64_t epoch_ = 0;       // counts from 0
  int64_t epoch_step_ = 0;  // optimiser steps done in it
  int64_t step_ = 0;        // of the run
  double lr_ = 0.0;         // of the last step
  EpochSums sums_;
};

}  // namespace reckon
