#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/config_node.h"
#include "models/model.h"
#include "training/procedure.h"

namespace reckon {

/// A run at one moment: all it takes to go on, to evaluate or to export.
struct Checkpoint {
  std::string config;  ///< The resolved config, as YAML.
  std::string data_fingerprint;
  std::string procedure;  ///< Registered name, such as `supervised`.
  uint64_t seed = 0;
  int64_t step = 0;
  int64_t num_metric_lines = 0;  ///< Of metrics.jsonl, written before this moment.
  std::optional<BestEpoch> best;
  std::map<std::string, torch::Tensor> model;  ///< Parameters and buffers by their path.
  ProcedureState state;                        ///< Empty in checkpoints that are the model alone.
  torch::Tensor generator;  ///< State of torch's own generator; undefined where not kept.
};

/// Writes the file as a whole or not at all.   Throws   DataError.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// Throws   DataError saying whether the file is missing, foreign, truncated or damaged.
Checkpoint load_checkpoint(const std::string& path);

/// Parameters and buffers by their path; the tensors share memory with the model.
std::map<std::string, torch::Tensor> model_tensors(const Model& model);

/// Copies stored tensors into a model of the same shape.
/// Throws   DataError about the file `path`, with the first name that is missing, left over or of
///          another shape; the model then is as it was.
void load_model(Model& model, const std::map<std::string, torch::Tensor>& tensors,
                const std::string& path);

/// Whether a run may go on with another value of this key: lengths, threads, device, logging, and what
/// `reckon tune` tries.
bool may_change_at_resume(const std::string& key);

/// Throws   ConfigError that names every key with its old and its new value, where the two configs
///          differ in anything that decides about results.
void check_same_config(const ConfigNode& old_config, const ConfigNode& new_config);

}  // namespace reckon
