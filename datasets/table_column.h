#pragma once

#include <string>
#include <vector>

namespace reckon {

/// A text column of the item (or user) table, row = dense id; for display and later as features.
struct TableColumn {
  std::string name;
  std::vector<std::string> values;  ///< Empty text where the table says nothing.
};

}  // namespace reckon
