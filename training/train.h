#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config_node.h"
#include "datasets/dataset.h"
#include "evaluation/options.h"
#include "evaluation/result.h"
#include "models/model.h"
#include "training/procedure.h"
#include "training/run_folder.h"

namespace reckon {

/// What a run is told beside its experiment.
struct TrainContext {
  uint64_t seed = 1;
  /// Goes on from the folder's last checkpoint, or from the beginning when it has none yet.
  bool resume = false;
  int64_t limit_batches =
      0;  ///< Ends the run after so many optimiser steps; 0: it runs to its end.
  /// Ends the session after so many whole epochs of the run, as a search does that gives few epochs
  /// to many; a resume with more goes on as if it had not ended. 0: the run goes to its end.
  int64_t limit_epochs = 0;
  /// Set by somebody else (a signal handler): the run then ends after the step with a checkpoint.
  const std::atomic<bool>* interrupted = nullptr;
  bool quiet = false;
  bool profile = false;  ///< Write trace.json of some steps into the folder.
  /// Resolved, with the places of its values (with_origins); written to the folder and compared at a
  /// resume.
  ConfigNode config;
  std::string command;  ///< As it was typed, for environment.json.
};

/// How a run went.
struct TrainOutcome {
  enum class End { kCompleted, kStoppedEarly, kLimited, kInterrupted };

  End end = End::kCompleted;
  std::string procedure;
  int64_t num_steps = 0;
  std::vector<EpochRecord> history;
  std::optional<BestEpoch> best;
  double seconds = 0.0;             ///< Of this session.
  double targets_per_second = 0.0;  ///< While training, in this session.
  int64_t resumed_from_step = 0;
};

/// Trains a model in its run folder, and leaves it in evaluation mode with the weights to be used:
/// the best validated epoch's where early stopping looks for one, else the last.
///
/// An empty component stands for default_procedure(). Validation takes `evaluation`, on the validation
/// split. Log, metrics, events and checkpoints go to the folder while the run goes on.
/// Throws   ConfigError when model and procedure do not fit, when the run diverges (with epoch, batch
///          and parameter; last.ckpt then holds the state from before that step), or when a resume would mix two experiments (each difference by name);
///          DataError on files and on checkpoints that are foreign, truncated or damaged.
TrainOutcome train(const Component<Procedure>& procedure, Model& model, const Dataset& dataset,
                   const EvaluationOptions& evaluation, const RunFolder& folder,
                   const TrainContext& context);

/// Writes result.json: how the run went, and the evaluation of its model where there is one.
void write_result(const RunFolder& folder, const TrainOutcome& outcome,
                  const std::optional<EvaluationResult>& evaluation);

/// Puts a later evaluation of the same split in the place of the one in result.json; leaves a
/// result.json of another split, or none, as it is.
void update_result(const RunFolder& folder, const EvaluationResult& evaluation);

/// "completed", "stopped early", ...
std::string to_string(TrainOutcome::End end);

/// While it lives, the first interrupt (SIGINT or SIGTERM) sets a flag; the second ends the program.
/// What was there for interrupts before is there again afterwards.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  static const std::atomic<bool>& flag();
};

/// Inside an InterruptScope, for work that looks at no flag and of which nothing is lost: while it lives,
/// interrupts do what they did before the scope.
class InterruptPause {
 public:
  InterruptPause();
  ~InterruptPause();
  InterruptPause(const InterruptPause&) = delete;
  InterruptPause& operator=(const InterruptPause&) = delete;
};

}  // namespace reckon
