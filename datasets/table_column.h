#pragma once

#include <string>
#include <vector>

#include "core/config_node.h"
#include "core/diagnostics.h"

namespace reckon {

/// A text column of the item (or user) table, row = dense id; for display and later as features.
struct TableColumn {
  std::string name;
  std::vector<std::string> values;  ///< Empty text where the table says nothing.
};

/// Names of columns, in their order.
std::vector<std::string> names_of(const std::vector<TableColumn>& columns);

/// Adds that the data keeps no column `name` of items, when it is not among `kept`, at the place of `path`
/// in an experiment.
void check_item_column(const ConfigNode& tree, const std::string& path, const std::string& name,
                       const std::vector<std::string>& kept, Problems& problems);

}  // namespace reckon
