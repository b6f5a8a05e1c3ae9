#include "datasets/table_column.h"

#include <algorithm>

#include "core/format.h"

namespace reckon {

std::vector<std::string> names_of(const std::vector<TableColumn>& columns) {
  std::vector<std::string> names;
  for (const auto& column : columns) names.push_back(column.name);
  return names;
}

void check_item_column(const ConfigNode& tree, const std::string& path, const std::string& name,
                       const std::vector<std::string>& kept, Problems& problems) {
  if (std::find(kept.begin(), kept.end(), name) != kept.end()) return;
  const auto near = nearest(name, kept);
  const std::string keep =
      "name it in data.files.items.display, which says what columns the data keeps";
  problems.add(place_of(tree, path), path + ": the data keeps no column '" + name + "' of items",
               !near.empty() ? "did you mean '" + near + "'? If not, " + keep
               : kept.empty()
                   ? "it keeps none; give an item table under data.files.items, and " + keep
                   : "kept: " + join(kept) + "; " + keep);
}

}  // namespace reckon
