#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "datasets/data_options.h"
#include "datasets/table_reader.h"

namespace reckon {

/// Which column of a file plays which part.
struct Roles {
  std::optional<size_t> user, item, rating, timestamp, event, weight;

  /// Whether the same optional parts are there.
  bool has_same_parts(const Roles& other) const;
};

/// Names that a column of a role customarily has: "item" for instance is also "item_id", "itemId" or
/// "movie_id"; case and underscores do not count.
const std::vector<std::string>& customary_names(const std::string& role);

/// Finds the columns of a file of interactions.
/// Throws DataError, listing the columns there are, when user or item cannot be told.
Roles resolve_roles(const std::vector<TableReader::Column>& columns, const RoleOptions& options,
                    const std::string& path);

/// Finds the column of one role that a table must have: the ids of an item table ("item") or a user
/// table ("user"), or one of "head", "relation", "tail", "entity", "friend".
size_t resolve_id(const std::vector<TableReader::Column>& columns, const RoleOptions& options,
                  const std::string& role, const std::string& path);

/// The columns of an item or user table that are kept for display: those named, else those called
/// title or name.
std::vector<size_t> resolve_display(const std::vector<TableReader::Column>& columns,
                                    const FileOptions& options, const std::string& path);

/// The column of that name. Throws DataError, with a suggestion, when there is none; `key` names the
/// option that asks for it, where the message does not stand beside it.
size_t require_column(const std::vector<TableReader::Column>& columns, const std::string& name,
                      const std::string& path, const std::string& key = "");

/// What is known of the data before it is read: from the heads of its files alone.
struct DataSchema {
  bool has_ratings = false;
  bool has_times = false;
  bool has_events = false;
  bool has_weights = false;
  std::vector<std::string> columns;       ///< Of the first file of interactions.
  std::vector<std::string> item_columns;  ///< Kept for display.
  std::vector<std::string> user_columns;
};

/// Looks at the heads of all files, and adds what the options ask for and the files do not have to
/// `problems`, each at the value that asks for it (`section` is what the options were read from).
/// Reads no more than the heads.
DataSchema check_columns(const DataOptions& options, const ConfigNode& section, Problems& problems);

}  // namespace reckon
