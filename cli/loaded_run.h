#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/experiment.h"
#include "datasets/prepare.h"
#include "evaluation/result.h"

namespace reckon {

/// Sets torch's seed and builds the model of an experiment for a data set, pretrained vectors read in.
///
/// The training interactions must outlive the model.
std::shared_ptr<Model> build_model(const Experiment& experiment, const Dataset& dataset,
                                   const Interactions& train, int64_t seed);

/// A trained run, as `evaluate`, `export` and `embeddings` need it.
struct LoadedRun {
  std::string directory;
  ConfigNode tree;
  Experiment experiment;
  Dataset dataset;
  Interactions train;
  std::shared_ptr<Model> model;  ///< With the best weights, in evaluation mode.
  std::string checkpoint;        ///< The file they came from.
};

/// Loads the best weights of a run. `overrides` change evaluation, export and data.directory only.
///
/// Throws   ConfigError when the folder is no run; DataError when the data is not what it was trained
///          on, or a checkpoint is damaged.
LoadedRun load_run(const std::string& directory, const std::vector<std::string>& overrides,
                   const Catalog& catalog);

/// Writes the result of one split into a run folder: JSON, per-user values, and lists where there are
/// any.
void write_evaluation(const std::string& directory, const EvaluationResult& result,
                      const Dataset& dataset);

/// Where write_evaluation() puts the per-user values of a split.
std::string per_user_path(const std::string& directory, const std::string& split);
/// Where it puts the JSON.
std::string result_path(const std::string& directory, const std::string& split);

}  // namespace reckon
