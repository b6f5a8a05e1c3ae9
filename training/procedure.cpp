#include "training/procedure.h"

#include <cctype>

#include "training/adam.h"
#include "training/fit.h"
#include "training/schedule.h"
#include "training/supervised.h"

namespace reckon {

std::string model_type_name(const Model& model) {
  const std::string path = model.name();
  const auto colon = path.rfind(':');
  std::string name;
  for (const char c : colon == std::string::npos ? path : path.substr(colon + 1)) {
    if (std::isupper(static_cast<unsigned char>(c)) && !name.empty()) name += '_';
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

Component<Procedure> default_procedure(Model& model) {
  if (model.learnable() == nullptr) return Component<Procedure>::make<Fit>({}, "fit");
  SupervisedOptions options;
  options.optimizer = Component<Optimizer>::make<Adam>({}, "adam");
  options.schedule = Component<Schedule>::make<ConstantSchedule>({}, "constant");
  return Component<Procedure>::make<Supervised>(options, "supervised");
}

std::shared_ptr<Procedure> build_procedure(const Component<Procedure>& procedure,
                                           const Procedure::Deps& deps, const ConfigNode& config) {
  TORCH_CHECK(deps.model != nullptr, "build_procedure: expected a model");
  const auto chosen = procedure ? procedure : default_procedure(*deps.model);
  Problems problems;
  try {
    return chosen.build(deps);
  } catch (const MisfitError& error) {
    for (const auto& misfit : error.misfits()) {
      const auto path = "training." + misfit.key;
      // Without a config (a program that builds its own components), the component's own place.
      const auto where = config.is_map() ? place_of(config, path) : chosen.location();
      problems.add(where, path + ": " + misfit.message, misfit.hint);
    }
  } catch (const std::invalid_argument& error) {
    problems.add(chosen.location(), std::string("training: ") + error.what());
  }
  problems.throw_if_any();
  return nullptr;
}

}  // namespace reckon
