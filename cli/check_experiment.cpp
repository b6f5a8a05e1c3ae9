#include "cli/check_experiment.h"

#include <torch/utils.h>

#include <filesystem>
#include <memory>

#include "datasets/graph_builder.h"
#include "datasets/splitter.h"
#include "datasets/table_loader.h"
#include "evaluation/evaluator.h"
#include "evaluation/reranker.h"
#include "models/feature_encoding.h"

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
  if (unit_item_vectors(model).defined()) return;
  for (size_t i = 0; i < evaluation.metrics.size(); ++i)
    if (evaluation.metrics[i].metric == Metric::kDiversity) {
      const auto path = "evaluation.metrics[" + std::to_string(i) + "]";
      problems.add(place_of(tree, path),
                   path + ": diversity compares item vectors, and this model has none",
                   "leave diversity out");
    }
}

// What re-ranking and metrics ask of model and config; the column itself is the data's to have.
void check_categories_and_reranking(const ConfigNode& tree, const EvaluationOptions& evaluation,
                                    Model& model, Problems& problems) {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < evaluation.metrics.size() && !evaluation.categories; ++i)
    if (evaluation.metrics[i].needs_categories()) {
      const auto path = "evaluation.metrics[" + std::to_string(i) + "]";
      problems.add(place_of(tree, path),
                   path + ": " + evaluation.metrics[i].to_string() + " " + kWithoutCategories,
                   kHowToNameCategories);
    }
  if (!evaluation.reranking) return;
  std::shared_ptr<const ItemCategories> categories;
  if (evaluation.categories) {
    const std::vector<TableColumn> columns = {
        {evaluation.categories->column, std::vector<std::string>(kTinySize)}};
    categories =
        std::make_shared<const ItemCategories>(&columns, *evaluation.categories, kTinySize);
  }
  try {
    build_reranker(evaluation.reranking, {.num_items = kTinySize,
                                          .item_counts = torch::ones({kTinySize}, torch::kInt64),
                                          .unit_vectors = [&] { return unit_item_vectors(model); },
                                          .categories = categories});
  } catch (const ConfigError& error) {
    problems.add(error);
  }
}

}  // namespace

void check_feature_columns(const ConfigNode& tree, const DataOptions& data,
                           const AskedColumns& asked, Problems& problems) {
  for (const auto& [role, requests] : asked)
    check_columns_asked_for(data, role, requests, tree, problems);
}

AskedColumns check_combinations(const ConfigNode& tree, const Experiment& experiment,
                                std::optional<bool> has_validation, Problems& problems) {
  const auto graph = declared_graph(experiment.data, kTinySize, kTinySize);
  AskedColumns asked;
  const auto note = [&](TableRole role, const std::vector<ColumnRequest>& requests) {
    asked[role] = requests;
    return missing_contents(requests, kTinySize);
  };
  std::shared_ptr<Model> model;
  try {
    model = experiment.model.build({.num_users = kTinySize,
                                    .num_items = kTinySize,
                                    .graph = &graph,
                                    .mutual = experiment.data.mutual,
                                    .columns = note});
  } catch (const ConfigError& error) {
    problems.add(error);
    return asked;
  }
  model->eval();
  const bool may_validate =
      has_validation.value_or(makes_validation(experiment.data).value_or(true));
  check_procedure(tree, experiment, *model, may_validate, problems);
  check_pretrained(tree, experiment.data, *model, problems);
  check_diversity(tree, experiment.evaluation, *model, problems);
  check_categories_and_reranking(tree, experiment.evaluation, *model, problems);
  return asked;
}

void check_categories(const ConfigNode& tree, const EvaluationOptions& evaluation,
                      const std::vector<std::string>& item_columns, Problems& problems) {
  if (evaluation.categories)
    check_item_column(tree, "evaluation.categories.column", evaluation.categories->column,
                      item_columns, problems);
}

}  // namespace reckon
