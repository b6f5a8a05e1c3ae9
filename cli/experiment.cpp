#include "cli/experiment.h"

#include <filesystem>

#include "core/experiment_tree.h"

namespace reckon {

void Experiment::describe(Schema<Experiment>& schema) {
  schema.field("data", &Experiment::data).required().doc("Files, cleaning and splits.");
  schema.field("model", &Experiment::model).required().doc("A preset, or a family and its slots.");
  schema.field("training", &Experiment::training)
      .doc("How the model learns; left out, the procedure that fits the model.");
  schema.field("evaluation", &Experiment::evaluation).doc("What is measured, and how.");
  schema.field("export", &Experiment::export_options).doc("What an exported file holds.");
  schema.field("seeds", &Experiment::seeds)
      .non_empty()
      .at_least(0)
      .doc("One run for each; several give mean and deviation.");
  schema.field("tune", &Experiment::tune)
      .doc("What `reckon tune` tries; other commands leave it aside.");
  schema.invariant(
      "export", "'user_items' would cut off users, with whom their items in 'mutual' data begin",
      [](const Experiment& e) { return !e.data.mutual || e.export_options.user_items == 0; });
}

ConfigNode experiment_tree(const ExperimentSource& source, const Catalog& catalog) {
  auto overrides = source.overrides;
  if (!source.data_directory.empty()) {
    // Quoted as YAML: a folder may be called anything.
    overrides.push_back("data.directory=" + emit_flow(ConfigNode::text(source.data_directory)));
  }
  return assemble_experiment(load_yaml(source.path), overrides, catalog);
}

int64_t num_folds_of(const DataOptions& data) {
  return data.split ? data.split.build()->num_folds() : 0;
}

ExperimentSource of_fold(ExperimentSource source, int64_t fold) {
  source.overrides.push_back("data.split.fold=" + std::to_string(fold));
  return source;
}

Experiment read_experiment(const ConfigNode& tree, const Catalog& catalog) {
  return read_config<Experiment>(tree, catalog);
}

void check_without_ratings(const ConfigNode& tree, const Experiment& experiment,
                           Problems& problems) {
  try {
    experiment.model.build({.num_users = 1, .num_items = 1, .has_ratings = false});
  } catch (const ConfigError& error) {
    problems.add(error);
  }
  check_without_ratings(experiment.evaluation, tree.find("evaluation"), problems);
  constexpr const char* kStopping = "training.early_stopping.metric";
  const auto* metric = tree.at_path(kStopping);
  if (metric != nullptr && metric->is_scalar() &&
      MetricName::parse(metric->scalar_text()).is_rating())
    problems.add(metric->location(),
                 std::string(kStopping) + ": " + metric->scalar_text() +
                     " compares ratings, and the data has none",
                 "watch how items are ranked, with ndcg@10 for instance");
}

std::string default_run(const std::string& config) {
  const auto path = std::filesystem::absolute(config).lexically_normal();
  const auto folder = path.parent_path().filename().string();
  const bool of_configs = path.parent_path().parent_path().filename() == "configs";
  return (std::filesystem::path("runs") / ((of_configs ? folder + "-" : "") + path.stem().string()))
      .string();
}

}  // namespace reckon
