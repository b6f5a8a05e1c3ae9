#include "cli/loaded_run.h"

#include <torch/utils.h>

#include <algorithm>
#include <filesystem>

#include "core/experiment_tree.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "datasets/table_loader.h"
#include "datasets/vectors.h"
#include "evaluation/results_io.h"
#include "kernels/vector_math.h"
#include "training/checkpoint.h"

namespace reckon {
namespace fs = std::filesystem;

namespace {
// What a model is told of the data. What is passed must stay until the model is built.
Model::Deps deps_of(const Experiment& experiment, const Dataset& dataset,
                    const Interactions& train) {
  return {.num_users = dataset.num_users(),
          .num_items = dataset.num_items(),
          .train = &train,
          .graph = dataset.graph(),
          .mutual = train.mutual,
          .columns = column_source(experiment.data, dataset.users(), dataset.items(), log_warning)};
}
}  // namespace

std::shared_ptr<Model> build_model(const Experiment& experiment, const Dataset& dataset,
                                   const Interactions& train, int64_t seed) {
  prepare_vector_math();
  torch::manual_seed(static_cast<uint64_t>(seed));
  auto model = experiment.model.build(deps_of(experiment, dataset, train));
  for (const auto& request : model->pretrained()) {
    const auto path = experiment.data.resolve(request.path);
    const auto& ids = request.items ? dataset.items() : dataset.users();
    const auto vectors = read_vectors(path, ids, request.width);
    if (vectors.num_missing == ids.size())
      throw DataError(path, 0,
                      "has no vector for any of the " + format_count(ids.size()) +
                          (request.items ? " items" : " users") + " of the data, only for " +
                          format_count(vectors.num_unknown) + " other ids",
                      "ids are compared as text; the first of the data is '" +
                          std::string(ids.raw(0)) + "'");
    if (vectors.num_missing > 0)
      log_warning(path + ": no vector for " + format_count(vectors.num_missing) + " of " +
                  format_count(ids.size()) + " ids; " +
                  (request.frozen ? "those stay at zero, as they are frozen" : "those are drawn"));
    if (vectors.num_unknown > 0)
      log_info(path + ": " + format_count(vectors.num_unknown) +
               " vectors are of ids that the data does not have, and not used");
    request.load(vectors.rows);
  }
  return model;
}

LoadedRun load_run(const std::string& directory, const std::vector<std::string>& overrides,
                   const Catalog& catalog) {
  const auto config_path = (fs::path(directory) / "config.yaml").string();
  if (!fs::exists(config_path)) {
    std::vector<std::string> runs;
    if (fs::is_directory(directory))
      for (const auto& entry : fs::directory_iterator(directory))
        if (fs::exists(entry.path() / "config.yaml")) runs.push_back(entry.path().string());
    std::sort(runs.begin(), runs.end());
    const bool are_seeds = std::all_of(runs.begin(), runs.end(), [](const auto& run) {
      return fs::path(run).filename().string().rfind("seed-", 0) == 0;
    });
    const bool are_folds = std::all_of(runs.begin(), runs.end(), [](const auto& run) {
      return fs::path(run).filename().string().rfind("fold-", 0) == 0;
    });
    throw ConfigError(
        {{{directory, 0, 0},
          "this is no folder of a run: it has no config.yaml",
          runs.empty() ? "give a folder that `reckon train` made"
          : are_folds  ? "it holds runs of several folds, give one of them: " + join(runs)
          : are_seeds  ? "it holds runs of several seeds, give one of them: " + join(runs)
                       : "it holds runs, give one of them: " + join(runs)}});
  }
  for (const auto& override : overrides) {
    const bool allowed = override.rfind("evaluation", 0) == 0 || override.rfind("export", 0) == 0 ||
                         override.rfind("data.directory", 0) == 0 ||
                         override.rfind("data.cache", 0) == 0;
    if (!allowed)
      throw ConfigError(
          {{{"<command line>", 0, 0},
            "'" + override + "' would change what was trained",
            "of a finished run only evaluation, export and data.directory may change"}});
  }
  LoadedRun run;
  run.directory = directory;
  run.tree = assemble_experiment(load_yaml(config_path), overrides, catalog);
  run.experiment = read_experiment(run.tree, catalog);
  run.checkpoint = (fs::path(directory) / "checkpoints" / "best.ckpt").string();
  if (!fs::exists(run.checkpoint))
    run.checkpoint = (fs::path(directory) / "checkpoints" / "last.ckpt").string();
  if (!fs::exists(run.checkpoint))
    throw ConfigError({{{directory, 0, 0},
                        "this run has no checkpoint: its training was interrupted before the first",
                        "train it again with --resume"}});
  const auto checkpoint = load_checkpoint(run.checkpoint);
  auto prepared = prepare_dataset(run.experiment.data);
  run.dataset = prepared.dataset;
  if (checkpoint.data_fingerprint != run.dataset.fingerprint())
    throw DataError(run.checkpoint, 0,
                    "trained on other data (fingerprint " +
                        checkpoint.data_fingerprint.substr(0, 12) + ") than these files give (" +
                        run.dataset.fingerprint().substr(0, 12) + ")");
  run.train = run.dataset.part(Split::kTrain);
  run.model = run.experiment.model.build(deps_of(run.experiment, run.dataset, run.train));
  load_model(*run.model, checkpoint.model, run.checkpoint);
  run.model->eval();
  return run;
}

std::string per_user_path(const std::string& directory, const std::string& split) {
  return (fs::path(directory) / (split + "-per-user.parquet")).string();
}

std::string result_path(const std::string& directory, const std::string& split) {
  return (fs::path(directory) / (split + "-result.json")).string();
}

void write_evaluation(const std::string& directory, const EvaluationResult& result,
                      const Dataset& dataset) {
  const auto split = split_name(result.split);
  write_file_atomic(result_path(directory, split), to_json(result));
  if (result.per_user.defined())
    write_per_user(per_user_path(directory, split), result, dataset.users());
  if (!result.lists) return;
  const auto base = fs::path(directory) / (split + "-lists");
  write_lists_parquet(base.string() + ".parquet", *result.lists, dataset.users(), dataset.items());
  try {
    write_lists_trec(base.string() + ".run", *result.lists, dataset.users(), dataset.items(),
                     "reckon");
  } catch (const DataError& error) {
    // The format cannot carry ids with blanks; the Parquet file has the same lists.
    log_warning(error.what());
  }
}

}  // namespace reckon
