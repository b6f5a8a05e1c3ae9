#pragma once

#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "datasets/table_reader.h"
#include "datasets/text_blocks.h"

namespace reckon {

/// The separator that the options name, or else the one that the extension stands for; may be empty.
std::string separator_of(const FileOptions& options);

std::unique_ptr<TableReader> open_delimited(const FileOptions& options, const std::string& name,
                                            TextBlocks blocks, int num_threads);
std::unique_ptr<TableReader> open_json_lines(const FileOptions& options, const std::string& path,
                                             int num_threads);
std::unique_ptr<TableReader> open_parquet(const FileOptions& options, const std::string& path);
std::unique_ptr<TableReader> open_feather(const FileOptions& options, const std::string& path);

/// Parses blocks of text a little ahead of the consumer, on threads, and hands them over in order.
class BlockPipeline {
 public:
  using Parse = std::function<RowBlock(const TextBlock&)>;

  BlockPipeline(std::function<bool(TextBlock&)> source, Parse parse, int num_threads);

  bool next(RowBlock& block);

 private:
  void fill();

  std::function<bool(TextBlock&)> source_;
  Parse parse_;
  size_t num_threads_;
  std::deque<std::future<RowBlock>> ahead_;
};

/// Puts values into one column of a block, noting what cannot be read as the wanted type.
class ColumnWriter {
 public:
  ColumnWriter(RowBlock& block, size_t column, const TableReader::Column& source,
               const TableReader::Selection& wanted, const FileOptions& options,
               std::vector<uint8_t>& is_bad);

  void reserve(size_t num_rows);
  void add_text(std::string_view text);

  /// Whether an id may come as add_id(), or as places in a dictionary, without a look at its text.
  bool takes_ids() const;
  void add_id(int64_t id);
  /// Of a column that has nothing but these and missing values.
  void set_dictionary(size_t size) { values_.dictionary.resize(size); }
  void add_code(int32_t code, std::string_view text);
  void add_number(double value);
  void add_integer(int64_t value);
  /// Of a source that knows the unit of its times.
  void add_time(Instant time);
  void add_missing();

  /// Notes the row at hand as malformed, `shown` being what stands there.
  void add_bad(std::string_view shown);

 private:
  size_t row() const { return values_.is_missing.size(); }
  bool is_missing(std::string_view text) const;
  void add_unset(bool missing);
  void add_unitless(Instant number);
  void push(Instant time);

  RowBlock& block_;
  ColumnValues& values_;
  const TableReader::Column& source_;
  ColumnType wanted_;
  const std::vector<std::string>& missing_values_;
  std::optional<TimeUnit> time_unit_;
  bool only_empty_is_missing_;
  bool is_id_;
  bool has_integers_;  // and nothing else so far
  std::vector<uint8_t>& is_bad_;
};

/// Takes the rows flagged in `is_bad` out of every column, and sorts the malformed rows by line.
void drop_bad_rows(RowBlock& block, const std::vector<uint8_t>& is_bad);

/// The quotient, rounded down also below zero.
int64_t floor_divide(int64_t value, int64_t by);

/// A number as an instant, in its own unit. False when it is too large.
bool instant_of(double number, Instant& value);

/// "user, item, rating", for messages.
std::string column_list(const std::vector<TableReader::Column>& columns);

/// The columns that `names` are, with the types that the config declares or that `name:type` says.
/// Throws DataError when a name stands twice or a declared type is of no column.
std::vector<TableReader::Column> declared_columns(const FileOptions& options,
                                                  const std::string& path,
                                                  const std::vector<std::string>& names);

}  // namespace reckon
