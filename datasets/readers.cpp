#include "datasets/readers.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/diagnostics.h"

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
                           ColumnType wanted, const std::vector<std::string>& missing_values,
                           std::vector<uint8_t>& is_bad)
    : block_(block),
      values_(block.columns[column]),
      source_(source),
      wanted_(wanted),
      missing_values_(missing_values),
      only_empty_is_missing_(missing_values.size() == 1 && missing_values.front().empty()),
      is_bad_(is_bad) {}

void ColumnWriter::reserve(size_t num_rows) {
  values_.is_missing.reserve(num_rows);
  if (wanted_ == ColumnType::kText) values_.text.reserve(num_rows);
  if (wanted_ == ColumnType::kNumber || wanted_ == ColumnType::kInteger)
    values_.numbers.reserve(num_rows);
  if (wanted_ == ColumnType::kTimestamp) values_.times.reserve(num_rows);
}

bool ColumnWriter::is_missing(std::string_view text) const {
  if (only_empty_is_missing_) return text.empty();
  return std::find(missing_values_.begin(), missing_values_.end(), text) != missing_values_.end();
}

void ColumnWriter::add_unset(bool missing) {
  if (wanted_ == ColumnType::kText) values_.text.emplace_back();
  if (wanted_ == ColumnType::kNumber || wanted_ == ColumnType::kInteger)
    values_.numbers.push_back(0);
  if (wanted_ == ColumnType::kTimestamp) values_.times.push_back(0);
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
  int64_t time = 0;
  const auto declared = source_.type;
  switch (wanted_) {
    case ColumnType::kText: {
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
      if (!parse_time(text, allow_number, allow_date, time)) return add_bad(text);
      values_.times.push_back(time);
      break;
    }
  }
  values_.is_missing.push_back(0);
}

void ColumnWriter::add_number(double value) {
  if (!std::isfinite(value) || (wanted_ == ColumnType::kInteger && !is_integer(value)))
    return add_bad(std::to_string(value));
  if (wanted_ == ColumnType::kTimestamp) {
    if (std::abs(value) >= 9.2e18) return add_bad(std::to_string(value));
    values_.times.push_back(static_cast<int64_t>(std::floor(value)));
  } else {
    values_.numbers.push_back(value);
  }
  values_.is_missing.push_back(0);
}

void ColumnWriter::add_time(int64_t seconds) {
  if (wanted_ == ColumnType::kTimestamp)
    values_.times.push_back(seconds);
  else
    values_.numbers.push_back(static_cast<double>(seconds));
  values_.is_missing.push_back(0);
}

void drop_bad_rows(RowBlock& block, const std::vector<uint8_t>& is_bad) {
  std::stable_sort(block.malformed.begin(), block.malformed.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  if (std::find(is_bad.begin(), is_bad.end(), 1) == is_bad.end()) return;
  for (auto& column : block.columns) {
    keep_good(column.text, is_bad);
    keep_good(column.numbers, is_bad);
    keep_good(column.times, is_bad);
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
