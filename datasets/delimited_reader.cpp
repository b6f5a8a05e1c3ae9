#include <arrow/csv/options.h>
#include <arrow/csv/parser.h>

#include <algorithm>
#include <limits>

#include "core/diagnostics.h"
#include "datasets/readers.h"

namespace reckon {
namespace {

// Stands for a separator of several characters while a block is parsed.
constexpr char kUnitSeparator = '\x1f';

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string_view first_line_of(std::string_view text) {
  auto line = text.substr(0, text.find('\n'));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string shown_separator(const std::string& separator) {
  if (separator == "\t") return "tabs";
  return "'" + excerpt(separator) + "'";
}

std::vector<std::string> split_line(std::string_view line, const std::string& separator,
                                    bool quoting) {
  std::vector<std::string> values(1);
  bool is_quoted = false;
  for (size_t i = 0; i < line.size();) {
    auto& value = values.back();
    if (is_quoted) {
      const bool is_quote = line[i] == '"';
      const bool is_doubled = is_quote && i + 1 < line.size() && line[i + 1] == '"';
      if (is_quote && !is_doubled)
        is_quoted = false;
      else
        value += line[i];
      i += is_doubled ? 2 : 1;
    } else if (quoting && value.empty() && line[i] == '"') {
      is_quoted = true;
      ++i;
    } else if (line.compare(i, separator.size(), separator) == 0) {
      values.emplace_back();
      i += separator.size();
    } else {
      value += line[i++];
    }
  }
  return values;
}

class DelimitedReader : public TableReader {
 public:
  DelimitedReader(const FileOptions& options, const std::string& name, TextBlocks blocks,
                  int num_threads)
      : options_(options),
        name_(name),
        separator_(separator_of(options)),
        blocks_(std::move(blocks)),
        pipeline_([this](TextBlock& block) { return next_text(block); },
                  [this](const TextBlock& block) { return parse(block); },
                  options.quoted_newlines ? 1 : num_threads) {
    if (separator_.empty())
      throw DataError(name, 0, "the extension does not say what separates the values",
                      "give 'separator'");
    // Tabs and pipes rarely come with quotes that mean anything, commas and semicolons do.
    quoting_ = options.quoting.value_or(separator_ == "," || separator_ == ";");
    read_head();
  }

  const std::vector<Column>& columns() const override { return columns_; }
  void select(std::vector<Selection> selection) override { selection_ = std::move(selection); }
  bool next(RowBlock& block) override { return pipeline_.next(block); }

 private:
  void read_head() {
    // The head is the first line that is not blank.
    while (is_blank(head_.text))
      if (!blocks_.next(head_)) throw DataError(name_, 0, "is empty");
    while (is_blank(first_line_of(head_.text))) skip_head_line();
    const auto line = first_line_of(head_.text);
    auto names = split_line(line, separator_, quoting_);
    const auto num_columns = names.size();
    const bool has_header = options_.header.value_or(options_.columns.empty());
    if (!has_header || !options_.columns.empty()) names = options_.columns;
    if (names.size() > num_columns)
      throw DataError(name_, head_.first_line,
                      "'columns' gives " + std::to_string(names.size()) + " names, the line has " +
                          std::to_string(num_columns) + " values separated by " +
                          shown_separator(separator_) + ": '" + excerpt(line) + "'");
    while (names.size() < num_columns)
      names.push_back("column_" + std::to_string(names.size() + 1));
    if (has_header) {
      for (const auto& name : names)
        if (name.empty() || !is_utf8(name))
          throw DataError(name_, head_.first_line,
                          "expected column names, got '" + excerpt(line) + "'",
                          "give 'columns' when the file has no header");
      skip_head_line();
    }
    columns_ = declared_columns(options_, name_, names);
  }

  void skip_head_line() {
    const auto end = head_.text.find('\n');
    head_.text.remove_prefix(end == std::string_view::npos ? head_.text.size() : end + 1);
    ++head_.first_line;
  }

  bool next_text(TextBlock& block) {
    if (head_.text.data() != nullptr) {
      block = std::exchange(head_, TextBlock{});
    } else if (!blocks_.next(block)) {
      return false;
    }
    if (!options_.quoted_newlines) return true;
    // A value may hold line breaks, so only the whole file is sure to be whole rows.
    auto whole = std::make_shared<std::string>(block.text);
    TextBlock more;
    while (blocks_.next(more)) whole->append(more.text);
    block.text = *whole;
    block.storage = std::move(whole);
    return true;
  }

  RowBlock parse(const TextBlock& text) const {
    RowBlock rows;
    rows.columns.resize(selection_.size());
    if (separator_.size() == 1) {
      parse_lines(text.text, text.first_line, separator_.front(), rows);
      return rows;
    }
    std::string replaced;
    replaced.reserve(text.text.size());
    for (size_t begin = 0; begin < text.text.size();) {
      const auto end = std::min(text.text.find(separator_, begin), text.text.size());
      replaced.append(text.text, begin, end - begin);
      if (end < text.text.size()) replaced += kUnitSeparator;
      begin = end + separator_.size();
    }
    parse_lines(replaced, text.first_line, kUnitSeparator, rows);
    return rows;
  }

  // Parses whole lines into `rows`, which holds the rows before them.
  void parse_lines(std::string_view text, int64_t first_line, char delimiter,
                   RowBlock& rows) const {
    if (text.empty()) return;
    const auto num_lines = std::count(text.begin(), text.end(), '\n') + (text.back() != '\n');
    auto malformed = std::vector<MalformedRow>();
    auto skipped = std::vector<int64_t>();
    auto options = arrow::csv::ParseOptions::Defaults();
    options.delimiter = delimiter;
    options.quoting = quoting_;
    options.newlines_in_values = options_.quoted_newlines;
    options.ignore_empty_lines = false;
    options.invalid_row_handler = [&](const arrow::csv::InvalidRow& row) {
      skipped.push_back(row.number);
      if (!is_blank(row.text)) malformed.push_back({row.number, wrong_width(row)});
      return arrow::csv::InvalidRowResult::Skip;
    };
    const auto parser =
        std::make_shared<arrow::csv::BlockParser>(arrow::default_memory_pool(), options,
                                                  static_cast<int32_t>(columns_.size()), first_line,
                                                  std::numeric_limits<int32_t>::max());
    uint32_t parsed_size = 0;
    const bool fits = text.size() < (size_t{1} << 31);
    const auto status = fits ? parser->ParseFinal(text, &parsed_size)
                             : arrow::Status::CapacityError("more than 2 GiB at once");
    const bool is_whole = status.ok() && parsed_size == text.size();
    if (is_whole && (options_.quoted_newlines || parser->total_num_rows() == num_lines)) {
      RowBlock part;
      part.malformed = std::move(malformed);
      take_rows(parser, first_line, skipped, part);
      return append(std::move(part), rows);
    }
    if (num_lines <= 1 || options_.quoted_newlines) {
      rows.malformed.push_back({first_line, bad_quotes(text, status)});
      return;
    }
    // Some value opens a quote and does not close it on its line: halve until that line is alone.
    auto middle = text.find('\n', text.size() / 2);
    if (middle + 1 >= text.size() || middle == std::string_view::npos)
      middle = text.rfind('\n', text.size() / 2);
    const auto before = text.substr(0, middle + 1);
    const auto lines_before = std::count(before.begin(), before.end(), '\n');
    parse_lines(before, first_line, delimiter, rows);
    parse_lines(text.substr(middle + 1), first_line + lines_before, delimiter, rows);
  }

  void take_rows(const std::shared_ptr<arrow::csv::BlockParser>& parser, int64_t first_line,
                 const std::vector<int64_t>& skipped, RowBlock& part) const {
    part.columns.resize(selection_.size());
    const auto num_rows = static_cast<size_t>(parser->num_rows());
    part.lines.resize(num_rows);
    auto skip = skipped.begin();
    auto line = first_line;
    for (auto& place : part.lines) {
      for (; skip != skipped.end() && *skip == line; ++skip) ++line;
      place = line++;
    }
    std::vector<uint8_t> is_bad(num_rows, 0);
    for (size_t i = 0; i < selection_.size(); ++i) {
      const auto column = selection_[i].column;
      ColumnWriter writer(part, i, columns_[column], selection_[i], options_, is_bad);
      writer.reserve(num_rows);
      const auto visit = [&writer](const uint8_t* data, uint32_t size, bool, bool) {
        writer.add_text({reinterpret_cast<const char*>(data), size});
        return arrow::Status::OK();
      };
      if (num_rows > 0) (void)parser->VisitColumn(static_cast<int32_t>(column), visit);
    }
    drop_bad_rows(part, is_bad);
    part.storage = parser;
  }

  // Adds the rows of `part` behind those of `rows`.
  static void append(RowBlock part, RowBlock& rows) {
    const auto add = [](auto& to, auto& from) {
      if (to.empty())
        to = std::move(from);
      else
        to.insert(to.end(), std::make_move_iterator(from.begin()),
                  std::make_move_iterator(from.end()));
    };
    for (size_t i = 0; i < rows.columns.size(); ++i) {
      // Only where both parts are nothing but integers, the whole is.
      if (rows.columns[i].integers.size() != rows.size() ||
          part.columns[i].integers.size() != part.size()) {
        rows.columns[i].integers.clear();
        part.columns[i].integers.clear();
      }
      add(rows.columns[i].integers, part.columns[i].integers);
      add(rows.columns[i].text, part.columns[i].text);
      add(rows.columns[i].numbers, part.columns[i].numbers);
      // Whoever has no fractions yet has zeros in front of those of the other.
      if (!part.columns[i].billionths.empty())
        rows.columns[i].billionths.resize(rows.columns[i].times.size());
      else if (!rows.columns[i].billionths.empty())
        part.columns[i].billionths.resize(part.columns[i].times.size());
      add(rows.columns[i].billionths, part.columns[i].billionths);
      add(rows.columns[i].times, part.columns[i].times);
      add(rows.columns[i].is_missing, part.columns[i].is_missing);
      if (rows.columns[i].line_beyond_seconds == 0)
        rows.columns[i].line_beyond_seconds = part.columns[i].line_beyond_seconds;
    }
    add(rows.lines, part.lines);
    add(rows.malformed, part.malformed);
    using Both = std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>;
    rows.storage = rows.storage ? std::make_shared<Both>(part.storage, rows.storage) : part.storage;
  }

  std::string wrong_width(const arrow::csv::InvalidRow& row) const {
    std::string text(row.text);
    if (separator_.size() > 1) {
      std::string restored;
      for (const char c : text) restored += c == kUnitSeparator ? separator_ : std::string(1, c);
      text = restored;
    }
    return "expected " + std::to_string(row.expected_columns) + " values separated by " +
           shown_separator(separator_) + ", got " + std::to_string(row.actual_columns) + ": '" +
           excerpt(first_line_of(text)) + "'";
  }

  std::string bad_quotes(std::string_view text, const arrow::Status& status) const {
    if (status.IsCapacityError()) return "expected less than 2 GiB with 'quoted_newlines'";
    return "expected every quote to be closed on its line, got '" + excerpt(first_line_of(text)) +
           "' (see 'quoting' and 'quoted_newlines')";
  }

  FileOptions options_;
  std::string name_;
  std::string separator_;
  bool quoting_ = false;
  TextBlocks blocks_;
  TextBlock head_;
  std::vector<Column> columns_;
  std::vector<Selection> selection_;
  BlockPipeline pipeline_;  // the last: its threads use all of the above
};

}  // namespace

std::unique_ptr<TableReader> open_delimited(const FileOptions& options, const std::string& name,
                                            TextBlocks blocks, int num_threads) {
  return std::make_unique<DelimitedReader>(options, name, std::move(blocks), num_threads);
}

}  // namespace reckon
