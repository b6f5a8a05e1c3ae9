#include "training/learning_step.h"

#include <ATen/record_function.h>
#include <torch/autograd.h>

#include "kernels/dropout.h"
#include "kernels/kernel_threads.h"

namespace reckon {

namespace {

std::vector<torch::Tensor> tensors_of(const std::vector<OptimizedParameter>& parameters) {
  std::vector<torch::Tensor> tensors;
  for (const auto& parameter : parameters) tensors.push_back(parameter.tensor);
  return tensors;
}

std::vector<RowSums> row_sums(const std::vector<OptimizedParameter>& parameters) {
  std::vector<RowSums> out;
  for (const auto& parameter : parameters) out.push_back(parameter.row_sums);
  return out;
}

// autograd::grad refuses outputs without a graph and an empty list of inputs; both mean no gradients.
std::vector<torch::Tensor> gradients_of(const std::vector<torch::Tensor>& outputs,
                                        const std::vector<torch::Tensor>& inputs,
                                        const std::vector<torch::Tensor>& grad_outputs) {
  std::vector<torch::Tensor> roots, seeds;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined() || !outputs[i].requires_grad()) continue;
    if (!grad_outputs.empty() && !grad_outputs[i].defined()) continue;
    roots.push_back(outputs[i]);
    if (!grad_outputs.empty()) seeds.push_back(grad_outputs[i]);
  }
  if (roots.empty() || inputs.empty()) return std::vector<torch::Tensor>(inputs.size());
  RECORD_USER_SCOPE("reckon::backward");
  return torch::autograd::grad(roots, inputs, seeds, /*retain_graph=*/false, /*create_graph=*/false,
                               /*allow_unused=*/true);
}

void add_parts(const LossParts& parts, double sum, StepResult& result) {
  result.loss_sum += sum;
  result.weight += parts.weight;
  for (const auto& [name, value] : parts.logged) result.logged[name] += value;
}

std::vector<const Batch*> filled_shards(const StepBatch& batch, std::vector<int64_t>& numbers) {
  std::vector<const Batch*> shards;
  for (size_t s = 0; s < batch.shards.size(); ++s) {
    if (batch.shards[s].size() == 0) continue;
    shards.push_back(&batch.shards[s]);
    numbers.push_back(static_cast<int64_t>(s));
  }
  return shards;
}

// One tensor for each position, gathered over the shards. A tensor that nobody has stays undefined.
std::vector<torch::Tensor> gather(const std::vector<const std::vector<torch::Tensor>*>& parts) {
  std::vector<torch::Tensor> gathered(parts.front()->size());
  for (size_t i = 0; i < gathered.size(); ++i) {
    std::vector<torch::Tensor> pieces;
    for (const auto* part : parts) {
      TORCH_CHECK(part->size() == gathered.size() &&
                      part->at(i).defined() == parts.front()->at(i).defined(),
                  "represent: shards of one step gave different tensors at position ", i);
      if (part->at(i).defined()) pieces.push_back(part->at(i).detach());
    }
    if (!pieces.empty()) gathered[i] = torch::cat(pieces);
  }
  return gathered;
}

}  // namespace

LearningStep::LearningStep(Learnable& learnable, const std::vector<OptimizedParameter>& parameters,
                           WorkerPool& workers, uint64_t seed)
    : learnable_(learnable),
      parameters_(tensors_of(parameters)),
      workers_(workers),
      seed_(seed),
      coupling_(learnable.coupling()),
      sums_(parameters_, row_sums(parameters)) {}

LearningStep::Shared LearningStep::make_shared(std::span<const StepBatch> batches,
                                               int64_t first_batch) {
  const auto num_shards = static_cast<int64_t>(batches.front().shards.size());
  const DropoutScope dropout(seed_, first_batch, num_shards + 1);
  std::vector<const Batch*> shards;
  for (const auto& batch : batches)
    for (const auto& shard : batch.shards)
      if (shard.size() > 0) shards.push_back(&shard);
  RECORD_USER_SCOPE("reckon::shared");
  const KernelThreads threads(workers_.num_threads());
  Shared shared;
  shared.outputs = learnable_.shared(shards);
  for (const auto& output : shared.outputs) {
    auto leaf = output;
    if (output.defined() && output.requires_grad()) leaf = output.detach().requires_grad_();
    shared.leaves.push_back(leaf);
  }
  shared.gradients.resize(shared.leaves.size());
  return shared;
}

Learnable::Represented LearningStep::represent(const Batch& shard, const Shared& shared) {
  RECORD_USER_SCOPE("reckon::represent");
  return learnable_.represent(shard, shared.leaves);
}

LossParts LearningStep::loss(const Learnable::Represented& rows, const Shared& shared,
                             int64_t step_number) {
  RECORD_USER_SCOPE("reckon::loss");
  return learnable_.loss(rows, shared.leaves, step_number);
}

std::vector<torch::Tensor> LearningStep::inputs(const Shared& shared) const {
  auto inputs = parameters_;
  for (const auto& leaf : shared.leaves)
    if (leaf.defined() && leaf.requires_grad()) inputs.push_back(leaf);
  return inputs;
}

void LearningStep::take(const std::vector<torch::Tensor>& gradients, Shared& shared) {
  const auto middle = gradients.begin() + static_cast<std::ptrdiff_t>(parameters_.size());
  sums_.add({gradients.begin(), middle});
  auto gradient = middle;
  for (size_t i = 0; i < shared.leaves.size(); ++i) {
    if (!shared.leaves[i].defined() || !shared.leaves[i].requires_grad()) continue;
    if (gradient->defined()) {
      auto& sum = shared.gradients[i];
      sum = sum.defined() ? sum + *gradient : *gradient;
    }
    ++gradient;
  }
}

void LearningStep::send_back(Shared& shared) {
  RECORD_USER_SCOPE("reckon::send_back");
  const KernelThreads threads(workers_.num_threads());
  sums_.add(gradients_of(shared.outputs, parameters_, shared.gradients));
}

void LearningStep::run_examples(const StepBatch& batch, int64_t batch_number, int64_t step_number,
                                Shared& shared, StepResult& result) {
  std::vector<int64_t> numbers;
  const auto shards = filled_shards(batch, numbers);
  struct Outcome {
    LossParts parts;
    double sum = 0.0;
    std::vector<torch::Tensor> gradients;
  };
  std::vector<Outcome> outcomes(shards.size());
  const auto wanted = inputs(shared);
  workers_.run(static_cast<int64_t>(shards.size()), [&](int64_t s) {
    const DropoutScope dropout(seed_, batch_number, numbers[s]);
    auto& outcome = outcomes[s];
    const auto rows = represent(*shards[s], shared);
    outcome.parts = loss(rows, shared, step_number);
    outcome.sum = outcome.parts.sum.item<double>();
    outcome.gradients = gradients_of({outcome.parts.sum}, wanted, {});
    outcome.parts.sum.reset();
  });
  for (auto& outcome : outcomes) {
    add_parts(outcome.parts, outcome.sum, result);
    take(outcome.gradients, shared);
  }
}

void LearningStep::run_gathered(const StepBatch& batch, int64_t batch_number, int64_t step_number,
                                Shared& shared, StepResult& result) {
  std::vector<int64_t> numbers;
  const auto shards = filled_shards(batch, numbers);
  if (shards.empty()) return;
  std::vector<Learnable::Represented> made(shards.size());
  workers_.run(static_cast<int64_t>(shards.size()), [&](int64_t s) {
    const DropoutScope dropout(seed_, batch_number, numbers[s]);
    made[s] = represent(*shards[s], shared);
  });

  std::vector<const std::vector<torch::Tensor>*> rows, fixed;
  for (const auto& part : made) {
    rows.push_back(&part.rows);
    fixed.push_back(&part.fixed);
  }
  Learnable::Represented all;
  all.rows = gather(rows);
  for (auto& tensor : all.rows)
    if (tensor.defined() && tensor.is_floating_point()) tensor.requires_grad_();
  all.fixed = gather(fixed);
  for (const auto& tensor : made.front().step) {
    const bool is_differentiable = tensor.defined() && tensor.requires_grad();
    all.step.push_back(is_differentiable ? tensor.detach().requires_grad_() : tensor);
  }

  auto wanted = inputs(shared);
  const size_t num_direct = wanted.size();
  const auto want = [&](const std::vector<torch::Tensor>& tensors) {
    for (const auto& tensor : tensors)
      if (tensor.defined() && tensor.requires_grad()) wanted.push_back(tensor);
  };
  want(all.rows);
  want(all.step);
  std::vector<torch::Tensor> gradients;
  {
    const DropoutScope dropout(seed_, batch_number, static_cast<int64_t>(batch.shards.size()));
    const auto parts = loss(all, shared, step_number);
    add_parts(parts, parts.sum.item<double>(), result);
    gradients = gradients_of({parts.sum}, wanted, {});
  }

  // The gradients of gathered rows, cut up again for the shards they came from.
  size_t next = num_direct;
  std::vector<std::vector<torch::Tensor>> outputs(made.size()), seeds(made.size());
  for (size_t i = 0; i < all.rows.size(); ++i) {
    if (!all.rows[i].defined() || !all.rows[i].requires_grad()) continue;
    const auto& gradient = gradients[next++];
    int64_t begin = 0;
    for (size_t s = 0; s < made.size(); ++s) {
      const auto& part = made[s].rows[i];
      outputs[s].push_back(part);
      seeds[s].push_back(gradient.defined() ? gradient.narrow(0, begin, part.size(0))
                                            : torch::Tensor());
      begin += part.size(0);
    }
  }
  for (size_t i = 0; i < all.step.size(); ++i) {
    if (!all.step[i].defined() || !all.step[i].requires_grad()) continue;
    outputs[0].push_back(made[0].step[i]);
    seeds[0].push_back(gradients[next++]);
  }

  std::vector<std::vector<torch::Tensor>> sent(made.size());
  const auto targets = inputs(shared);
  workers_.run(static_cast<int64_t>(made.size()),
               [&](int64_t s) { sent[s] = gradients_of(outputs[s], targets, seeds[s]); });
  for (const auto& part : sent) take(part, shared);
  gradients.resize(num_direct);
  take(gradients, shared);
}

StepResult LearningStep::run(std::span<const StepBatch> batches, int64_t first_batch,
                             int64_t step_number) {
  const IntraOpThreads one(1);
  StepResult result;
  if (batches.empty()) return result;
  auto shared = make_shared(batches, first_batch);
  for (size_t b = 0; b < batches.size(); ++b) {
    const auto number = first_batch + static_cast<int64_t>(b);
    if (b > 0) sums_.fold(workers_);
    if (coupling_ == Objective::Coupling::kExample) {
      run_examples(batches[b], number, step_number, shared, result);
    } else {
      run_gathered(batches[b], number, step_number, shared, result);
    }
    result.num_targets += batches[b].num_targets;
  }
  send_back(shared);
  RECORD_USER_SCOPE("reckon::sum_gradients");
  auto sums = sums_.finish(result.weight > 0.0 ? 1.0 / result.weight : 0.0, workers_);
  result.gradients = std::move(sums.gradients);
  result.squared_norm = sums.squared_norm;
  return result;
}

}  // namespace reckon
