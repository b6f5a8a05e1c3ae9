#include "training/fit.h"

#include <nlohmann/json.hpp>

#include "training/workers.h"

namespace reckon {

namespace {

using Json = nlohmann::json;

Fittable& require_fittable(const Procedure::Deps& deps) {
  TORCH_CHECK(deps.model != nullptr, "fit: expected a model");
  auto* fittable = deps.model->fittable();
  if (fittable == nullptr)
    throw MisfitError({{"type", "model `" + model_type_name(*deps.model) + "` has no closed form",
                        "use training.type: supervised"}});
  return *fittable;
}

const Fit::Options& checked(const Fit::Options& options, const Procedure::Deps& deps) {
  if ((options.early_stopping || options.validate_every > 0) && deps.dataset != nullptr &&
      !deps.validate)
    throw MisfitError(
        {{options.early_stopping ? "early_stopping" : "validate_every",
          "the data has no validation split to look at", "give data.split one, or leave it out"}});
  return options;
}

}  // namespace

void Fit::Options::describe(Schema<Options>& schema) {
  schema.field("threads", &Options::threads)
      .must_be_in(0, 1024)
      .doc("Threads that compute; 0: one for each core. Never changes results.");
  describe_validation(schema, "after the last alone.");
  schema.field("checkpoint_every", &Options::checkpoint_every)
      .doc("Time between two checkpoints; 0: only at the end and on an interrupt.");
}

Fit::Fit(const Options& options, const Deps& deps) : Fit(options, deps, require_fittable(deps)) {}

Fit::Fit(const Options& options, const Deps& deps, Fittable& fittable)
    : options_(checked(options, deps)),
      deps_(deps),
      fittable_(fittable),
      // Where nothing is said of it, a validation at the end costs nothing beside the fit.
      log_(options.early_stopping,
           deps.validate == nullptr     ? 0
           : options.validate_every > 0 ? options.validate_every
                                        : fittable_.num_rounds(),
           fittable_.num_rounds()) {}

bool Fit::is_finished() const {
  if (log_.has_stopped_early() || num_rounds_done_ >= fittable_.num_rounds()) return true;
  return deps_.limit_batches > 0 && num_rounds_done_ >= deps_.limit_batches;
}

int64_t Fit::num_threads() const { return options_.threads > 0 ? options_.threads : num_cores(); }

Procedure::CheckpointPolicy Fit::checkpoint_policy() const {
  return {.seconds = options_.checkpoint_every.seconds, .steps = 0};
}

void Fit::step() {
  TORCH_CHECK(deps_.dataset != nullptr, "fit: there is no data to learn from");
  const torch::NoGradGuard no_grad;
  if (!train_.user_offsets.defined()) train_ = deps_.dataset->part(Split::kTrain);
  EpochRecord record;
  try {
    const IntraOpThreads threads(static_cast<int>(num_threads()));
    record.loss = fittable_.fit(train_, {.seed = deps_.seed, .round = num_rounds_done_});
  } catch (const std::invalid_argument& error) {
    throw ConfigError({{{"model"}, error.what(), ""}});
  }
  ++num_rounds_done_;
  record.epoch = record.step = num_rounds_done_;
  log_.add(record, is_finished(), deps_);
  deps_.model->eval();
}

ProcedureState Fit::state() const {
  Json json = {{"num_rounds_done", num_rounds_done_}};
  json.update(Json::parse(log_.to_json()));
  return {{}, json.dump()};
}

void Fit::load(const ProcedureState& state) {
  if (!state.tensors.empty())
    throw std::invalid_argument("`" + state.tensors.begin()->first +
                                "` belongs to no part of a fit");
  const auto json = Json::parse(state.json, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("num_rounds_done") ||
      !json["num_rounds_done"].is_number_integer() || json["num_rounds_done"] < 0)
    throw std::invalid_argument("the state is not one of training.type: fit");
  log_.load(state.json);
  num_rounds_done_ = json["num_rounds_done"];
}

}  // namespace reckon
