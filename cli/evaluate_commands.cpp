#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/loaded_run.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/evaluator.h"
#include "evaluation/results_io.h"
#include "evaluation/significance.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;

struct EvaluateOptions {
  std::string target, lists, split, output, data;
  std::vector<std::string> overrides;
};

std::vector<std::string> with_split(const EvaluateOptions& options) {
  auto overrides = options.overrides;
  if (!options.split.empty()) overrides.push_back("evaluation.split=" + options.split);
  if (!options.data.empty())
    overrides.push_back("data.directory=" + emit_flow(ConfigNode::text(options.data)));
  return overrides;
}

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

void evaluate_foreign(const EvaluateOptions& options, const Catalog& catalog) {
  // Only data and evaluation count; a run folder carries both in its config.
  const bool is_run = fs::exists(fs::path(options.target) / "config.yaml");
  const auto path = is_run ? (fs::path(options.target) / "config.yaml").string() : options.target;
  const auto experiment = read_experiment(
      experiment_tree({path, with_split(options), ""}, catalog), catalog);
  const auto prepared = prepare_dataset(experiment.data);
  const auto foreign = read_lists(options.lists, prepared.dataset.users(), prepared.dataset.items());
  if (foreign.num_unknown_users > 0)
    log_warning(options.lists + ": " + format_count(foreign.num_unknown_users) +
                " users are not in the data and left out: " + join(foreign.unknown_users));
  if (foreign.num_unknown_items > 0)
    log_warning(options.lists + ": " + format_count(foreign.num_unknown_items) +
                " places hold items that are not in the data: " + join(foreign.unknown_items));
  const auto result = evaluate_lists(
      foreign.lists, evaluation_input(prepared.dataset, experiment.evaluation), experiment.evaluation);
  print(to_text(result));
  if (!options.output.empty()) {
    fs::create_directories(options.output);
    write_evaluation(options.output, result, prepared.dataset);
  }
}

int evaluate_run(const EvaluateOptions& options, const Catalog& catalog) {
  if (!options.lists.empty()) {
    evaluate_foreign(options, catalog);
    return 0;
  }
  const auto run = load_run(options.target, with_split(options), catalog);
  const auto result = evaluate(*run.model, run.dataset, run.experiment.evaluation);
  print(to_text(result));
  const auto directory = options.output.empty() ? options.target : options.output;
  fs::create_directories(directory);
  write_evaluation(directory, result, run.dataset);
  return 0;
}

struct CompareOptions {
  std::vector<std::string> runs;
  std::string split = "test", format = "table";
  ComparisonOptions comparison;
};

int compare(const CompareOptions& options) {
  std::vector<RunResults> results;
  for (const auto& run : options.runs) {
    const bool is_file = fs::is_regular_file(run);
    const auto path = is_file ? run : per_user_path(run, options.split);
    if (!fs::exists(path))
      throw ConfigError({{{run, 0, 0}, "no per-user results of the split '" + options.split + "' here",
                          "make them with: reckon evaluate " + run + " --split " + options.split}});
    auto name = fs::path(run).lexically_normal();
    if (!name.has_filename()) name = name.parent_path();
    results.push_back(read_per_user(path, is_file ? name.stem().string() : name.filename().string()));
  }
  const auto comparison = compare_runs(results, options.comparison);
  print(options.format == "json" ? to_json(comparison) + "\n" : to_text(comparison));
  return 0;
}

}  // namespace

void add_evaluate_commands(CLI::App& app, const Catalog& catalog, Action& action) {
  auto evaluate_options = std::make_shared<EvaluateOptions>();
  auto* evaluate_command = app.add_subcommand("evaluate", "Measure a run, or lists made elsewhere");
  evaluate_command->add_option("RUN", evaluate_options->target, "Folder of a run (with --lists also an experiment)")
      ->required();
  evaluate_command->add_option("--split", evaluate_options->split, "test (default), validation or train");
  evaluate_command->add_option("--lists", evaluate_options->lists, "A TREC run or Parquet file to measure instead");
  evaluate_command->add_option("--output", evaluate_options->output, "Folder for the results; default: the run");
  evaluate_command->add_option("--data", evaluate_options->data, "Folder with the data files");
  evaluate_command->add_option("--set", evaluate_options->overrides, "Change a value: --set evaluation.top_k_lists=100")
      ->allow_extra_args(false);
  evaluate_command->callback([evaluate_options, &catalog, &action] {
    action = [evaluate_options, &catalog] { return evaluate_run(*evaluate_options, catalog); };
  });

  auto options = std::make_shared<CompareOptions>();
  auto* compare_command = app.add_subcommand("compare", "Runs side by side, with paired tests against the first");
  compare_command->add_option("RUN", options->runs, "Folders of runs, or per-user files")->required()->expected(2, -1);
  compare_command->add_option("--split", options->split)->capture_default_str();
  compare_command->add_option("--samples", options->comparison.bootstrap_samples, "Bootstrap samples")
      ->check(CLI::Range(int64_t{100}, int64_t{1000000}))->capture_default_str();
  compare_command->add_option("--permutations", options->comparison.permutations, "Of the randomisation test")
      ->check(CLI::Range(int64_t{100}, int64_t{1000000}))->capture_default_str();
  compare_command->add_option("--seed", options->comparison.seed)->capture_default_str();
  compare_command->add_option("--format", options->format)->check(CLI::IsMember({"table", "json"}))->capture_default_str();
  compare_command->callback([options, &action] { action = [options] { return compare(*options); }; });
}

}  // namespace reckon
