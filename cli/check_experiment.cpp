#include "cli/check_experiment.h"

#include <torch/utils.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "datasets/splitter.h"

namespace reckon {
namespace {

constexpr int64_t kTinySize = 8;

// Whether the split makes a validation part, where its options alone can tell.
std::optional<bool> makes_validation(const DataOptions& data) {
  if (data.split.options_as<NoSplit::Options>() != nullptr) return false;
  const auto* ratio = data.split.options_as<RatioSplit::Options>();
  if (ratio != nullptr && ratio->validation <= 0.0) return false;
  const auto* fold = data.split.options_as<KFoldSplit::Options>();
  if (fold != nullptr && fold->validation <= 0.0) return false;
  const auto* time = data.split.options_as<TimeSplit::Options>();
  if (time != nullptr && time->validation_from.empty()) return false;
  const auto* files = data.split.options_as<FilesSplit::Options>();
  if (files != nullptr && files->validation <= 0.0 && data.files.validation.empty()) return false;
  return std::nullopt;
}

void check_procedure(const ConfigNode& tree, const Experiment& experiment, Model& model,
                     bool may_validate, Problems& problems) {
  Procedure::Deps deps;
  deps.model = &model;
  if (may_validate)
    deps.validate = [](const std::vector<MetricName>&) { return EvaluationResult{}; };
  try {
    build_procedure(experiment.training, deps, tree);
  } catch (const ConfigError& error) {
    problems.add(error);
  }
}

void check_pretrained(const ConfigNode& tree, const DataOptions& data, Model& model,
                      Problems& problems) {
  for (const auto& request : model.pretrained()) {
    const auto path = data.resolve(request.path);
    if (!std::filesystem::is_regular_file(path))
      problems.add(place_of(tree, request.option),
                   request.option + ": there is no file '" + path + "'",
                   "a relative path is taken below data.directory");
  }
}

void check_diversity(const ConfigNode& tree, const EvaluationOptions& evaluation, Model& model,
                     Problems& problems) {
  const torch::NoGradGuard no_grad;
  if (model.item_vectors() || model.factors()) return;
  for (size_t i = 0; i < evaluation.metrics.size(); ++i)
    if (evaluation.metrics[i].metric == Metric::kDiversity) {
      const auto path = "evaluation.metrics[" + std::to_string(i) + "]";
      problems.add(place_of(tree, path),
                   path + ": diversity compares item vectors, and this model has none",
                   "leave diversity out");
    }
}

}  // namespace

void check_combinations(const ConfigNode& tree, const Experiment& experiment,
                        std::optional<bool> has_validation, Problems& problems) {
  std::shared_ptr<Model> model;
  try {
    model = experiment.model.build({.num_users = kTinySize, .num_items = kTinySize});
  } catch (const ConfigError& error) {
    problems.add(error);
    return;
  }
  model->eval();
  const bool may_validate =
      has_validation.value_or(makes_validation(experiment.data).value_or(true));
  check_procedure(tree, experiment, *model, may_validate, problems);
  check_pretrained(tree, experiment.data, *model, problems);
  check_diversity(tree, experiment.evaluation, *model, problems);
}

}  // namespace reckon
