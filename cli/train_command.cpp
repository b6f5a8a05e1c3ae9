#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/check_experiment.h"
#include "cli/commands.h"
#include "cli/loaded_run.h"
#include "core/describe.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/evaluator.h"
#include "training/fold_summary.h"
#include "training/run_folder.h"
#include "training/train.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;

struct TrainFlags {
  ExperimentSource source;
  std::string run, command;
  bool force = false, resume = false, quiet = false, profile = false;
  int64_t limit_batches = 0;
};

RunFolder open_folder(const TrainFlags& options, const std::string& path, bool is_one_of_several) {
  // A run of several seeds that was killed may have begun only some of them.
  const bool is_to_begin = is_one_of_several && !fs::exists(path);
  return options.resume && !is_to_begin ? RunFolder::open(path)
                                        : RunFolder::create(path, options.force);
}

struct SeedRun {
  TrainOutcome outcome;
  std::optional<EvaluationResult> result;
};

SeedRun run_seed(const TrainFlags& options, const Experiment& experiment, const ConfigNode& tree,
                 const Dataset& dataset, const std::string& path, bool is_one_of_several,
                 int64_t seed, const Catalog& catalog) {
  const auto folder = open_folder(options, path, is_one_of_several);
  auto of_seed = experiment;
  of_seed.seeds = {seed};
  of_seed.tune.reset();
  const auto train_part = dataset.part(Split::kTrain);
  auto model = build_model(of_seed, dataset, train_part, seed);

  TrainContext context;
  context.seed = static_cast<uint64_t>(seed);
  context.resume = options.resume;
  context.limit_batches = options.limit_batches;
  context.interrupted = &InterruptScope::flag();
  context.quiet = options.quiet;
  context.profile = options.profile;
  context.config = with_origins(emit_config(of_seed, catalog), tree);
  context.command = options.command;
  SeedRun out;
  out.outcome = train(of_seed.training, *model, dataset, of_seed.evaluation, folder, context);
  // One that came too late for the training to see.
  if (InterruptScope::flag()) out.outcome.end = TrainOutcome::End::kInterrupted;
  const bool measured = out.outcome.end != TrainOutcome::End::kInterrupted &&
                        dataset.evaluation(of_seed.evaluation.split).users.numel() > 0;
  if (measured) {
    const InterruptPause interrupts;  // the weights are saved, and the run goes on with --resume
    out.result = evaluate(*model, dataset, of_seed.evaluation);
    write_evaluation(path, *out.result, dataset);
  }
  write_result(folder, out.outcome, out.result);
  return out;
}

constexpr int kFinished = 0;

/// One division of the data: all seeds of it.
int train_division(const TrainFlags& options, const ExperimentSource& source,
                   const std::string& path, bool is_fold, std::vector<EvaluationResult>& results,
                   const Catalog& catalog) {
  const auto tree = experiment_tree(source, catalog);
  const auto experiment = read_experiment(tree, catalog);
  Problems misfits;
  const auto asked = check_combinations(tree, experiment, std::nullopt, misfits);
  if (misfits.is_empty()) check_feature_columns(tree, experiment.data, asked, misfits);
  misfits.throw_if_any();
  const auto prepared = prepare_dataset(experiment.data);
  for (const auto& warning : prepared.warnings) log_warning(warning);
  Problems problems;
  if (!prepared.dataset.interactions().labels.defined())
    check_without_ratings(tree, experiment, problems);
  const auto columns = names_of(prepared.dataset.item_columns());
  check_display(tree, experiment.export_options, columns, problems);
  check_categories(tree, experiment.evaluation, columns, problems);
  const auto validation = static_cast<int64_t>(Split::kValidation);
  check_combinations(tree, experiment,
                     prepared.dataset.split_of().eq(validation).any().item<bool>(), problems);
  problems.throw_if_any();

  const auto& seeds = experiment.seeds;
  for (const auto seed : seeds) {
    const auto seed_path =
        seeds.size() == 1 ? path : (fs::path(path) / ("seed-" + std::to_string(seed))).string();
    const auto run = run_seed(options, experiment, tree, prepared.dataset, seed_path,
                              is_fold || seeds.size() > 1, seed, catalog);
    std::printf("%s: %s after %s steps in %s\n", seed_path.c_str(),
                to_string(run.outcome.end).c_str(), format_count(run.outcome.num_steps).c_str(),
                format_duration(run.outcome.seconds).c_str());
    if (run.outcome.end == TrainOutcome::End::kInterrupted) {
      std::printf("go on with: %s%s\n", options.command.c_str(), options.resume ? "" : " --resume");
      return kInterruptedExit;
    }
    if (!run.result) {
      std::printf("no metrics: the data has no %s part, by data.split\n",
                  split_name(experiment.evaluation.split).c_str());
      continue;
    }
    if (seeds.size() == 1 && !is_fold) std::fputs(to_text(*run.result).c_str(), stdout);
    results.push_back(*run.result);
  }
  if (seeds.size() > 1 && !results.empty()) {
    const auto summary = summarize_seeds(seeds, results);
    std::fputs(to_text(summary).c_str(), stdout);
    write_file_atomic((fs::path(path) / "seeds.json").string(), to_json(summary));
  }
  return kFinished;
}

int train_command(const TrainFlags& options, const Catalog& catalog) {
  const auto experiment = read_experiment(experiment_tree(options.source, catalog), catalog);
  const auto path = options.run.empty() ? default_run(options.source.path) : options.run;
  // Before the data is read, which may take long.
  if (options.resume && !fs::is_directory(path)) RunFolder::open(path);  // says that there is none
  const InterruptScope interrupts;
  const int64_t num_folds = num_folds_of(experiment.data);
  if (num_folds == 0) {
    std::vector<EvaluationResult> results;
    return train_division(options, options.source, path, /*is_fold=*/false, results, catalog);
  }
  // A run of another kind in this folder is refused, or makes place, before any fold begins.
  if (!options.resume) RunFolder::create(path, options.force);
  fs::remove(fs::path(path) / "checkpoints");  // of the folds, not of the whole
  std::vector<std::vector<EvaluationResult>> folds;
  for (int64_t fold = 1; fold <= num_folds; ++fold) {
    std::vector<EvaluationResult> results;
    const auto fold_path = (fs::path(path) / ("fold-" + std::to_string(fold))).string();
    const int code = train_division(options, of_fold(options.source, fold), fold_path,
                                    /*is_fold=*/true, results, catalog);
    if (code != kFinished) return code;
    if (!results.empty()) folds.push_back(std::move(results));
  }
  if (folds.size() != static_cast<size_t>(num_folds)) return kFinished;
  const auto summary = summarize_folds(folds);
  std::fputs(to_text(summary).c_str(), stdout);
  write_file_atomic((fs::path(path) / "folds.json").string(), to_json(summary));
  return kFinished;
}

}  // namespace

void add_train_command(CLI::App& app, const Catalog& catalog, Action& action) {
  auto options = std::make_shared<TrainFlags>();
  auto* command = app.add_subcommand("train", "Train an experiment and measure it");
  add_source_options(*command, options->source);
  command->add_option("--run", options->run, "Folder of the run; default: runs/<model>-<dataset>");
  auto* force =
      command->add_flag("--force", options->force, "Take the place of a run that is there");
  command->add_flag("--resume", options->resume, "Go on from the last checkpoint of the run")
      ->excludes(force);
  command
      ->add_option("--limit-batches", options->limit_batches,
                   "End after so many steps: a smoke run")
      ->check(CLI::PositiveNumber);
  command->add_flag("--profile", options->profile,
                    "Write trace.json of 20 steps into the run, for Perfetto or chrome://tracing");
  command->add_flag("--quiet", options->quiet, "No progress, only warnings and the result");
  command->callback([options, &catalog, &action] {
    action = [options, &catalog] {
      options->command = "reckon train " + options->source.path;
      for (const auto& override : options->source.overrides)
        options->command += " --set '" + override + "'";
      if (!options->source.data_directory.empty())
        options->command += " --data '" + options->source.data_directory + "'";
      if (!options->run.empty()) options->command += " --run '" + options->run + "'";
      return train_command(*options, catalog);
    };
  });
}

}  // namespace reckon
