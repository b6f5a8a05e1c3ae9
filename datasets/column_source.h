#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace reckon {

/// Whose properties a table lists: those of items (data.files.items) or of users (data.files.users).
enum class TableRole { kItems, kUsers };

/// A column of a table that somebody asks for, and what its values have to be.
struct ColumnRequest {
  std::string column;
  bool is_number = false;          ///< Else text.
  std::optional<double> at_least;  ///< Of a number.
  std::string separator;           ///< Of text that is a list: what stands between its values.
  int64_t max_values = 0;          ///< Of such a list, how many may stand in it.
  std::string option;  ///< Where the config asks: `model.item.features.columns[0].column`.
};

/// What stands in a column, row = dense id. Texts or numbers, as asked.
struct ColumnContent {
  std::vector<std::string> texts;  ///< Empty where the table says nothing.
  std::vector<double> numbers;     ///< NaN where the table says nothing.
};

/// Reads columns of a table, all in one walk over its files.
/// Throws   DataError at the line of the first value that is not what was asked for.
using ColumnSource =
    std::function<std::vector<ColumnContent>(TableRole, const std::vector<ColumnRequest>&)>;

}  // namespace reckon
