#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/catalog.h"
#include "core/config_node.h"
#include "datasets/data_options.h"
#include "evaluation/options.h"
#include "export/options.h"
#include "models/model.h"
#include "training/procedure.h"
#include "training/search.h"

namespace reckon {

/// A whole experiment, as its YAML file says it.
struct Experiment {
  DataOptions data;
  Component<Model> model;
  Component<Procedure> training;
  EvaluationOptions evaluation;
  ExportOptions export_options;
  std::vector<int64_t> seeds = {1};
  std::optional<TuneOptions> tune;
  static void describe(Schema<Experiment>& schema);
};

/// Where an experiment comes from: a file and what the command line changes in it.
struct ExperimentSource {
  std::string path;
  std::vector<std::string> overrides;  ///< `training.optimizer.lr=3e-4`
  std::string data_directory;          ///< Takes the place of data.directory when not empty.
};

/// The file with its preset, overrides and data directory merged in, each value with its origin.
/// Throws ConfigError.
ConfigNode experiment_tree(const ExperimentSource& source, const Catalog& catalog);

/// How many folds are to be run one after another; 0 where the data is divided once.
int64_t num_folds_of(const DataOptions& data);

/// The same of one fold of a cross-validation.
ExperimentSource of_fold(ExperimentSource source, int64_t fold);

/// Reads and checks the whole tree. Throws ConfigError with every problem found.
Experiment read_experiment(const ConfigNode& tree, const Catalog& catalog);

/// Adds what an experiment asks of ratings, for data that has none: objectives that learn them, metrics
/// that compare them.
void check_without_ratings(const ConfigNode& tree, const Experiment& experiment,
                           Problems& problems);

/// Where a run goes that names no folder: runs/<model>-<dataset> for configs/<model>/<dataset>.yaml, else
/// runs/<file>.
std::string default_run(const std::string& config);

}  // namespace reckon
