#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/experiment.h"
#include "datasets/column_source.h"

namespace reckon {

/// What a model asks of each table.
using AskedColumns = std::map<TableRole, std::vector<ColumnRequest>>;

/// Adds what of model, procedure, evaluation and files does not fit together, each at its place in
/// `tree`: a procedure that the model cannot learn by, a device there is none of, parameters that
/// nobody has, early stopping without a validation part, files that are not there.
///
/// The model is built tiny and nothing is read; what it asked of the tables comes back. `has_validation`
/// is what the prepared data says; while there is none, the options of the split say it as far as they
/// can.
AskedColumns check_combinations(const ConfigNode& tree, const Experiment& experiment,
                                std::optional<bool> has_validation, Problems& problems);

/// Adds what evaluation.categories asks of the data: a column of the items that it keeps.
void check_categories(const ConfigNode& tree, const EvaluationOptions& evaluation,
                      const std::vector<std::string>& item_columns, Problems& problems);

/// Adds the columns that are asked for and the data has not, as far as the files are there: their heads
/// are looked at.
void check_feature_columns(const ConfigNode& tree, const DataOptions& data,
                           const AskedColumns& asked, Problems& problems);

}  // namespace reckon
