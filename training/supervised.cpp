#include "training/supervised.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/format.h"

#include "training/json_number.h"

namespace reckon {

namespace {

using Json = nlohmann::json;

// Beyond these is a slip of the finger: nobody's run ends, no machine's memory holds the batch.
constexpr int64_t kMostEpochs = 1'000'000;
constexpr int64_t kMostExamples = 10'000'000;

// The device of that name; nothing for what this library does not compute on.
std::optional<torch::Device> parse_device(const std::string& name) {
  try {
    const torch::Device device(name);
    if (device.is_cpu() || device.is_cuda()) return device;
  } catch (const c10::Error&) {
  }
  return std::nullopt;
}

void check_device(const std::string& name, bool must_be_here, std::vector<Misfit>& misfits) {
  const auto device = parse_device(name);
  if (!device) {
    misfits.push_back({"device", "'" + name + "' is no device", "known: cpu, cuda, cuda:0, ..."});
    return;
  }
  if (!must_be_here || device->is_cpu()) return;
  const int64_t num_gpus = at::detail::getCUDAHooks().getNumGPUs();
  if (std::max<int64_t>(device->index(), 0) >= num_gpus)
    misfits.push_back(
        {"device",
         "'" + name + "' is not here: LibTorch finds " + std::to_string(num_gpus) + " CUDA devices",
         "use device: cpu, or a LibTorch built for CUDA on a machine with a GPU"});
}

// Everything that is wrong, so that it is reported at once. Returns the options.
const SupervisedOptions& checked(const SupervisedOptions& options, const Procedure::Deps& deps) {
  TORCH_CHECK(deps.model != nullptr, "supervised: expected a model");
  std::vector<Misfit> misfits;
  if (deps.model->learnable() == nullptr)
    misfits.push_back({"type",
                       "model `" + model_type_name(*deps.model) + "` has no loss to minimise",
                       "use training.type: fit"});
  if (options.sampling == Sampling::kUsers && deps.model->learnable() != nullptr &&
      deps.model->learnable()->needs().examples != Needs::Examples::kInteractions)
    misfits.push_back(
        {"sampling",
         "`users` draws a user and one of its interactions, and the model learns from "
         "whole histories",
         "leave it out"});
  check_device(options.device, deps.dataset != nullptr, misfits);
  if ((options.early_stopping || options.validate_every > 0) && !deps.validate)
    misfits.push_back(options.early_stopping
                          ? Misfit{"early_stopping", "the data has no validation split to look at",
                                   "give data.split one, or set training.early_stopping: null"}
                          : Misfit{"validate_every", "the data has no validation split to look at",
                                   "give data.split one, or leave validate_every away"});
  try {
    const auto parameters = trained_parameters(*deps.model, options.optimizer.common());
    if (parameters.empty() && deps.model->learnable() != nullptr)
      misfits.push_back(
          {"type", "every parameter of the model is frozen: there is nothing to learn", ""});
  } catch (const MisfitError& error) {
    for (const auto& misfit : error.misfits())
      misfits.push_back({"optimizer." + misfit.key, misfit.message, misfit.hint});
  }
  if (!misfits.empty()) throw MisfitError(std::move(misfits));
  return options;
}

std::optional<BatchBuilder> make_builder(const SupervisedOptions& options,
                                         const Procedure::Deps& deps) {
  if (deps.dataset == nullptr) return std::nullopt;
  return BatchBuilder(deps.dataset->part(Split::kTrain), deps.model->learnable()->needs(),
                      {.batch_size = options.batch_size,
                       .num_shards = options.shards,
                       .bucket_by_length = options.bucket_by_length,
                       .sampling = options.sampling,
                       .seed = deps.seed});
}

}  // namespace

void SupervisedOptions::describe(Schema<SupervisedOptions>& schema) {
  using O = SupervisedOptions;
  schema.field("epochs", &O::epochs)
      .positive()
      .at_most(kMostEpochs)
      .doc("Passes over the training data, at most.");
  schema.field("steps", &O::steps)
      .at_least(0)
      .doc(
          "Optimiser steps, at most; 0: as many as epochs give. The best epoch of early_stopping "
          "is a "
          "whole one.");
  schema.field("batch_size", &O::batch_size)
      .positive()
      .at_most(kMostExamples)
      .doc("Examples of a batch, over all its shards.");
  schema.field("accumulate", &O::accumulate)
      .positive()
      .at_most(kMostExamples)
      .doc("Batches whose gradients are added up for one optimiser step.");
  schema.field("shards", &O::shards)
      .must_be_in(1, 1024)
      .doc("Parts of a batch that threads may execute; results depend on it.");
  schema.field("threads", &O::threads)
      .must_be_in(0, 1024)
      .doc("Worker threads; 0: one for each core. Never changes results.");
  schema.field("prefetch_threads", &O::prefetch_threads)
      .must_be_in(0, 64)
      .doc("Threads that make batches ahead; 0: none. Never changes results.");
  schema.field("bucket_by_length", &O::bucket_by_length)
      .doc(
          "Put histories of like length into one batch, to compute less padding. A batch is a mean, "
          "so that items of short histories then count more than others; shards are cut by length "
          "either way.");
  schema.field("sampling", &O::sampling)
      .doc(
          "What an epoch is made of: each example once, or as many draws of a user, all alike, and "
          "one of its interactions (as NGCF and LightGCN learn: who has many counts no more than "
          "others).");
  schema.field("optimizer", &O::optimizer).default_type("adam").doc("How gradients become steps.");
  schema.field("schedule", &O::schedule)
      .default_type("constant")
      .doc("The learning rate over the run.");
  schema.field("clip_norm", &O::clip_norm)
      .at_least(0.0)
      .doc("Scale gradients down to this norm, over all parameters; 0: never.");
  schema.field("weight_average", &O::weight_average)
      .at_least(0.0)
      .less_than(1.0)
      .doc(
          "Decay of a moving average of the weights, which is then what is validated, evaluated "
          "and "
          "exported; 0: the weights themselves.");
  describe_validation(schema, "none. For runs without early_stopping.");
  schema.field("checkpoint_every", &O::checkpoint_every)
      .doc("Time between two checkpoints; 0: only at the end and on an interrupt.");
  schema.field("checkpoint_steps", &O::checkpoint_steps)
      .at_least(0)
      .doc("Optimiser steps between two checkpoints; 0: time alone decides.");
  schema.field("log_every", &O::log_every)
      .at_least(0)
      .doc("Optimiser steps between two lines about the loss; 0: one line for each epoch.");
  schema.field("device", &O::device).non_empty().doc("Where to compute: cpu, cuda, cuda:1, ...");
}

Supervised::Supervised(const Options& options, const Deps& deps)
    : options_(checked(options, deps)),
      deps_(deps),
      device_(*parse_device(options.device)),
      learnable_(*deps.model->learnable()),
      phased_(dynamic_cast<PhasedLearnable*>(&learnable_)),
      workers_(deps.dataset == nullptr ? 1
               : options.threads > 0   ? options.threads
                                       : num_cores()),
      builder_(make_builder(options, deps)),
      log_(options.early_stopping, options.validate_every, options.epochs) {
  if (!builder_) return;
  prefetcher_ = std::make_unique<Prefetcher>(*builder_, options_.prefetch_threads);
  deps_.model->to(device_);
  const auto parameters = trained_parameters(*deps_.model, options_.optimizer.common());
  optimizer_ = options_.optimizer.build({.parameters = parameters});
  learning_step_ =
      std::make_unique<LearningStep>(learnable_, optimizer_->parameters(), workers_, deps_.seed);
  if (options_.weight_average > 0.0) average_.emplace(options_.weight_average, parameters);
  if (average_ && deps_.validate)
    deps_.validate = [this, validate = deps_.validate](const std::vector<MetricName>& also) {
      const UsedWeights used(*this);
      return validate(also);
    };
}

Supervised::~Supervised() = default;

int64_t Supervised::steps_per_epoch() const {
  TORCH_CHECK(builder_.has_value(), "supervised: there is no data to learn from");
  return (builder_->steps_per_epoch() + options_.accumulate - 1) / options_.accumulate;
}

int64_t Supervised::total_steps() const {
  const int64_t per_epoch = steps_per_epoch();
  // More than a number holds is as good as for ever.
  int64_t total = options_.epochs > std::numeric_limits<int64_t>::max() / per_epoch
                      ? std::numeric_limits<int64_t>::max()
                      : options_.epochs * per_epoch;
  if (options_.steps > 0) total = std::min(total, options_.steps);
  return total;
}

bool Supervised::is_finished() const {
  if (log_.has_stopped_early() || step_ >= total_steps()) return true;
  return deps_.limit_batches > 0 && step_ >= deps_.limit_batches;
}

Procedure::CheckpointPolicy Supervised::checkpoint_policy() const {
  return {.seconds = options_.checkpoint_every.seconds, .steps = options_.checkpoint_steps};
}

std::vector<StepBatch> Supervised::next_batches() {
  RECORD_USER_SCOPE("reckon::batch");
  std::vector<StepBatch> batches;
  const int64_t first = epoch_step_ * options_.accumulate;
  const int64_t end = std::min(first + options_.accumulate, builder_->steps_per_epoch());
  for (int64_t b = first; b < end; ++b) {
    batches.push_back(prefetcher_->take(epoch_, b));
    if (!device_.is_cpu())
      for (auto& shard : batches.back().shards) shard = shard.to(device_);
  }
  return batches;
}

void Supervised::step() {
  deps_.model->train();
  const auto batches = next_batches();
  if (phased_ != nullptr) phased_->begin_step(step_, steps_per_epoch());
  auto result = learning_step_->run(
      batches, epoch_ * builder_->steps_per_epoch() + epoch_step_ * options_.accumulate, step_);
  check_finite(result);
  const double norm = std::sqrt(result.squared_norm);
  if (result.weight > 0.0) {
    clip(result);
    const Schedule::Deps run{.total_steps = total_steps(), .steps_per_epoch = steps_per_epoch()};
    const double factor = scheduled_factor(options_.schedule, run, step_);
    lr_ = optimizer_->lr() * factor;
    {
      RECORD_USER_SCOPE("reckon::optimizer");
      optimizer_->step(result.gradients, factor, workers_);
      if (average_) {
        optimizer_->settle(workers_);
        average_->update(step_ + 1);
      }
    }
    sums_.loss += result.loss_sum;
    sums_.weight += result.weight;
    for (const auto& [name, value] : result.logged) sums_.terms[name] += value;
  }
  ++step_;
  ++epoch_step_;
  if (deps_.observer != nullptr)
    deps_.observer->on_step(
        {.epoch = epoch_ + 1,
         .num_epochs = options_.epochs,
         .epoch_step = epoch_step_,
         .steps_per_epoch = steps_per_epoch(),
         .step = step_,
         .total_steps = total_steps(),
         .loss = result.loss(),
         .epoch_loss = sums_.loss / sums_.weight,
         .num_targets = result.num_targets,
         .lr = lr_,
         .gradient_norm = norm,
         .is_logged = options_.log_every > 0 && step_ % options_.log_every == 0});
  if (epoch_step_ == steps_per_epoch() || is_finished()) finish_epoch();
}

void Supervised::check_finite(const StepResult& result) const {
  if (result.weight <= 0.0 ||
      (std::isfinite(result.loss_sum) && std::isfinite(result.squared_norm)))
    return;
  std::string what;
  if (!std::isfinite(result.loss_sum)) {
    what = "the loss is " + std::to_string(result.loss_sum);
    for (const auto& [name, value] : result.logged)
      if (!std::isfinite(value)) what += ", by its term `" + name + "`";
  }
  const auto& parameters = optimizer_->parameters();
  const auto find = [&](const char* name, const auto& tensor_of) {
    int64_t count = 0;
    std::string first;
    for (size_t i = 0; i < parameters.size(); ++i) {
      const torch::Tensor tensor = tensor_of(i);
      if (!tensor.defined() || torch::isfinite(tensor).all().template item<bool>()) continue;
      if (count++ == 0) first = parameters[i].name;
    }
    if (count == 0) return;
    what += (what.empty() ? "" : "; ") + std::string(name) + " of `" + first + "`";
    if (count > 1) what += " and " + std::to_string(count - 1) + " more";
    what += count > 1 ? " are not finite" : " is not finite";
  };
  find("the weight", [&](size_t i) { return parameters[i].tensor.detach(); });
  find("the gradient", [&](size_t i) {
    const auto& gradient = result.gradients[i];
    return gradient.is_sparse() ? gradient.values : gradient.dense;
  });
  if (what.empty()) return;  // only the square of the norm is too large for a number
  throw DivergenceError(
      "training stopped at epoch " + std::to_string(epoch_ + 1) + ", batch " +
          std::to_string(epoch_step_ * options_.accumulate + 1) + " (step " +
          std::to_string(step_ + 1) + "): " + what,
      "lower training.optimizer.lr, set training.clip_norm, or look at the data of "
      "this batch; the weights are those from before it");
}

void Supervised::clip(StepResult& result) const {
  if (options_.clip_norm <= 0.0) return;
  const double norm = std::sqrt(result.squared_norm);
  if (norm <= options_.clip_norm) return;
  const torch::NoGradGuard no_grad;
  // The small number is torch's; it keeps the result just below the limit.
  const double scale = options_.clip_norm / (norm + 1e-6);
  for (auto& gradient : result.gradients) {
    if (gradient.is_dense()) gradient.dense.mul_(scale);
    if (gradient.is_sparse()) gradient.values.mul_(scale);
  }
}

void Supervised::finish_epoch() {
  optimizer_->settle(workers_);  // whatever comes may read weights as it likes
  EpochRecord record;
  record.epoch = epoch_ + 1;
  record.step = step_;
  record.loss =
      sums_.weight > 0.0 ? sums_.loss / sums_.weight : std::numeric_limits<double>::quiet_NaN();
  for (const auto& [name, value] : sums_.terms) record.terms[name] = value / sums_.weight;
  record.lr = lr_;
  record.is_whole = epoch_step_ == steps_per_epoch();
  if (record.is_whole) {
    sums_ = {};
    ++epoch_;
    epoch_step_ = 0;
  }
  log_.add(record, is_finished(), deps_);
}

void Supervised::exchange_weights() {
  if (average_) average_->exchange();
}

ProcedureState Supervised::state() const {
  ProcedureState state;
  if (average_) state.tensors = average_->state();
  for (const auto& [name, tensor] : optimizer_->state())
    state.tensors["optimizer/" + name] = tensor;
  Json json = {{"epoch", epoch_},
               {"epoch_step", epoch_step_},
               {"step", step_},
               {"lr", lr_},
               {"sums", {{"loss", sums_.loss}, {"weight", sums_.weight}, {"terms", sums_.terms}}}};
  json.update(Json::parse(log_.to_json()));
  state.json = json.dump();
  return state;
}

void Supervised::load(const ProcedureState& state) {
  std::map<std::string, torch::Tensor> optimizer_state, average_state;
  const std::string prefix = "optimizer/";
  for (const auto& [name, tensor] : state.tensors) {
    if (average_ && WeightAverage::owns(name)) {
      average_state[name] = tensor;
      continue;
    }
    if (name.rfind(prefix, 0) != 0)
      throw std::invalid_argument("`" + name + "` belongs to no part of supervised training");
    optimizer_state[name.substr(prefix.size())] = tensor;
  }
  try {
    const auto json = Json::parse(state.json);
    EpochSums sums;
    sums.loss = number_or_nan(json.at("sums").at("loss"));
    sums.weight = number_or_nan(json.at("sums").at("weight"));
    for (const auto& [name, value] : json.at("sums").at("terms").items())
      sums.terms[name] = number_or_nan(value);
    const int64_t epoch = json.at("epoch"), epoch_step = json.at("epoch_step");
    if (epoch < 0 || epoch_step < 0 || epoch_step >= steps_per_epoch())
      throw std::invalid_argument("the position in the data is outside of an epoch");
    log_.load(state.json);
    optimizer_->load(optimizer_state);
    if (average_) average_->load(average_state);
    epoch_ = epoch;
    epoch_step_ = epoch_step;
    step_ = json.at("step");
    lr_ = number_or_nan(json.at("lr"));
    sums_ = std::move(sums);
  } catch (const Json::exception& error) {
    throw std::invalid_argument(std::string("the state of supervised training cannot be read: ") +
                                error.what());
  }
}

}  // namespace reckon
