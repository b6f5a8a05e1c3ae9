#pragma once

#include <cstdint>

#include "core/catalog.h"

namespace reckon {

/// The learning rate over a run, as a factor of the optimiser's: a pure function of the step.
class Schedule {
 public:
  using Kind = Schedule;
  static constexpr const char* kKind = "schedule";
  struct Deps {
    int64_t total_steps = 1;
    int64_t steps_per_epoch = 1;
  };
  /// Keys that every schedule takes.
  struct Common {
    int64_t warmup_steps = 0;
    static void describe(Schema<Common>& schema);
  };

  virtual ~Schedule() = default;

  /// The factor at `step`, counted from 0 at the end of the warm-up.
  virtual double factor(int64_t step) const = 0;
};

/// The factor at `step` of a run with its warm-up: rising in equal steps to the schedule's own.
double scheduled_factor(const Component<Schedule>& schedule, const Schedule::Deps& deps,
                        int64_t step);

/// Always the same.
class ConstantSchedule : public Schedule {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };
  ConstantSchedule(const Options&, const Deps&) {}
  double factor(int64_t) const override { return 1.0; }
};

/// Falls in equal steps to `end` at the last step.
class LinearSchedule : public Schedule {
 public:
  struct Options {
    double end = 0.0;
    static void describe(Schema<Options>& schema);
  };
  LinearSchedule(const Options& options, const Deps& deps) : options_(options), deps_(deps) {}
  double factor(int64_t step) const override;

 private:
  Options options_;
  Deps deps_;
};

/// Falls along half a cosine to `end` at the last step (Loshchilov, Hutter, "SGDR", ICLR 2017,
/// without restarts).
class CosineSchedule : public Schedule {
 public:
  struct Options {
    double end = 0.0;
    static void describe(Schema<Options>& schema);
  };
  CosineSchedule(const Options& options, const Deps& deps) : options_(options), deps_(deps) {}
  double factor(int64_t step) const override;

 private:
  Options options_;
  Deps deps_;
};

/// Times `gamma` after every `every` epochs.
class StepSchedule : public Schedule {
 public:
  struct Options {
    int64_t every = 10;
    double gamma = 0.1;
    static void describe(Schema<Options>& schema);
  };
  StepSchedule(const Options& options, const Deps& deps) : options_(options), deps_(deps) {}
  double factor(int64_t step) const override;

 private:
  Options options_;
  Deps deps_;
};

/// Times `gamma` for each epoch, smoothly from step to step.
class ExponentialSchedule : public Schedule {
 public:
  struct Options {
    double gamma = 0.95;
    static void describe(Schema<Options>& schema);
  };
  ExponentialSchedule(const Options& options, const Deps& deps) : options_(options), deps_(deps) {}
  double factor(int64_t step) const override;

 private:
  Options options_;
  Deps deps_;
};

}  // namespace reckon
