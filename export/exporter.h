#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "datasets/id_map.h"
#include "datasets/table_column.h"
#include "export/exported_model.h"
#include "export/options.h"
#include "models/model.h"

namespace reckon {

/// What a file holds that the model does not know. Pointers must outlive the export.
struct ExportInputs {
  const IdMap* items = nullptr;
  const IdMap* users = nullptr;                            ///< Null when there are none to keep.
  const std::vector<TableColumn>* item_columns = nullptr;  ///< What options.display chooses from.
  torch::Tensor item_counts;  // [I], how often training has each item: the fallback's scores

  /// All items of each user in time order, for options.include_users.
  torch::Tensor user_offsets;  // [U + 1] int64
  torch::Tensor user_items;    // [E] int32

  std::string config_yaml;                      ///< The resolved experiment.
  std::string metrics_json;                     ///< A JSON value, or empty.
  std::string fingerprint;                      ///< Of the data.
  std::map<std::string, std::string> versions;  ///< Beside those of reckon and LibTorch.

  /// Raw histories to compare file and model on, beside drawn ones.
  std::vector<std::vector<std::string>> sample_histories;
};

/// What an export did.
struct ExportReport {
  std::string path;
  std::string sidecar_path;  ///< Empty when none was asked for.
  int64_t file_bytes = 0;
  int64_t id_bytes = 0;       ///< Of them, id maps and display columns.
  int64_t weight_bytes = 0;   ///< Of them, tensors that scores are made of.
  int64_t history_bytes = 0;  ///< Of them, what is held of each user beside the id.
  double write_seconds = 0.0;
  double load_seconds = 0.0;
  int64_t num_comparisons = 0;      ///< Requests on which file and model were compared.
  double largest_difference = 0.0;  ///< Of all numbers compared.
};

/// A file that is written and checked, and not yet there.
///
/// Between the two, the caller may look at the reloaded file and refuse it; without commit() nothing
/// remains, and a file that stood at the path before is untouched.
class StagedExport {
 public:
  /// Mirrors, traces, writes to a temporary file beside `path`, reloads that, and compares it with
  /// `model` at several batch sizes and history lengths, on tensors and on recommended lists.
  ///
  /// `model` is put into evaluation mode meanwhile and is afterwards as it was.
  /// Throws   DataError when file and model differ, naming the request and where, or when nothing can
  ///          be written to `path`; ConfigError when options.display names no column.
  StagedExport(Model& model, const ExportInputs& inputs, const std::string& path,
               const ExportOptions& options);
  ~StagedExport();
  StagedExport(StagedExport&&) noexcept;

  /// The reloaded file, for an evaluator.
  ExportedModel& model();
  const ExportReport& report() const;

  /// Puts the file under its name, and the sidecar beside it.   Throws   DataError.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Stages and commits in one step.
ExportReport export_model(Model& model, const ExportInputs& inputs, const std::string& path,
                          const ExportOptions& options);

}  // namespace reckon
