#include "export/options.h"

#include <algorithm>

namespace reckon {

void ExportOptions::describe(Schema<ExportOptions>& schema) {
  schema.field("display", &ExportOptions::display)
      .doc(
          "Columns of the item table to keep in the file and to show beside ids, such as titles. "
          "Left "
          "out, or null: all that the data keeps (data.files.items.display); an empty list: none.");
  schema.field("include_users", &ExportOptions::include_users)
      .doc(
          "Keep the items of every user in the file, so that known users can be served without "
          "sending their history, and without what they have seen.");
  schema.field("user_items", &ExportOptions::user_items)
      .at_least(0)
      .doc(
          "With include_users: how many items of each user to keep, the newest; 0 keeps all. What "
          "is cut off cannot be left out of recommendations.");
  schema.field("sidecar", &ExportOptions::sidecar)
      .doc("Write the id map as a JSON file beside the model, for servers that pass tensors only.");
  schema.field("check", &ExportOptions::check)
      .doc("Reload the file and compare it with the model before it appears under its name.");
}

void check_display(const ConfigNode& tree, const ExportOptions& options,
                   const std::vector<std::string>& item_columns, Problems& problems) {
  if (!options.display) return;
  for (size_t i = 0; i < options.display->size(); ++i) {
    const auto& name = (*options.display)[i];
    if (std::find(item_columns.begin(), item_columns.end(), name) != item_columns.end()) continue;
    const auto path = "export.display[" + std::to_string(i) + "]";
    const auto* node = tree.at_path(path);
    const auto near = nearest(name, item_columns);
    const std::string keep =
        "name it in data.files.items.display, which says what columns the data keeps";
    problems.add(node != nullptr ? node->location() : tree.location(),
                 path + ": the data keeps no column '" + name + "' of items",
                 !near.empty() ? "did you mean '" + near + "'? If not, " + keep
                 : item_columns.empty()
                     ? "it keeps none; give an item table under data.files.items, and " + keep
                     : "kept: " + join(item_columns) + "; " + keep);
  }
}

void check_display(const ConfigNode& tree, const ExportOptions& options,
                   const std::vector<TableColumn>& item_columns, Problems& problems) {
  std::vector<std::string> names;
  for (const auto& column : item_columns) names.push_back(column.name);
  check_display(tree, options, names, problems);
}

}  // namespace reckon
