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

}  // namespace reckon
