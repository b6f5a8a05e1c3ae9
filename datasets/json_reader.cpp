#include <arrow/api.h>
#include <arrow/json/options.h>
#include <arrow/json/reader.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "datasets/arrow_columns.h"
#include "datasets/readers.h"

namespace reckon {
namespace {

using Json = nlohmann::json;

/// Takes lines off a text, with their numbers; blank ones are passed over.
class Lines {
 public:
  Lines(std::string_view text, int64_t first_line) : rest_(text), next_line_(first_line) {}

  bool next(std::string_view& line, int64_t& number) {
    while (!rest_.empty()) {
      const auto end = std::min(rest_.find('\n'), rest_.size());
      line = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      number = next_line_++;
      if (line.find_first_not_of(" \t\r") != std::string_view::npos) return true;
    }
    return false;
  }

 private:
  std::string_view rest_;
  int64_t next_line_;
};

class JsonLinesReader : public TableReader {
 public:
  JsonLinesReader(const FileOptions& options, const std::string& path, int num_threads)
      : options_(options),
        path_(path),
        blocks_(path, options.encoding),
        pipeline_([this](TextBlock& block) { return next_text(block); },
                  [this](const TextBlock& block) { return parse(block); }, num_threads) {
    read_head();
  }

  const std::vector<Column>& columns() const override { return columns_; }
  void select(std::vector<Selection> selection) override { selection_ = std::move(selection); }
  bool next(RowBlock& block) override { return pipeline_.next(block); }

 private:
  void read_head() {
    std::vector<std::string> names;
    if (!blocks_.next(head_)) throw DataError(path_, 0, "is empty");
    Lines lines(head_.text, head_.first_line);
    std::string_view line;
    int64_t number = 0;
    // All rows of the first block: a key that few rows have is a column like any other.
    while (lines.next(line, number)) {
      const auto object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!object.is_object()) continue;
      for (const auto& [key, value] : object.items()) {
        const auto place =
            static_cast<size_t>(std::find(names.begin(), names.end(), key) - names.begin());
        if (place == names.size()) {
          names.push_back(key);
          kinds_.push_back(nullptr);
        }
        if (kinds_[place] == nullptr && !value.is_null()) kinds_[place] = kind_of(value);
      }
    }
    if (names.empty())
      throw DataError(path_, head_.first_line,
                      "expected one JSON object in each line, got '" +
                          excerpt(head_.text.substr(0, head_.text.find('\n'))) + "'");
    columns_ = declared_columns(options_, path_, names);
    for (size_t i = 0; i < names.size(); ++i) columns_[i].name = names[i];
  }

  static std::shared_ptr<arrow::DataType> kind_of(const Json& value) {
    if (value.is_string()) return arrow::utf8();
    if (value.is_number_integer()) return arrow::int64();
    return arrow::float64();
  }

  // A double cannot tell integers beyond 2^53 apart, and ids may be such integers; a column without
  // any value in the head may turn out to hold them.
  bool may_lose_digits(const Selection& selection) const {
    const auto& kind = kinds_[selection.column];
    return kind == nullptr ||
           (kind->id() == arrow::Type::DOUBLE && selection.type == ColumnType::kText);
  }

  bool next_text(TextBlock& block) {
    if (head_.text.data() == nullptr) return blocks_.next(block);
    block = std::exchange(head_, TextBlock{});
    return true;
  }

  RowBlock parse(const TextBlock& text) const {
    RowBlock rows;
    if (parse_fast(text, rows)) return rows;
    return parse_line_by_line(text);
  }

  // Arrow reads a block whose columns keep the kind that they have in the head of the file.
  bool parse_fast(const TextBlock& text, RowBlock& rows) const {
    if (std::any_of(selection_.begin(), selection_.end(),
                    [this](const auto& selection) { return may_lose_digits(selection); }))
      return false;
    Lines lines(text.text, text.first_line);
    std::string_view line;
    int64_t number = 0;
    while (lines.next(line, number)) rows.lines.push_back(number);
    if (rows.lines.empty()) return true;

    auto options = arrow::json::ParseOptions::Defaults();
    options.unexpected_field_behavior = arrow::json::UnexpectedFieldBehavior::Ignore;
    arrow::FieldVector fields;
    std::vector<size_t> field_of;
    for (const auto& [column, type, is_id] : selection_) {
      const auto name = columns_[column].name;
      const auto same = [&name](const auto& field) { return field->name() == name; };
      const auto found = std::find_if(fields.begin(), fields.end(), same);
      field_of.push_back(static_cast<size_t>(found - fields.begin()));
      if (found == fields.end()) fields.push_back(arrow::field(name, kinds_[column]));
    }
    options.explicit_schema = arrow::schema(fields);
    const auto buffer =
        std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(text.text.data()),
                                        static_cast<int64_t>(text.text.size()));
    const auto batch = arrow::json::ParseOne(options, buffer);
    if (!batch.ok() || (*batch)->num_rows() != static_cast<int64_t>(rows.lines.size()))
      return false;
    std::vector<uint8_t> is_bad(rows.size(), 0);
    rows.columns.resize(selection_.size());
    auto storage = std::make_shared<ArrowStorage>();
    for (size_t i = 0; i < selection_.size(); ++i) {
      const auto [column, type, is_id] = selection_[i];
      const auto place = (*batch)->schema()->GetFieldIndex(fields[field_of[i]]->name());
      ColumnWriter writer(rows, i, columns_[column], selection_[i], options_, is_bad);
      write_column(*(*batch)->column(place), type, writer, *storage);
    }
    drop_bad_rows(rows, is_bad);
    storage->batches.push_back(*batch);
    rows.storage = std::move(storage);
    return true;
  }

  RowBlock parse_line_by_line(const TextBlock& text) const {
    RowBlock rows;
    std::vector<Json> objects;
    std::vector<MalformedRow> malformed;
    Lines lines(text.text, text.first_line);
    std::string_view line;
    int64_t number = 0;
    while (lines.next(line, number)) {
      auto object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (object.is_object()) {
        rows.lines.push_back(number);
        objects.push_back(std::move(object));
      } else {
        malformed.push_back({number, "expected a JSON object, got '" + excerpt(line) + "'"});
      }
    }
    std::vector<uint8_t> is_bad(rows.size(), 0);
    rows.columns.resize(selection_.size());
    rows.malformed = std::move(malformed);
    auto storage = std::make_shared<ArrowStorage>();
    for (size_t i = 0; i < selection_.size(); ++i) {
      const auto column = selection_[i].column;
      ColumnWriter writer(rows, i, columns_[column], selection_[i], options_, is_bad);
      for (const auto& object : objects) {
        const auto found = object.find(columns_[column].name);
        if (found == object.end() || found->is_null())
          writer.add_missing();
        else if (found->is_string())
          writer.add_text(storage->keep(found->get<std::string>()));
        else if (found->is_number())
          writer.add_text(storage->keep(found->is_number_float() ? number_text(found->get<double>())
                                                                 : found->dump()));
        else
          writer.add_bad(found->dump());
      }
    }
    drop_bad_rows(rows, is_bad);
    rows.storage = std::move(storage);
    return rows;
  }

  FileOptions options_;
  std::string path_;
  TextBlocks blocks_;
  TextBlock head_;
  std::vector<Column> columns_;
  std::vector<std::shared_ptr<arrow::DataType>> kinds_;  // of each column, as in the head
  std::vector<Selection> selection_;
  BlockPipeline pipeline_;  // the last: its threads use all of the above
};

}  // namespace

std::unique_ptr<TableReader> open_json_lines(const FileOptions& options, const std::string& path,
                                             int num_threads) {
  return std::make_unique<JsonLinesReader>(options, path, num_threads);
}

}  // namespace reckon
