#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "datasets/batch.h"
#include "models/model.h"
#include "training/gradient.h"
#include "training/optimizer.h"
#include "training/workers.h"

namespace reckon {

/// What one pass over the data of an optimiser step gave.
struct StepResult {
  double loss_sum = 0.0;
  double weight = 0.0;                   ///< Targets in `loss_sum`; 0 when there were none.
  std::map<std::string, double> logged;  ///< Sums over the same targets.
  int64_t num_targets = 0;
  std::vector<Gradient> gradients;  ///< Of loss_sum / weight; valid until the next step.
  double squared_norm = 0.0;        ///< Of all gradients together.

  double loss() const { return loss_sum / weight; }
};

/// Makes the gradients of one optimiser step from batches that are cut into shards.
///
/// Workers execute shards: forward and torch::autograd::grad on tensors of the shard's own, so that
/// no `.grad` is shared. Contributions are added in the order of the shards, then the loss over
/// gathered rows (Coupling::kBatch), then shared(); the numbers depend on the shards alone, never on
/// the threads that execute them. Dropout draws from (seed, batch, shard).
class LearningStep {
 public:
  LearningStep(Learnable& learnable, const std::vector<OptimizedParameter>& parameters,
               WorkerPool& workers, uint64_t seed);

  /// `batches` are the parts of one step (several with gradient accumulation), the first of which is
  /// batch `first_batch` of the run.
  /// Throws   what the model throws; the failure of the lowest shard when several fail.
  StepResult run(std::span<const StepBatch> batches, int64_t first_batch, int64_t step_number);

 private:
  // shared() of the step: its outputs, the leaves that shards see, and what is sent back.
  struct Shared {
    std::vector<torch::Tensor> outputs, leaves;
    std::vector<torch::Tensor> gradients;  // of the leaves that need one; undefined until there is
  };

  Shared make_shared(std::span<const StepBatch> batches, int64_t first_batch);
  void send_back(Shared& shared);
  Learnable::Represented represent(const Batch& shard, const Shared& shared);
  LossParts loss(const Learnable::Represented& rows, const Shared& shared, int64_t step_number);
  void run_examples(const StepBatch& batch, int64_t batch_number, int64_t step_number,
                    Shared& shared, StepResult& result);
  void run_gathered(const StepBatch& batch, int64_t batch_number, int64_t step_number,
                    Shared& shared, StepResult& result);
  // Takes the gradients of (parameters, leaves) that came from one shard.
  void take(const std::vector<torch::Tensor>& gradients, Shared& shared);
  std::vector<torch::Tensor> inputs(const Shared& shared) const;

  Learnable& learnable_;
  std::vector<torch::Tensor> parameters_;
  WorkerPool& workers_;
  uint64_t seed_;
  Objective::Coupling coupling_;
  GradientSums sums_;
};

}  // namespace reckon
