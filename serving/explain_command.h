#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

namespace reckon {

/// What `reckon explain` is asked for: an item, and a user, a history, or a user with one.
struct ExplainOptions {
  std::string model_path;
  std::optional<std::string> history;  ///< `id,id`, oldest first; may be empty.
  std::optional<std::string> user;
  std::string item;
  int64_t k = 10;  ///< How many sources, the largest.
  bool as_json = false;
};

/// Writes to `out` what carried the score that `reckon recommend` gives the item: a table, or a
/// line of JSON. `warn` gets what to say beside it: ids that the file does not know, the fallback.
///
/// Throws   DataError when the file cannot be used or explains no such score; ConfigError about
///          options that do not go together.
void run_explain(const ExplainOptions& options, std::ostream& out,
                 const std::function<void(const std::string&)>& warn);

}  // namespace reckon
