#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "core/diagnostics.h"
#include "datasets/data_options.h"
#include "datasets/rows.h"

namespace reckon {
namespace {

using Names = std::vector<std::string>;

/// Decisions by the first bytes of an input, one each, so that the search reaches every way of reading
/// from one corpus. '0' takes the first choice, '1' the second, ...; so do bytes that are missing.
class Decisions {
 public:
  explicit Decisions(std::string_view input) : rest_(input) {}

  template <class T>
  T among(std::initializer_list<T> choices) {
    const auto byte = rest_.empty() ? '0' : rest_.front();
    rest_.remove_prefix(rest_.empty() ? 0 : 1);
    return *(choices.begin() + static_cast<unsigned char>(byte - '0') % choices.size());
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

FileOptions decide_file(Decisions& decide) {
  FileOptions file;
  file.path = "fuzz.tsv";
  file.format = decide.among({FileFormat::kDelimited, FileFormat::kSequences});
  file.separator = decide.among<std::string>({"", "\t", ",", ";", "::", " "});
  file.header = decide.among<std::optional<bool>>({std::nullopt, true, false});
  file.columns = decide.among<Names>({{},
                                      {"user", "item"},
                                      {"user", "item", "rating", "timestamp"},
                                      {"event", "item", "user", "weight", "timestamp", "rating"},
                                      {"user", "user"},
                                      {""}});
  file.types = decide.among<std::map<std::string, ColumnType>>(
      {{},
       {{"rating", ColumnType::kInteger}},
       {{"rating", ColumnType::kNumber}, {"timestamp", ColumnType::kTimestamp}},
       {{"user", ColumnType::kInteger}, {"item", ColumnType::kText}},
       {{"timestamp", ColumnType::kText}, {"weight", ColumnType::kTimestamp}},
       {{"nowhere", ColumnType::kNumber}}});
  file.encoding = decide.among({Encoding::kUtf8, Encoding::kLatin1});
  file.quoting = decide.among<std::optional<bool>>({std::nullopt, true, false});
  file.quoted_newlines = decide.among({false, true});
  file.missing_values = decide.among<Names>({{""}, {}, {"", "NA", "0"}});
  file.roles = decide.among<RoleOptions>({{},
                                          {.user = "column_1", .item = "column_2"},
                                          {.user = "user", .item = "user"},
                                          {.user = "item", .item = "rating", .rating = "user"}});
  file.timestamp_unit = decide.among<std::optional<TimeUnit>>(
      {std::nullopt, TimeUnit::kSeconds, TimeUnit::kNanoseconds});
  return file;
}

CleaningOptions decide_cleaning(Decisions& decide) {
  CleaningOptions cleaning;
  cleaning.malformed =
      decide.among({CleaningOptions::Malformed::kSkip, CleaningOptions::Malformed::kRefuse});
  cleaning.missing =
      decide.among({CleaningOptions::Missing::kDrop, CleaningOptions::Missing::kRefuse});
  cleaning.filters = decide.among<std::vector<ValueFilter>>(
      {{},
       {{.column = "item", .one_of = {"a", "1"}}},
       {{.column = "timestamp", .at_least = "2001-01-01", .at_most = "2020-01-01T00:00:00Z"}},
       {{.column = "rating", .at_least = "2"}, {.column = "rating", .equals = "3"}}});
  cleaning.time =
      decide.among<TimeRange>({{}, {.from = "10"}, {.from = "1999-12-31", .until = "2001-01-01"}});
  cleaning.implicit_from = decide.among<std::optional<double>>({std::nullopt, 3.0});
  cleaning.events = decide.among<EventOptions>(
      {{}, {.keep = {"buy"}}, {.weights = {{"view", 0.5}, {"buy", 2.0}}}});
  return cleaning;
}

template <class Column>
void check_filled(const Column& column, size_t num_rows) {
  if (!column.empty() && column.size() != num_rows) std::abort();
}

}  // namespace
}  // namespace reckon

/// Any text is interactions with a value for each row in every column, or it is refused with a
/// DataError; whatever the file is said to be and whatever is forgiven.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reckon;
  Decisions decide({reinterpret_cast<const char*>(data), size});
  DataOptions options;
  const auto file = decide_file(decide);
  options.files.interactions.files = {file};
  options.cleaning = decide_cleaning(decide);
  std::string text(decide.rest());
  // Text in memory is UTF-8 by then; a file is converted on the way.
  if (file.encoding == Encoding::kLatin1) text = utf8_from_latin1(text);
  try {
    const auto result = read_interactions_text(options, text);
    const auto& rows = result.rows;
    if (rows.user.size() != rows.item.size()) std::abort();
    check_filled(rows.label, rows.size());
    if (result.num_read < static_cast<int64_t>(rows.size())) std::abort();
    check_filled(rows.label, rows.size());
    check_filled(rows.time, rows.size());
    check_filled(rows.weight, rows.size());
    check_filled(rows.event, rows.size());
    check_filled(rows.origin, rows.size());
    for (const auto user : rows.user)
      if (user < 0 || user >= rows.users.size()) std::abort();
    for (const auto item : rows.item)
      if (item < 0 || item >= rows.items.size()) std::abort();
    for (const auto event : rows.event)
      if (event >= rows.event_names.size()) std::abort();
  } catch (const DataError&) {
  } catch (const ConfigError&) {
  }
  return 0;
}
