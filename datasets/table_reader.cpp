#include "datasets/table_reader.h"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/diagnostics.h"
#include "datasets/readers.h"

namespace reckon {
namespace {

std::string extension_of(const std::string& path) {
  std::filesystem::path name(path);
  if (name.extension() == ".gz") name = name.stem();
  return name.extension().string();
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Days from 1970-01-01 in the proleptic Gregorian calendar (Hinnant's civil-days formula).
int64_t days_since_epoch(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const auto era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = year - era * 400;
  const auto day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const auto day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

int days_in_month(int64_t year, int64_t month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && is_leap ? 29 : kDays[month - 1];
}

constexpr int64_t kBillion = 1000000000;

/// Takes digits and punctuation off the front of a date.
class DateScanner {
 public:
  explicit DateScanner(std::string_view text) : rest_(text) {}

  bool digits(size_t count, int64_t& value) {
    if (rest_.size() < count) return false;
    value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return false;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  bool any_of(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return false;
    last_ = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }
  char last() const { return last_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  char last_ = '\0';
};

// Takes the digits of a fraction off the front, as billionths.
bool parse_fraction(DateScanner& scan, int32_t& billionths) {
  int64_t digit = 0;
  if (!scan.digits(1, digit)) return false;
  int64_t value = 0, place = kBillion;
  do {
    place /= 10;
    value += digit * place;
  } while (scan.digits(1, digit));
  billionths = static_cast<int32_t>(value);
  return true;
}

bool parse_date(std::string_view text, Instant& value) {
  DateScanner scan(text);
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offset = 0;
  int32_t billionths = 0;
  if (!scan.digits(4, year) || !scan.any_of("-/") || !scan.digits(2, month) || !scan.any_of("-/") ||
      !scan.digits(2, day))
    return false;
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
  if (scan.any_of("T ")) {
    if (!scan.digits(2, hour) || !scan.any_of(":") || !scan.digits(2, minute)) return false;
    if (scan.any_of(":") && !scan.digits(2, second)) return false;
    if (scan.any_of(".,") && !parse_fraction(scan, billionths)) return false;
    if (hour > 23 || minute > 59 || second > 60) return false;
    if (!scan.any_of("Z") && scan.any_of("+-")) {
      const int64_t sign = scan.last() == '-' ? -1 : 1;
      int64_t hours = 0, minutes = 0;
      if (!scan.digits(2, hours)) return false;
      scan.any_of(":");
      if (!scan.at_end() && !scan.digits(2, minutes)) return false;
      offset = sign * (hours * 3600 + minutes * 60);
    }
  }
  if (!scan.at_end()) return false;
  value.whole =
      days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
  value.billionths = billionths;
  return true;
}

// Reads "-12.5" without a detour over binary fractions, which have no tenths.
bool parse_decimal(std::string_view text, Instant& value) {
  const auto point = text.find('.');
  DateScanner scan(text.substr(point + 1));
  int64_t whole = 0;
  int32_t billionths = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + point, whole);
  if (error != std::errc() || !parse_fraction(scan, billionths) || !scan.at_end()) return false;
  if (text.front() == '-' && billionths > 0) {
    if (whole == std::numeric_limits<int64_t>::min()) return false;
    value = {whole - 1, static_cast<int32_t>(kBillion - billionths)};
  } else {
    value = {whole, billionths};
  }
  return true;
}

}  // namespace

bool instant_of(double number, Instant& value) {
  constexpr double kBeyond = 9.2e18;
  if (!(std::abs(number) < kBeyond)) return false;
  const double whole = std::floor(number);
  value.whole = static_cast<int64_t>(whole);
  value.billionths = 0;
  if (whole == number) return true;
  // The decimal fraction that is meant is the shortest one that reads back as the number.
  char text[400];
  const auto result = std::to_chars(text, text + sizeof text, number, std::chars_format::fixed);
  return parse_decimal({text, static_cast<size_t>(result.ptr - text)}, value);
}

std::optional<FileFormat> known_format(const FileOptions& options) {
  if (options.format) return *options.format;
  const auto extension = extension_of(options.path);
  if (extension == ".jsonl" || extension == ".ndjson") return FileFormat::kJsonLines;
  if (extension == ".parquet") return FileFormat::kParquet;
  if (extension == ".feather" || extension == ".arrow") return FileFormat::kFeather;
  if (!separator_of(options).empty()) return FileFormat::kDelimited;
  return std::nullopt;
}

FileFormat format_of(const FileOptions& options) {
  if (const auto format = known_format(options)) return *format;
  throw DataError(options.path, 0,
                  "the extension '" + extension_of(options.path) +
                      "' does not say what is in the file",
                  "give 'format' (and 'separator' when it is delimited)");
}

std::string separator_of(const FileOptions& options) {
  if (!options.separator.empty()) return options.separator;
  const auto extension = extension_of(options.path);
  if (extension == ".csv") return ",";
  for (const char* tabbed : {".tsv", ".tab", ".inter", ".item", ".user"})
    if (extension == tabbed) return "\t";
  return "";
}

bool parse_number(std::string_view text, double& value) {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end && std::isfinite(value);
}

bool parse_time(std::string_view text, bool allow_number, bool allow_date, Instant& value) {
  text = trimmed(text);
  if (allow_number) {
    const auto* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value.whole);
    value.billionths = 0;
    if (error == std::errc() && stopped == end) return true;
    if (error == std::errc() && *stopped == '.' && parse_decimal(text, value)) return true;
    double number = 0;
    if (parse_number(text, number)) return instant_of(number, value);
  }
  return allow_date && parse_date(text, value);
}

bool is_date(std::string_view text) {
  Instant value;
  return parse_time(text, false, true, value);
}

std::unique_ptr<TableReader> open_table(const FileOptions& options, const std::string& path,
                                        int num_threads) {
  switch (format_of(options)) {
    case FileFormat::kDelimited:
      return open_delimited(options, path, TextBlocks(path, options.encoding), num_threads);
    case FileFormat::kJsonLines:
      return open_json_lines(options, path, num_threads);
    case FileFormat::kParquet:
      return open_parquet(options, path);
    case FileFormat::kFeather:
      return open_feather(options, path);
    case FileFormat::kSequences:
      break;
  }
  throw DataError(path, 0, "format 'sequences' has no columns",
                  "a table is delimited, json_lines, parquet or feather");
}

std::unique_ptr<TableReader> open_delimited_text(const FileOptions& options, std::string_view text,
                                                 const std::string& name) {
  return open_delimited(options, name, TextBlocks(text, name, size_t{1} << 16), 1);
}

}  // namespace reckon
