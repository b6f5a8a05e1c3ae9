#include "export/options.h"

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
  for (size_t i = 0; i < options.display->size(); ++i)
    check_item_column(tree, "export.display[" + std::to_string(i) + "]", (*options.display)[i],
                      item_columns, problems);
}

}  // namespace reckon
