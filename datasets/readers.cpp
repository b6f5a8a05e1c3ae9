#include "datasets/readers.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/diagnostics.h"
#include "datasets/id_collector.h"

namespace reckon {
namespace {

std::optional<ColumnType> type_named(std::string_view word) {
  if (word == "token" || word == "token_seq" || word == "text") return ColumnType::kText;
  if (word == "float" || word == "number" || word == "float_seq") return ColumnType::kNumber;
  if (word == "integer") return ColumnType::kInteger;
  if (word == "timestamp") return ColumnType::kTimestamp;
  return std::nullopt;
}

const char* expected_of(ColumnType type) {
  switch (type) {
    case ColumnType::kText:
      return "text in UTF-8";
    case ColumnType::kInteger:
      return "an integer";
    case ColumnType::kNumber:
      return "a number";
    case ColumnType::kTimestamp:
      return "a number or an ISO date";
  }
  return "a value";
}

int64_t units_per_second(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kSeconds:
      return 1;
    case TimeUnit::kMilliseconds:
      return 1000;
    case TimeUnit::kMicroseconds:
      return 1000000;
    case TimeUnit::kNanoseconds:
      return 1000000000;
  }
  return 1;
}

bool is_integer(double value) { return std::floor(value) == value; }

template <class T>
void keep_good(std::vector<T>& values, const std::vector<uint8_t>& is_bad) {
  if (values.empty()) return;
  size_t kept = 0;
  for (size_t row = 0; row < values.size(); ++row)
    if (is_bad[row] == 0) values[kept++] = std::move(values[row]);
  values.resize(kept);
}

}  // namespace

int64_t floor_divide(int64_t value, int64_t by) {
  return value / by - (value % by != 0 && value < 0 ? 1 : 0);
}

BlockPipeline::BlockPipeline(std::function<bool(TextBlock&)> source, Parse parse, int num_threads)
    : source_(std::move(source)),
      parse_(std::move(parse)),
      num_threads_(static_cast<size_t>(std::max(num_threads, 1))) {}

void BlockPipeline::fill() {
  const auto policy = num_threads_ > 1 ? std::launch::async : std::launch::deferred;
  TextBlock text;
  while (ahead_.size() < num_threads_ && source_(text))
    ahead_.push_back(std::async(policy, [this, text] { return parse_(text); }));
}

bool BlockPipeline::next(RowBlock& block) {
  fill();
  if (ahead_.empty()) return false;
  auto first = std::move(ahead_.front());
  ahead_.pop_front();
  block = first.get();
  fill();
  return true;
}

ColumnWriter::ColumnWriter(RowBlock& block, size_t column, const TableReader::Column& source,
                           const TableReader::Selection& wanted, const FileOptions& options,
                           std::vector<uint8_t>& is_bad)
    : block_(block),
      values_(block.columns[column]),
      source_(source),
      wanted_(wanted.type),
      missing_values_(options.missing_values),
      time_unit_(options.timestamp_unit),
      only_empty_is_missing_(missing_values_.size() == 1 && missing_values_.front().empty()),
      is_id_(wanted.is_id),
      has_integers_(wanted.is_id),
      is_bad_(is_bad) {}

void ColumnWriter::reserve(size_t num_rows) {
  values_.is_missing.reserve(num_rows);
  if (wanted_ == ColumnType::kText) values_.text.reserve(num_rows);
  if (has_integers_) values_.integers.reserve(num_rows);
  if (wanted_ == ColumnType::kNumber || wanted_ == ColumnType::kInteger)
    values_.numbers.reserve(num_rows);
  if (wanted_ == ColumnType::kTimestamp) values_.times.reserve(num_rows);
}

bool ColumnWriter::is_missing(std::string_view text) const {
  if (only_empty_is_missing_) return text.empty();
  return std::find(missing_values_.begin(), missing_values_.end(), text) != missing_values_.end();
}

void ColumnWriter::add_unset(bool missing) {
  if (wanted_ == ColumnType::kText) {
    if (!values_.dictionary.empty()) values_.codes.push_back(0);
    if (has_integers_) values_.integers.push_back(0);
    values_.text.emplace_back();
  }
  if (wanted_ == ColumnType::kNumber || wanted_ == ColumnType::kInteger)
    values_.numbers.push_back(0);
  if (wanted_ == ColumnType::kTimestamp) push({});
  values_.is_missing.push_back(missing ? 1 : 0);
}

void ColumnWriter::add_missing() { add_unset(true); }

void ColumnWriter::add_bad(std::string_view shown) {
  // One message a row is enough; the first column that is wrong gives it.
  if (is_bad_[row()] == 0) {
    const auto type = wanted_ == ColumnType::kText ? source_.type.value_or(wanted_) : wanted_;
    const char* expected = type == ColumnType::kTimestamp && source_.type == ColumnType::kTimestamp
                               ? "an ISO date"
                               : expected_of(type);
    block_.malformed.push_back({block_.lines[row()], source_.name + ": expected " + expected +
                                                         ", got '" + excerpt(shown) + "'"});
  }
  is_bad_[row()] = 1;
  add_unset(false);
}

void ColumnWriter::add_text(std::string_view text) {
  if (is_missing(text)) return add_missing();
  double number = 0;
  Instant time;
  const auto declared = source_.type;
  switch (wanted_) {
    case ColumnType::kText: {
      if (has_integers_) {
        int64_t integer = 0;
        if (parse_plain_integer(text, integer)) {
          if (declared == ColumnType::kTimestamp) return add_bad(text);
          values_.integers.push_back(integer);
          values_.text.push_back(text);
          break;
        }
        has_integers_ = false;
        values_.integers.clear();
      }
      const bool is_number = declared == ColumnType::kNumber || declared == ColumnType::kInteger;
      if (is_number && (!parse_number(text, number) ||
                        (declared == ColumnType::kInteger && !is_integer(number))))
        return add_bad(text);
      if (declared == ColumnType::kTimestamp && !parse_time(text, false, true, time))
        return add_bad(text);
      if (!is_utf8(text)) return add_bad(text);
      values_.text.push_back(text);
      break;
    }
    case ColumnType::kInteger:
    case ColumnType::kNumber: {
      const bool must_be_integer =
          wanted_ == ColumnType::kInteger || declared == ColumnType::kInteger;
      if (!parse_number(text, number) || (must_be_integer && !is_integer(number)))
        return add_bad(text);
      values_.numbers.push_back(number);
      break;
    }
    case ColumnType::kTimestamp: {
      const bool allow_number = declared != ColumnType::kTimestamp;
      const bool allow_date = !declared || declared == ColumnType::kTimestamp;
      if (allow_number && parse_time(text, true, false, time)) {
        add_unitless(time);
      } else {
        if (!allow_date || !parse_time(text, false, true, time)) return add_bad(text);
        push(time);
      }
      break;
    }
  }
  values_.is_missing.push_back(0);
}

bool ColumnWriter::takes_ids() const {
  return is_id_ && only_empty_is_missing_ && (!source_.type || *source_.type == ColumnType::kText);
}

void ColumnWriter::add_id(int64_t id) {
  values_.integers.push_back(id);
  values_.is_missing.push_back(0);
}

void ColumnWriter::add_code(int32_t code, std::string_view text) {
  if (text.empty()) return add_missing();
  auto& known = values_.dictionary[static_cast<size_t>(code)];
  if (known.empty()) {
    if (!is_utf8(text)) return add_bad(text);
    known = text;
  }
  values_.codes.push_back(code);
  values_.is_missing.push_back(0);
}

void ColumnWriter::add_number(double value) {
  if (!std::isfinite(value) || (wanted_ == ColumnType::kInteger && !is_integer(value)))
    return add_bad(std::to_string(value));
  if (wanted_ == ColumnType::kTimestamp) {
    Instant number;
    if (!instant_of(value, number)) return add_bad(std::to_string(value));
    add_unitless(number);
  } else {
    values_.numbers.push_back(value);
  }
  values_.is_missing.push_back(0);
}

void ColumnWriter::add_integer(int64_t value) {
  if (wanted_ == ColumnType::kTimestamp)
    add_unitless({value, 0});
  else
    values_.numbers.push_back(static_cast<double>(value));
  values_.is_missing.push_back(0);
}

void ColumnWriter::add_time(Instant time) {
  if (wanted_ == ColumnType::kTimestamp)
    push(time);
  else
    values_.numbers.push_back(static_cast<double>(time.whole) + 1e-9 * time.billionths);
  values_.is_missing.push_back(0);
}

void ColumnWriter::add_unitless(Instant number) {
  // As seconds, it would lie in the year 5138 or later: somebody counts something smaller.
  constexpr int64_t kLargestSecond = 100000000000;
  if (!time_unit_) {
    const bool is_beyond = number.whole > kLargestSecond || number.whole < -kLargestSecond;
    if (is_beyond && values_.line_beyond_seconds == 0)
      values_.line_beyond_seconds = block_.lines[row()];
    return push(number);
  }
  const auto per_second = units_per_second(*time_unit_);
  const auto second = floor_divide(number.whole, per_second);
  const auto billionths_per_unit = 1000000000 / per_second;
  const auto rest =
      (number.whole - second * per_second) * billionths_per_unit + number.billionths / per_second;
  push({second, static_cast<int32_t>(rest)});
}

void ColumnWriter::push(Instant time) {
  if (time.billionths != 0 && values_.billionths.empty())
    values_.billionths.assign(values_.times.size(), 0);
  values_.times.push_back(time.whole);
  if (time.billionths != 0 || !values_.billionths.empty())
    values_.billionths.push_back(time.billionths);
}

void drop_bad_rows(RowBlock& block, const std::vector<uint8_t>& is_bad) {
  std::stable_sort(block.malformed.begin(), block.malformed.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  if (std::find(is_bad.begin(), is_bad.end(), 1) == is_bad.end()) return;
  for (auto& column : block.columns) {
    keep_good(column.text, is_bad);
    keep_good(column.integers, is_bad);
    keep_good(column.codes, is_bad);
    keep_good(column.numbers, is_bad);
    keep_good(column.times, is_bad);
    keep_good(column.billionths, is_bad);
    keep_good(column.is_missing, is_bad);
  }
  keep_good(block.lines, is_bad);
}

std::vector<TableReader::Column> declared_columns(const FileOptions& options,
                                                  const std::string& path,
                                                  const std::vector<std::string>& names) {
  std::vector<TableReader::Column> columns;
  std::set<std::string> seen;
  for (const auto& name : names) {
    TableReader::Column column{name, std::nullopt};
    const auto colon = name.rfind(':');
    if (colon != std::string::npos)
      if (const auto type = type_named(std::string_view(name).substr(colon + 1)))
        column = {name.substr(0, colon), type};
    if (!seen.insert(column.name).second)
      throw DataError(path, 1, "the column '" + excerpt(column.name) + "' stands twice");
    columns.push_back(std::move(column));
  }
  for (const auto& [name, type] : options.types) {
    const auto same = [&name = name](const auto& column) { return column.name == name; };
    const auto found = std::find_if(columns.begin(), columns.end(), same);
    if (found == columns.end())
      throw DataError(path, 1, "types: there is no column '" + name + "'",
                      "the columns are " + column_list(columns));
    found->type = type;
  }
  return columns;
}

std::string column_list(const std::vector<TableReader::Column>& columns) {
  std::string list;
  for (const auto& column : columns) list += (list.empty() ? "" : ", ") + excerpt(column.name);
  return list;
}

}  // namespace reckon
