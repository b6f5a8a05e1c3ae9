#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/schema.h"

namespace reckon {

/// What an exported file holds beside the model; key `export:` of an experiment.
struct ExportOptions {
  std::vector<std::string> display;  ///< Columns of the item table, such as titles.
  bool include_users = false;        ///< Keep the newest items of every user.
  int64_t user_items = 0;            ///< How many of them; 0: as many as the model reads.
  bool sidecar = false;              ///< Write the id map beside the file too.
  bool check = true;                 ///< Reload the file and compare it with the model.
  static void describe(Schema<ExportOptions>& schema);
};

}  // namespace reckon
