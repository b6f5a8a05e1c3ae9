#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/file_options.h"

namespace reckon {

/// An instant as seconds since 1970 UTC and billionths behind them; or a number in a unit that only
/// the file knows.
struct Instant {
  int64_t whole = 0;
  int32_t billionths = 0;  ///< In [0, 1e9), also where `whole` is negative.

  auto operator<=>(const Instant&) const = default;
};

/// A row that is not what the file promises: of the wrong shape, or with a value of the wrong kind.
struct MalformedRow {
  int64_t line = 0;  ///< Line of a text file, row of a binary one, from 1.
  std::string what;  ///< What was expected and what stands there.
};

/// The values of one column in a block of rows.
struct ColumnValues {
  std::vector<std::string_view> text;  ///< Of kText.
  /// Of kText that is an id, in place of its text where there is one for each row: every value is an
  /// integer, or ...
  std::vector<int64_t> integers;
  /// ... they are places in a dictionary, which may hold what no row has.
  std::vector<int32_t> codes;
  std::vector<std::string_view> dictionary;
  std::vector<double> numbers;      ///< Of kInteger and kNumber.
  std::vector<int64_t> times;       ///< Of kTimestamp: Instant::whole.
  std::vector<int32_t> billionths;  ///< Of kTimestamp; empty while there are none but zeros.
  std::vector<uint8_t> is_missing;  ///< One for each row.
  /// Line of the first number of no declared unit that is too large for seconds, or 0.
  int64_t line_beyond_seconds = 0;

  Instant instant(size_t row) const {
    return {times[row], billionths.empty() ? 0 : billionths[row]};
  }
};

/// Some rows of a table: the columns that were selected, malformed rows left out.
struct RowBlock {
  std::vector<int64_t> lines;  ///< Where each row stands in its file.
  std::vector<ColumnValues> columns;
  std::vector<MalformedRow> malformed;  ///< In file order.
  std::shared_ptr<const void> storage;  ///< Keeps the text alive.

  size_t size() const { return lines.size(); }
};

/// Reads the rows of a delimited, JSON-lines, Parquet or Feather file, in file order.
///
/// Blocks of text files are parsed on `num_threads` threads; what comes out does not depend on it.
class TableReader {
 public:
  struct Column {
    std::string name;
    std::optional<ColumnType> type;  ///< As declared by the config or a `name:type` header.
  };
  struct Selection {
    size_t column = 0;
    ColumnType type = ColumnType::kText;
    bool is_id = false;  ///< Whether kText may come as integers or codes (see ColumnValues).
  };

  virtual ~TableReader() = default;

  /// The columns that the file has, known from its head alone.
  virtual const std::vector<Column>& columns() const = 0;

  /// What next() hands over; to be called once, before it.
  virtual void select(std::vector<Selection> selection) = 0;

  /// False at the end. Throws DataError when the file cannot be read on.
  virtual bool next(RowBlock& block) = 0;
};

/// Opens a file of any format but `sequences`.
/// Throws DataError when it is missing, empty, damaged, or its head is malformed.
std::unique_ptr<TableReader> open_table(const FileOptions& options, const std::string& path,
                                        int num_threads = 2);

/// The same for delimited text in memory; `name` stands in messages.
std::unique_ptr<TableReader> open_delimited_text(const FileOptions& options, std::string_view text,
                                                 const std::string& name);

/// The format that the options name, or else the one that the file's extension stands for, if any.
std::optional<FileFormat> known_format(const FileOptions& options);

/// The same. Throws DataError when neither says it.
FileFormat format_of(const FileOptions& options);

/// Reads a finite number. False when `text` is anything else.
bool parse_number(std::string_view text, double& value);

/// Reads an ISO 8601 date, with or without time of day and offset, or else a number; what lies beyond
/// billionths is cut off.
/// `allow_number` and `allow_date` say which of the two forms may stand there.
bool parse_time(std::string_view text, bool allow_number, bool allow_date, Instant& value);

/// Whether the text of a limit is a date, and so means nothing beside numbers of an unknown unit.
bool is_date(std::string_view text);

}  // namespace reckon
