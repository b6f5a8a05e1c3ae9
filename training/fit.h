#pragma once

#include <optional>

#include "core/units.h"
#include "training/epoch_log.h"
#include "training/procedure.h"

namespace reckon {

/// Learning without gradients: counting, a closed form, or sweeps that each fill the model's buffers.
///
/// One step is one round of the model (Fittable::num_rounds); a run that is stopped between two goes
/// on with the next.
class Fit : public Procedure {
 public:
  struct Options {
    int64_t threads = 0;
    std::optional<EarlyStoppingOptions> early_stopping;
    int64_t validate_every = 0;
    Duration checkpoint_every = {60.0};
    static void describe(Schema<Options>& schema);
  };

  /// Throws   MisfitError when the model does not learn in this way, or early stopping has nothing to
  ///          look at.
  Fit(const Options& options, const Deps& deps);

  /// The same for rounds that are not the model's own: those of a procedure made of them.
  Fit(const Options& options, const Deps& deps, Fittable& fittable);

  bool is_finished() const override;
  void step() override;
  ProcedureState state() const override;
  void load(const ProcedureState& state) override;
  int64_t num_steps() const override { return num_rounds_done_; }
  const std::vector<EpochRecord>& history() const override { return log_.records(); }
  std::optional<BestEpoch> best() const override { return log_.best(); }
  bool has_stopped_early() const override { return log_.has_stopped_early(); }
  CheckpointPolicy checkpoint_policy() const override;
  int64_t num_threads() const override;

 private:
  Options options_;
  Deps deps_;
  Fittable& fittable_;
  EpochLog log_;
  Interactions train_;  // made at the first step
  int64_t num_rounds_done_ = 0;
};

}  // namespace reckon
