#include "export/options.h"

namespace reckon {

void ExportOptions::describe(Schema<ExportOptions>& schema) {
  schema.field("display", &ExportOptions::display)
      .doc("Columns of the item table to keep in the file and to show beside ids, such as titles.");
  schema.field("include_users", &ExportOptions::include_users)
      .doc("Keep the newest items of every user in the file, so that known users can be served "
           "without sending their history.");
  schema.field("user_items", &ExportOptions::user_items)
      .at_least(0)
      .doc("With include_users: how many items of each user to keep; 0 keeps as many as the model "
           "reads.");
  schema.field("sidecar", &ExportOptions::sidecar)
      .doc("Write the id map as a JSON file beside the model, for servers that pass tensors only.");
  schema.field("check", &ExportOptions::check)
      .doc("Reload the file and compare it with the model before it appears under its name.");
}

}  // namespace reckon
