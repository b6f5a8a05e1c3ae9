#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/catalog.h"
#include "datasets/dataset.h"
#include "evaluation/result.h"
#include "models/model.h"
#include "training/misfit.h"

namespace reckon {

/// What one epoch came to.
struct EpochRecord {
  int64_t epoch = 0;  ///< Counts from 1.
  int64_t step = 0;   ///< Optimiser steps of the run so far.
  double loss = 0.0;  ///< Mean over the targets of the epoch; NaN when nothing was minimised.
  std::map<std::string, double> terms;  ///< What objectives logged, per target.
  double lr = 0.0;                      ///< Of the last step.
  bool is_whole = true;  ///< Else the run stopped inside it; a resumed one makes it whole.
  /// Validation metrics in their order; empty when the epoch was not validated.
  std::vector<std::pair<std::string, double>> validation;

  bool operator==(const EpochRecord&) const = default;
};

/// The best validated epoch so far.
struct BestEpoch {
  int64_t epoch = 0;
  int64_t step = 0;
  std::string metric;
  double value = 0.0;

  bool operator==(const BestEpoch&) const = default;
};

/// One optimiser step, as progress bars and logs want to know it.
struct StepReport {
  int64_t epoch = 0;  ///< Counts from 1.
  int64_t num_epochs = 0;
  int64_t epoch_step = 0;  ///< Steps of this epoch done, this one included.
  int64_t steps_per_epoch = 0;
  int64_t step = 0;  ///< Steps of the run done, this one included.
  int64_t total_steps = 0;
  double loss = 0.0;        ///< Per target, of this step.
  double epoch_loss = 0.0;  ///< Per target, of the epoch so far.
  int64_t num_targets = 0;  ///< Learnt from in this step.
  double lr = 0.0;
  double gradient_norm = 0.0;  ///< Before clipping.
  bool is_logged = false;      ///< Whether the config asks for a line about this step.
};

/// What wants to hear of a procedure's progress.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void on_step(const StepReport&) {}
  virtual void on_epoch(const EpochRecord&) {}
  /// The weights that are to be used, see Procedure::exchange_weights(), are those of the best epoch so far.
  virtual void on_best(const BestEpoch&) {}
};

/// Everything a procedure needs to go on as if it had never stopped, beside the model's own tensors.
struct ProcedureState {
  std::map<std::string, torch::Tensor> tensors;
  std::string json;  ///< The rest, as one JSON object.
};

/// A loss or a gradient is no finite number; the model holds the weights from before that step.
class DivergenceError : public ConfigError {
 public:
  using ConfigError::ConfigError;
};

/// How a model learns. Owns optimisers and everything else that exists for learning only.
///
/// A run is: step() until is_finished(). Between two steps the state is whole: state() may be taken,
/// and load() of it into a fresh procedure over equal weights continues bit by bit.
class Procedure {
 public:
  using Kind = Procedure;
  static constexpr const char* kKind = "training procedure";

  /// What only the running program knows.
  struct Deps {
    Model* model = nullptr;
    /// Null while only the model is known: the constructor then checks what it can, and throws
    /// MisfitError as always; the procedure takes no step.
    const Dataset* dataset = nullptr;
    uint64_t seed = 0;
    /// Ends the run after so many optimiser steps; 0 for no such limit.
    int64_t limit_batches = 0;
    /// Measures the model on the validation split: the metrics of the experiment and those asked for.
    /// Empty when the data has no such split.
    std::function<EvaluationResult(const std::vector<MetricName>& also)> validate;
    TrainingObserver* observer = nullptr;
  };

  /// When the driver writes checkpoints between steps.
  struct CheckpointPolicy {
    double seconds = 60.0;  ///< Since the last one; 0 for never.
    int64_t steps = 0;      ///< Since the last one; 0 for never.
  };

  virtual ~Procedure() = default;

  virtual bool is_finished() const = 0;

  /// One step forward, and what is due after it (an epoch's validation).
  /// Throws   DivergenceError when the loss or a gradient is not finite, with the place; state() is
  ///          then that from before this step.
  virtual void step() = 0;

  virtual ProcedureState state() const = 0;

  /// Throws   std::invalid_argument with a sentence when the state does not fit.
  virtual void load(const ProcedureState& state) = 0;

  /// Exchanges the weights that learning goes on from with those that are to be used, such as their moving
  /// average, and at the next call back; nothing where they are the same. Between, neither step(), state()
  /// nor load() is called.
  virtual void exchange_weights() {}

  /// Optimiser steps done.
  virtual int64_t num_steps() const = 0;
  virtual const std::vector<EpochRecord>& history() const = 0;
  virtual std::optional<BestEpoch> best() const { return std::nullopt; }
  /// Whether the run ended because validation got no better.
  virtual bool has_stopped_early() const { return false; }
  virtual CheckpointPolicy checkpoint_policy() const { return {}; }
  /// Threads that the procedure uses; they never change results.
  virtual int64_t num_threads() const { return 1; }
  /// Where the model has to be.
  virtual torch::Device device() const { return torch::kCPU; }
};

/// While it lives, the model holds the weights that are to be used.
class UsedWeights {
 public:
  explicit UsedWeights(Procedure& procedure) : procedure_(procedure) {
    procedure_.exchange_weights();
  }
  ~UsedWeights() { procedure_.exchange_weights(); }
  UsedWeights(const UsedWeights&) = delete;
  UsedWeights& operator=(const UsedWeights&) = delete;

 private:
  Procedure& procedure_;
};

/// What configs call a model of this class: `popularity` for reckon::Popularity.
std::string model_type_name(const Model& model);

/// The procedure that fits what the model can: `supervised` where it has a loss, else `fit`. For
/// experiments that leave `training` out.
Component<Procedure> default_procedure(Model& model);

/// Builds a procedure; an empty component stands for default_procedure().
///
/// `config` is the resolved experiment with the places of its values, for messages.
/// Throws   ConfigError with everything that does not fit model or data, each at its place.
std::shared_ptr<Procedure> build_procedure(const Component<Procedure>& procedure,
                                           const Procedure::Deps& deps, const ConfigNode& config);

}  // namespace reckon
