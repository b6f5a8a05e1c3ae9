#pragma once

#include <functional>
#include <string>
#include <vector>

#include "datasets/column_source.h"
#include "datasets/data_options.h"
#include "datasets/id_map.h"
#include "datasets/table_column.h"

namespace reckon {

/// The display columns of a table, row = dense id. Where an id stands several times, its first row
/// counts; rows of ids that are not in `ids` are left out. What a person should know of that is added
/// to `warnings`.
///
/// Throws   DataError when a file cannot be read, or has malformed rows and cleaning refuses them.
std::vector<TableColumn> read_display_columns(const DataOptions& options, TableRole role,
                                              const IdMap& ids, std::vector<std::string>& warnings);

/// What stands in the columns that somebody asks for, by the same rules. Each column must be in every
/// file of the table.
///
/// Throws   DataError at the line of a value that is not what was asked for, or when a file has no such
///          column.
std::vector<ColumnContent> read_columns(const DataOptions& options, TableRole role,
                                        const IdMap& ids,
                                        const std::vector<ColumnRequest>& requests,
                                        std::vector<std::string>& warnings);

/// One text column by the same rules, which not every file of the table needs to have: empty where
/// nothing is said. What a person should know of the table is said elsewhere.
///
/// Throws   DataError when no file has the column.
std::vector<std::string> read_text_column(const DataOptions& options, TableRole role,
                                          const IdMap& ids, const std::string& column);

/// The ids that a table has rows of, each once, by their bytes: the order of the rows changes nothing.
std::vector<std::string> read_table_ids(const DataOptions& options, TableRole role);

/// read_columns() of one data set; what must be known goes to `warn`.
ColumnSource column_source(const DataOptions& options, const IdMap& users, const IdMap& items,
                           std::function<void(const std::string&)> warn);

/// Looks at the heads of the files that are there, and adds the columns that they do not have to
/// `problems`, each at the option that asks for it; all of them when the data names no such table.
/// `config` is the whole experiment.
void check_columns_asked_for(const DataOptions& options, TableRole role,
                             const std::vector<ColumnRequest>& requests, const ConfigNode& config,
                             Problems& problems);

}  // namespace reckon
