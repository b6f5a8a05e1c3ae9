#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/schema.h"
#include "datasets/table_column.h"

namespace reckon {

/// What an exported file holds beside the model; key `export:` of an experiment.
struct ExportOptions {
  /// Columns of the item table, such as titles; absent: all that the data keeps.
  std::optional<std::vector<std::string>> display;
  bool include_users = false;  ///< Keep the items of every user.
  int64_t user_items = 0;      ///< How many of each, the newest; 0: all.
  bool sidecar = false;        ///< Write the id map beside the file too.
  bool check = true;           ///< Reload the file and compare it with the model.
  static void describe(Schema<ExportOptions>& schema);
};

/// Adds what export.display of an experiment names and is not among `item_columns`, those that the data
/// keeps; each at its place in `tree`.
void check_display(const ConfigNode& tree, const ExportOptions& options,
                   const std::vector<std::string>& item_columns, Problems& problems);

}  // namespace reckon
