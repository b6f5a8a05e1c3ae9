#pragma once

#include "training/procedure.h"

namespace reckon {

/// Learning in one go: counting or a closed form, which fills the model's buffers.
class Fit : public Procedure {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };

  /// Throws   MisfitError when the model has no such form.
  Fit(const Options& options, const Deps& deps);

  bool is_finished() const override { return is_fitted_; }
  void step() override;
  ProcedureState state() const override;
  void load(const ProcedureState& state) override;
  int64_t num_steps() const override { return is_fitted_ ? 1 : 0; }
  const std::vector<EpochRecord>& history() const override { return history_; }

 private:
  Deps deps_;
  Fittable& fittable_;
  bool is_fitted_ = false;
  std::vector<EpochRecord> history_;
};

}  // namespace reckon
