#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/schema.h"
#include "evaluation/metric_name.h"
#include "training/procedure.h"

namespace reckon {

/// When to stop because validation gets no better; the best epoch's weights are what a run leaves.
struct EarlyStoppingOptions {
  MetricName metric = {Metric::kNdcg, 10};
  int64_t patience = 10;
  int64_t evaluate_every = 1;
  double min_delta = 0.0;
  static void describe(Schema<EarlyStoppingOptions>& schema);
};

/// The keys of every procedure that validates between its epochs: its `early_stopping` and its
/// `validate_every`, of which `when_zero` says what 0 means.
template <class Options>
void describe_validation(Schema<Options>& schema, const std::string& when_zero) {
  schema.field("early_stopping", &Options::early_stopping)
      .doc("Stop when validation gets no better, and keep the best epoch's weights.");
  schema.field("validate_every", &Options::validate_every)
      .at_least(0)
      .doc("Epochs between validations that are only logged; 0: " + when_zero);
  schema.invariant("validate_every", "is said by early_stopping.evaluate_every where that is given",
                   [](const Options& o) { return o.validate_every == 0 || !o.early_stopping; });
}

/// What a procedure remembers of its epochs: the records, the best of them, and whether to go on.
class EpochLog {
 public:
  /// `validate_every`: epochs between validations that are only logged, for runs without
  /// `early_stopping`; 0: none.
  EpochLog(std::optional<EarlyStoppingOptions> early_stopping, int64_t validate_every,
           int64_t num_epochs)
      : early_stopping_(std::move(early_stopping)),
        validate_every_(validate_every),
        num_epochs_(num_epochs) {}

  /// Validates the epoch where that is due, or the run ends with it (`is_last`), and keeps the record
  /// in place of an earlier one of the same epoch; the observer hears of both.
  void add(EpochRecord record, bool is_last, const Procedure::Deps& deps);

  const std::vector<EpochRecord>& records() const { return records_; }
  const std::optional<BestEpoch>& best() const { return best_; }
  bool has_stopped_early() const { return has_stopped_early_; }

  /// Everything above as one JSON object.
  std::string to_json() const;

  /// Takes what to_json() gave; other keys are left to others.
  /// Throws   std::invalid_argument when it is something else.
  void load(const std::string& json);

 private:
  int64_t validate_every() const;
  // Whether a run that is not stopped validates this epoch, so that it may become the best.
  bool is_validated(const EpochRecord& record) const;
  void validate(EpochRecord& record, const Procedure::Deps& deps);

  std::optional<EarlyStoppingOptions> early_stopping_;
  int64_t validate_every_;
  int64_t num_epochs_;
  std::vector<EpochRecord> records_;
  std::optional<BestEpoch> best_;
  int64_t num_worse_ = 0;  // validations since the best
  bool has_stopped_early_ = false;
};

}  // namespace reckon
