#pragma once

#include <memory>
#include <optional>

#include "core/units.h"
#include "training/epoch_log.h"
#include "training/fit.h"
#include "training/procedure.h"

namespace reckon {

/// Learning of pairs by single updates that several threads make at once without locks: matrix
/// factorisation with the objective `bpr`, a hundred times faster than by batches.
///
/// An epoch makes as many updates as there are training interactions, each of one that is drawn with
/// replacement (Rendle et al., UAI 2009) beside an item that its user does not have. What is drawn
/// depends on the seed alone. With several threads updates of one row may get lost (Niu et al., NIPS
/// 2011), so that two runs differ in the last digits; `deterministic` takes one thread.
class LockFree : public Procedure {
 public:
  struct Options {
    int64_t epochs = 100;
    double lr = 0.05;
    double lr_decay = 1.0;
    int64_t threads = 0;
    bool deterministic = false;
    std::optional<EarlyStoppingOptions> early_stopping;
    int64_t validate_every = 0;
    Duration checkpoint_every = {60.0};
    static void describe(Schema<Options>& schema);
  };

  /// Throws   MisfitError when the model has no such updates, or early stopping has nothing to look
  ///          at.
  LockFree(const Options& options, const Deps& deps);
  ~LockFree() override;

  bool is_finished() const override { return rounds_->is_finished(); }
  /// Throws   DivergenceError when the loss is no number any more.
  void step() override { rounds_->step(); }
  ProcedureState state() const override { return rounds_->state(); }
  void load(const ProcedureState& state) override { rounds_->load(state); }
  int64_t num_steps() const override { return rounds_->num_steps(); }
  const std::vector<EpochRecord>& history() const override { return rounds_->history(); }
  std::optional<BestEpoch> best() const override { return rounds_->best(); }
  bool has_stopped_early() const override { return rounds_->has_stopped_early(); }
  CheckpointPolicy checkpoint_policy() const override { return rounds_->checkpoint_policy(); }
  int64_t num_threads() const override { return rounds_->num_threads(); }

 private:
  class Sweeps;
  std::unique_ptr<Sweeps> sweeps_;
  std::unique_ptr<Fit> rounds_;
};

}  // namespace reckon
