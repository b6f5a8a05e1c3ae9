#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/loaded_run.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/evaluator.h"
#include "evaluation/results_io.h"
#include "evaluation/significance.h"
#include "training/run_folder.h"
#include "training/train.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;

struct EvaluateOptions {
  std::string target, lists, split, output, data;
  std::vector<std::string> overrides;
  bool force = false;
};

std::vector<std::string> with_split(const EvaluateOptions& options) {
  auto overrides = options.overrides;
  if (!options.split.empty()) overrides.push_back("evaluation.split=" + options.split);
  if (!options.data.empty())
    overrides.push_back("data.directory=" + emit_flow(ConfigNode::text(options.data)));
  return overrides;
}

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

void check_has_split(const Dataset& dataset, const EvaluationOptions& options,
                     const ConfigNode& tree) {
  if (dataset.split_of().eq(static_cast<int64_t>(options.split)).any().item<bool>()) return;
  throw ConfigError(
      {{place_of(tree, "evaluation.split"),
        "evaluation.split: the data has no " + split_name(options.split) + " part to measure on",
        "data.split decides which parts there are"}});
}

// Results of another protocol are other results: they never take a place silently.
void check_same_protocol(const std::string& directory, const EvaluationResult& result) {
  const auto path = result_path(directory, split_name(result.split));
  if (!fs::exists(path)) return;
  const auto old = nlohmann::json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  const auto protocol = old.is_object() ? old.value("protocol", "") : "";
  const auto reranking = old.is_object() ? old.value("reranking", "") : "";
  if (protocol == result.protocol && reranking == result.reranking) return;
  const auto of_lists = [](const std::string& chosen) {
    return chosen.empty() ? std::string("lists as the model ranks")
                          : "lists re-ranked by " + chosen;
  };
  if (protocol == result.protocol)
    throw ConfigError({{{path, 0, 0},
                        "not replaced: it holds results of " + of_lists(reranking) +
                            ", these are of " + of_lists(result.reranking),
                        "--output FOLDER writes them elsewhere, --force takes their place"}});
  throw ConfigError({{{path, 0, 0},
                      "not replaced: it holds results of another protocol (" + protocol +
                          "), these are of: " + result.protocol,
                      "--output FOLDER writes them elsewhere, --force takes their place"}});
}

void evaluate_foreign(const EvaluateOptions& options, const Catalog& catalog) {
  // Only data and evaluation count; a run folder carries both in its config.
  const bool is_run = fs::exists(fs::path(options.target) / "config.yaml");
  const auto path = is_run ? (fs::path(options.target) / "config.yaml").string() : options.target;
  const auto tree = experiment_tree({path, with_split(options), ""}, catalog);
  const auto experiment = read_experiment(tree, catalog);
  const auto prepared = prepare_dataset(experiment.data);
  check_has_split(prepared.dataset, experiment.evaluation, tree);
  const auto foreign =
      read_lists(options.lists, prepared.dataset.users(), prepared.dataset.items());
  if (foreign.num_unknown_users > 0)
    log_warning(options.lists + ": " + format_count(foreign.num_unknown_users) +
                " users are not in the data and left out: " + join(foreign.unknown_users));
  if (foreign.num_unknown_items > 0)
    log_warning(options.lists + ": " + format_count(foreign.num_unknown_items) +
                " places hold items that are not in the data: " + join(foreign.unknown_items));
  const auto result =
      evaluate_lists(foreign.lists, evaluation_input(prepared.dataset, experiment.evaluation),
                     experiment.evaluation);
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
  check_has_split(run.dataset, run.experiment.evaluation, run.tree);
  const auto result = evaluate(*run.model, run.dataset, run.experiment.evaluation);
  print(to_text(result));
  const auto directory = options.output.empty() ? options.target : options.output;
  if (!options.force) check_same_protocol(directory, result);
  fs::create_directories(directory);
  write_evaluation(directory, result, run.dataset);
  if (fs::equivalent(directory, options.target)) update_result(RunFolder::open(directory), result);
  return 0;
}

struct CompareOptions {
  std::vector<std::string> runs;
  std::string split = "test", format = "table";
  ComparisonOptions comparison;
};

// The folders of a run of several seeds, or the folder itself.
std::vector<std::string> runs_of(const std::string& directory) {
  std::vector<std::string> seeds;
  if (fs::is_directory(directory) && !fs::exists(fs::path(directory) / "config.yaml"))
    for (const auto& entry : fs::directory_iterator(directory))
      if (entry.path().filename().string().rfind("seed-", 0) == 0)
        seeds.push_back(entry.path().string());
  std::sort(seeds.begin(), seeds.end());
  return seeds.empty() ? std::vector{directory} : seeds;
}

int compare(const CompareOptions& options) {
  std::vector<RunResults> results;
  for (const auto& run : options.runs) {
    const bool is_file = fs::is_regular_file(run);
    auto name = fs::path(run).lexically_normal();
    if (!name.has_filename()) name = name.parent_path();
    const auto called = is_file ? name.stem().string() : name.filename().string();
    std::vector<RunResults> seeds;
    for (const auto& one : is_file ? std::vector{run} : runs_of(run)) {
      const auto path = is_file ? one : per_user_path(one, options.split);
      if (!fs::exists(path))
        throw ConfigError(
            {{{one, 0, 0},
              "no per-user results of the split '" + options.split + "' here",
              "make them with: reckon evaluate " + one + " --split " + options.split}});
      seeds.push_back(read_per_user(path, called));
    }
    results.push_back(
        seeds.size() == 1
            ? seeds.front()
            : mean_of_seeds(seeds, called + " (" + std::to_string(seeds.size()) + " seeds)"));
  }
  const auto comparison = compare_runs(results, options.comparison);
  print(options.format == "json" ? to_json(comparison) + "\n" : to_text(comparison));
  return 0;
}

}  // namespace

void add_evaluate_commands(CLI::App& app, const Catalog& catalog, Action& action) {
  auto evaluate_options = std::make_shared<EvaluateOptions>();
  auto* evaluate_command = app.add_subcommand("evaluate", "Measure a run, or lists made elsewhere");
  evaluate_command
      ->add_option("RUN", evaluate_options->target,
                   "Folder of a run (with --lists also an experiment)")
      ->required();
  evaluate_command
      ->add_option("--split", evaluate_options->split,
                   "What to measure on; default: the experiment's")
      ->check(CLI::IsMember({"test", "validation"}));
  evaluate_command->add_option("--lists", evaluate_options->lists,
                               "A TREC run or Parquet file to measure instead");
  evaluate_command->add_option("--output", evaluate_options->output,
                               "Folder for the results; default: the run");
  evaluate_command->add_flag("--force", evaluate_options->force,
                             "Take the place of results of another protocol");
  evaluate_command->add_option("--data", evaluate_options->data, "Folder with the data files");
  evaluate_command
      ->add_option("--set", evaluate_options->overrides,
                   "Change a value: --set evaluation.top_k_lists=100")
      ->allow_extra_args(false);
  evaluate_command->callback([evaluate_options, &catalog, &action] {
    action = [evaluate_options, &catalog] { return evaluate_run(*evaluate_options, catalog); };
  });

  auto options = std::make_shared<CompareOptions>();
  auto* compare_command =
      app.add_subcommand("compare", "Runs side by side, with paired tests against the first");
  compare_command
      ->add_option(
          "RUN", options->runs,
          "Folders of runs (of several seeds: their mean for each user), or per-user files")
      ->required()
      ->expected(2, -1);
  compare_command->add_option("--split", options->split, "Whose results are compared")
      ->check(CLI::IsMember({"test", "validation"}))
      ->capture_default_str();
  compare_command
      ->add_option("--samples", options->comparison.bootstrap_samples, "Bootstrap samples")
      ->check(CLI::Range(int64_t{100}, int64_t{1000000}))
      ->capture_default_str();
  compare_command
      ->add_option("--permutations", options->comparison.permutations, "Of the randomisation test")
      ->check(CLI::Range(int64_t{100}, int64_t{1000000}))
      ->capture_default_str();
  compare_command->add_option("--seed", options->comparison.seed, "Of samples and permutations")
      ->capture_default_str();
  compare_command->add_option("--format", options->format, "A table, or JSON")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  compare_command->callback(
      [options, &action] { action = [options] { return compare(*options); }; });
}

}  // namespace reckon
