#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/loaded_run.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/evaluator.h"
#include "training/run_folder.h"
#include "training/train.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;

constexpr int kInterruptedExit = 130;

struct Options {
  ExperimentSource source;
  std::string run, command;
  bool force = false, resume = false, quiet = false;
  int64_t limit_batches = 0;
};

// runs/<model>-<dataset> for configs/<model>/<dataset>.yaml, else runs/<file>.
std::string default_run(const std::string& config) {
  const auto path = fs::absolute(config).lexically_normal();
  const auto folder = path.parent_path().filename().string();
  const bool of_configs = path.parent_path().parent_path().filename() == "configs";
  return (fs::path("runs") / ((of_configs ? folder + "-" : "") + path.stem().string())).string();
}

RunFolder open_folder(const Options& options, const std::string& path) {
  // A run of several seeds that was killed may have begun only some of them.
  const bool exists = fs::exists(fs::path(path) / "config.yaml");
  return options.resume && exists ? RunFolder::open(path) : RunFolder::create(path, options.force);
}

struct SeedRun {
  TrainOutcome outcome;
  std::optional<EvaluationResult> result;
};

SeedRun run_seed(const Options& options, const Experiment& experiment, const Dataset& dataset,
                 const std::string& path, int64_t seed, const Catalog& catalog) {
  const auto folder = open_folder(options, path);
  auto of_seed = experiment;
  of_seed.seeds = {seed};
  const auto train_part = dataset.part(Split::kTrain);
  auto model = build_model(of_seed, dataset, train_part, seed);

  TrainContext context;
  context.seed = static_cast<uint64_t>(seed);
  context.resume = options.resume;
  context.limit_batches = options.limit_batches;
  context.interrupted = &InterruptScope::flag();
  context.quiet = options.quiet;
  context.config = emit_config(of_seed, catalog);
  context.command = options.command;
  SeedRun out;
  out.outcome = train(of_seed.training, *model, dataset, of_seed.evaluation, folder, context);
  const bool measured = out.outcome.end != TrainOutcome::End::kInterrupted &&
                        dataset.evaluation(of_seed.evaluation.split).users.numel() > 0;
  if (measured) {
    out.result = evaluate(*model, dataset, of_seed.evaluation);
    write_evaluation(path, *out.result, dataset);
  }
  write_result(folder, out.outcome, out.result);
  return out;
}

int train_command(const Options& options, const Catalog& catalog) {
  const auto tree = experiment_tree(options.source, catalog);
  const auto experiment = read_experiment(tree, catalog);
  const auto prepared = prepare_dataset(experiment.data);
  for (const auto& warning : prepared.warnings) log_warning(warning);
  const auto path = options.run.empty() ? default_run(options.source.path) : options.run;

  const InterruptScope interrupts;
  std::vector<EvaluationResult> results;
  const auto& seeds = experiment.seeds;
  for (const auto seed : seeds) {
    const auto seed_path = seeds.size() == 1 ? path : (fs::path(path) / ("seed-" + std::to_string(seed))).string();
    const auto run = run_seed(options, experiment, prepared.dataset, seed_path, seed, catalog);
    std::printf("%s: %s after %s steps in %s\n", seed_path.c_str(), to_string(run.outcome.end).c_str(),
                format_count(run.outcome.num_steps).c_str(), format_duration(run.outcome.seconds).c_str());
    if (run.outcome.end == TrainOutcome::End::kInterrupted) {
      std::printf("go on with: %s%s\n", options.command.c_str(), options.resume ? "" : " --resume");
      return kInterruptedExit;
    }
    if (!run.result) continue;
    if (seeds.size() == 1) std::fputs(to_text(*run.result).c_str(), stdout);
    results.push_back(*run.result);
  }
  if (seeds.size() > 1 && !results.empty()) {
    const auto summary = summarize_seeds(seeds, results);
    std::fputs(to_text(summary).c_str(), stdout);
    write_file_atomic((fs::path(path) / "seeds.json").string(), to_json(summary));
  }
  return 0;
}

}  // namespace

void add_train_command(CLI::App& app, const Catalog& catalog, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("train", "Train an experiment and measure it");
  add_source_options(*command, options->source);
  command->add_option("--run", options->run, "Folder of the run; default: runs/<model>-<dataset>");
  auto* force = command->add_flag("--force", options->force, "Take the place of a run that is there");
  command->add_flag("--resume", options->resume, "Go on from the last checkpoint of the run")->excludes(force);
  command->add_option("--limit-batches", options->limit_batches, "End after so many steps: a smoke run")
      ->check(CLI::PositiveNumber);
  command->add_flag("--quiet", options->quiet, "No progress, only warnings and the result");
  command->callback([options, &catalog, &action] {
    action = [options, &catalog] {
      options->command = "reckon train " + options->source.path;
      for (const auto& override : options->source.overrides) options->command += " --set '" + override + "'";
      if (!options->source.data_directory.empty()) options->command += " --data '" + options->source.data_directory + "'";
      if (!options->run.empty()) options->command += " --run '" + options->run + "'";
      return train_command(*options, catalog);
    };
  });
}

}  // namespace reckon
