#include "training/fit.h"

#include <limits>

namespace reckon {

namespace {

constexpr const char* kFitted = R"({"is_fitted":true})";
constexpr const char* kNotFitted = R"({"is_fitted":false})";

Fittable& require_fittable(const Procedure::Deps& deps) {
  TORCH_CHECK(deps.model != nullptr, "fit: expected a model");
  auto* fittable = deps.model->fittable();
  if (fittable == nullptr)
    throw MisfitError({{"type", "model `" + model_type_name(*deps.model) + "` has no closed form",
                        "use training.type: supervised"}});
  return *fittable;
}

}  // namespace

Fit::Fit(const Options&, const Deps& deps) : deps_(deps), fittable_(require_fittable(deps)) {}

void Fit::step() {
  TORCH_CHECK(deps_.dataset != nullptr, "fit: there is no data to learn from");
  const torch::NoGradGuard no_grad;
  fittable_.fit(deps_.dataset->part(Split::kTrain));
  deps_.model->eval();
  is_fitted_ = true;
  EpochRecord record;
  record.epoch = 1;
  record.step = 1;
  record.loss = std::numeric_limits<double>::quiet_NaN();
  if (deps_.validate)
    for (const auto& metric : deps_.validate({}).metrics)
      record.validation.emplace_back(metric.name.to_string(), metric.mean);
  history_ = {record};
  if (deps_.observer != nullptr) deps_.observer->on_epoch(record);
}

ProcedureState Fit::state() const { return {{}, is_fitted_ ? kFitted : kNotFitted}; }

void Fit::load(const ProcedureState& state) {
  if (!state.tensors.empty() || (state.json != kFitted && state.json != kNotFitted))
    throw std::invalid_argument("the state is not one of training.type: fit");
  is_fitted_ = state.json == kFitted;
}

}  // namespace reckon
