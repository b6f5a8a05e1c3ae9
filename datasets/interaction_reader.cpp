#include <algorithm>
#include <cmath>
#include <future>
#include <limits>

#include "core/diagnostics.h"
#include "datasets/arrow_columns.h"
#include "datasets/data_schema.h"
#include "datasets/id_collector.h"
#include "datasets/rows.h"
#include "datasets/table_reader.h"

namespace reckon {
namespace {

constexpr size_t kLinesShown = 5;
constexpr size_t kMaxEventNames = 256;

/// Counts what is passed over, and remembers where the first of it stood.
class Tally {
 public:
  explicit Tally(std::string name) : name_(std::move(name)) {}

  void add(const std::string& path, int64_t line) {
    if (++count_ <= kLinesShown) places_.push_back(path + ":" + std::to_string(line));
  }
  void add_silently() { ++count_; }

  CleaningStep step() const {
    std::string detail;
    if (!places_.empty()) {
      detail = "first: " + join(places_);
      if (count_ > kLinesShown) detail += ", ...";
    }
    return {name_, static_cast<int64_t>(count_), detail};
  }

 private:
  std::string name_;
  size_t count_ = 0;
  std::vector<std::string> places_;
};

/// A value filter, bound to the columns of the blocks that it looks at.
class BoundFilter {
 public:
  BoundFilter(const ValueFilter& filter, size_t number) : filter_(filter) {
    const auto bound = [&](const std::string& text, const char* key, Limit& limit) {
      if (text.empty()) return;
      limit.is_set = true;
      limit.is_number = parse_number(text, limit.number);
      if (!limit.is_number && !parse_time(text, false, true, limit.time))
        throw DataError("data", 0,
                        "cleaning.filters[" + std::to_string(number) + "]." + key +
                            ": expected a number or an ISO date, got '" + text + "'");
    };
    bound(filter.at_least, "at_least", at_least_);
    bound(filter.at_most, "at_most", at_most_);
    if (filter.equals) accepted_.push_back(*filter.equals);
    accepted_.insert(accepted_.end(), filter.one_of.begin(), filter.one_of.end());
    for (const auto& text : accepted_) {
      double number = 0;
      if (parse_number(text, number)) accepted_numbers_.push_back(number);
    }
  }

  void select(const std::vector<TableReader::Column>& columns, const std::string& path,
              std::vector<TableReader::Selection>& selection) {
    const auto column = require_column(columns, filter_.column, path, "cleaning.filters");
    const auto want = [&](ColumnType type) {
      selection.push_back({column, type});
      return selection.size() - 1;
    };
    if (!accepted_.empty()) text_place_ = want(ColumnType::kText);
    if (at_least_.is_set)
      at_least_.place = want(at_least_.is_number ? ColumnType::kNumber : ColumnType::kTimestamp);
    if (at_most_.is_set)
      at_most_.place = want(at_most_.is_number ? ColumnType::kNumber : ColumnType::kTimestamp);
  }

  /// The place in the blocks of a column that is compared with a date, or -1.
  int place_of_date() const {
    for (const auto* limit : {&at_least_, &at_most_})
      if (limit->is_set && !limit->is_number) return static_cast<int>(limit->place);
    return -1;
  }

  bool holds(const RowBlock& block, size_t row) const {
    if (at_least_.is_set && !(at_least_.compare(block, row) >= 0)) return false;
    if (at_most_.is_set && !(at_most_.compare(block, row) <= 0)) return false;
    if (accepted_.empty()) return true;
    const auto& values = block.columns[text_place_];
    if (values.is_missing[row] != 0) return false;
    const auto text = values.text[row];
    if (std::find(accepted_.begin(), accepted_.end(), text) != accepted_.end()) return true;
    double number = 0;
    return !accepted_numbers_.empty() && parse_number(text, number) &&
           std::find(accepted_numbers_.begin(), accepted_numbers_.end(), number) !=
               accepted_numbers_.end();
  }

 private:
  struct Limit {
    bool is_set = false;
    bool is_number = false;
    double number = 0;
    Instant time;
    size_t place = 0;

    // Below, at or above the limit: -1, 0, 1; not a number where there is no value.
    double compare(const RowBlock& block, size_t row) const {
      const auto& values = block.columns[place];
      if (values.is_missing[row] != 0) return std::numeric_limits<double>::quiet_NaN();
      if (is_number) return (values.numbers[row] > number) - (values.numbers[row] < number);
      const auto instant = values.instant(row);
      return (instant > time) - (instant < time);
    }
  };

  ValueFilter filter_;
  Limit at_least_, at_most_;
  std::vector<std::string> accepted_;
  std::vector<double> accepted_numbers_;
  size_t text_place_ = 0;
};

Instant time_limit(const std::string& text, const char* key, int64_t otherwise) {
  Instant value{otherwise, 0};
  if (!text.empty() && !parse_time(text, true, true, value))
    throw DataError("data", 0,
                    std::string("cleaning.time.") + key +
                        ": expected a number or an ISO date, got '" + text + "'");
  return value;
}

/// Reads files of interactions one after another into one set of rows.
class InteractionReader {
 public:
  InteractionReader(const DataOptions& options, int num_threads)
      : options_(options), cleaning_(options.cleaning), num_threads_(num_threads) {
    from_ = time_limit(cleaning_.time.from, "from", std::numeric_limits<int64_t>::min());
    until_ = time_limit(cleaning_.time.until, "until", std::numeric_limits<int64_t>::max());
    has_time_range_ = !cleaning_.time.from.empty() || !cleaning_.time.until.empty();
    if (is_date(cleaning_.time.from) || is_date(cleaning_.time.until))
      compares_dates_ = "cleaning.time";
    else if (options.split && options.split.build()->compares_dates())
      compares_dates_ = "split";
    for (size_t i = 0; i < cleaning_.filters.size(); ++i) {
      filters_.emplace_back(cleaning_.filters[i], i);
      filter_tallies_.emplace_back("filter on " + cleaning_.filters[i].column);
    }
    for (const auto& [name, weight] : cleaning_.events.weights) event_of(name);
    for (const auto& name : cleaning_.events.keep) event_of(name);
  }

  void read(const FileOptions& file, Origin origin) {
    const auto path = options_.resolve(file.path);
    origin_ = static_cast<uint8_t>(origin);
    if (format_of(file) == FileFormat::kSequences) {
      read_sequences(file, path);
    } else {
      read_table(open_table(file, path, num_threads_), file, path);
    }
    is_first_file_ = false;
  }

  ReadResult take() {
    scale_times();
    out_.rows.users = users_.take();
    out_.rows.items = items_.take();
    const auto add = [&](const Tally& tally) {
      if (tally.step().removed > 0) out_.steps.push_back(tally.step());
    };
    add(malformed_);
    add(missing_);
    add(empty_lines_);
    if (!cleaning_.events.keep.empty()) out_.steps.push_back(events_.step());
    for (const auto& tally : filter_tallies_) out_.steps.push_back(tally.step());
    if (has_time_range_) out_.steps.push_back(time_range_.step());
    if (cleaning_.implicit_from) out_.steps.push_back(ratings_.step());
    return std::move(out_);
  }

  void read_text(const FileOptions& file, std::string_view text) {
    constexpr size_t kBlockSize = size_t{1} << 16;
    if (format_of(file) == FileFormat::kSequences)
      read_lines(TextBlocks(text, file.path, kBlockSize), file, file.path);
    else
      read_table(open_delimited_text(file, text, file.path), file, file.path);
  }

 private:
  void read_lines(TextBlocks blocks, const FileOptions& file, const std::string& name) {
    require_same_columns(name, {});
    TextBlock block;
    while (blocks.next(block)) read_sequence_block(block, file, name);
  }

  void malformed(const std::string& path, const MalformedRow& row) {
    if (cleaning_.malformed == CleaningOptions::Malformed::kRefuse)
      throw DataError(path, row.line, row.what,
                      "'cleaning: {malformed: skip}' counts such rows and goes on");
    malformed_.add(path, row.line);
  }

  void missing(const std::string& path, int64_t line, const std::string& column) {
    if (cleaning_.missing == CleaningOptions::Missing::kRefuse)
      throw DataError(path, line, "no value in column '" + column + "'",
                      "'cleaning: {missing: drop}' counts such rows and goes on");
    missing_.add(path, line);
  }

  uint8_t event_of(std::string_view name) {
    const auto known = event_ids_.find(name);
    if (known >= 0) return static_cast<uint8_t>(known);
    if (event_ids_.size() == kMaxEventNames) return 0;
    out_.rows.event_names.emplace_back(name);
    return static_cast<uint8_t>(event_ids_.add(name));
  }

  // --- tables

  void read_table(std::unique_ptr<TableReader> table, const FileOptions& file,
                  const std::string& path) {
    const auto roles = resolve_roles(table->columns(), file.roles, path);
    std::vector<TableReader::Selection> selection;
    std::vector<std::string> names;
    const auto want = [&](const std::optional<size_t>& column, ColumnType type) -> int {
      if (!column) return -1;
      selection.push_back({*column, type});
      names.push_back(table->columns()[*column].name);
      return static_cast<int>(selection.size()) - 1;
    };
    places_.user = want(roles.user, ColumnType::kText);
    places_.item = want(roles.item, ColumnType::kText);
    for (auto& selected : selection) selected.is_id = true;
    places_.rating = want(roles.rating, ColumnType::kNumber);
    places_.time = want(roles.timestamp, ColumnType::kTimestamp);
    places_.event = want(roles.event, ColumnType::kText);
    places_.weight = want(roles.weight, ColumnType::kNumber);
    require_same_columns(path, roles);
    for (auto& filter : filters_) filter.select(table->columns(), path, selection);
    table->select(selection);
    RowBlock block;
    while (table->next(block)) {
      for (const auto& row : block.malformed) malformed(path, row);
      out_.num_read += static_cast<int64_t>(block.size() + block.malformed.size());
      require_units(block, path);
      number_ids(block);
      for (size_t row = 0; row < block.size(); ++row) add_row(block, row, names, path);
    }
  }

  // Also numbers the ids of rows that turn out to be passed over; only those of rows that stay are
  // numbered again in the end.
  void number_ids(const RowBlock& block) {
    const auto number = [&block](int place, IdCollector& collector, std::vector<int32_t>& ids) {
      collector.add(block.columns[static_cast<size_t>(place)], block.size(), ids);
    };
    constexpr size_t kWorthAThread = 4096;
    if (num_threads_ < 2 || block.size() < kWorthAThread) {
      number(places_.user, users_, user_ids_);
      return number(places_.item, items_, item_ids_);
    }
    auto items = std::async(std::launch::async, [&] { number(places_.item, items_, item_ids_); });
    number(places_.user, users_, user_ids_);
    items.get();
  }

  void require_same_columns(const std::string& path, const Roles& roles) {
    const auto require = [&](bool has, const char* what) {
      if (!has) throw DataError(path, 1, std::string("cleaning.") + what + " column");
    };
    require(!cleaning_.implicit_from || roles.rating, "implicit_from: there is no rating");
    require(!has_time_range_ || roles.timestamp, "time: there is no timestamp");
    require((cleaning_.events.keep.empty() && cleaning_.events.weights.empty()) || roles.event,
            "events: there is no event");
    if (!is_first_file_ && !roles.has_same_parts(first_roles_))
      throw DataError(
          path, 0, "has other columns (rating, timestamp, event, weight) than the files before it");
    if (is_first_file_) first_roles_ = roles;
    has_weights_ = roles.weight || !cleaning_.events.weights.empty();
  }

  // Labels and weights are kept as float32.
  static bool fits(double value) { return std::abs(value) <= std::numeric_limits<float>::max(); }

  static std::string name_of(int place, const std::vector<std::string>& names) {
    return place < 0 ? "cleaning.events.weights" : names[static_cast<size_t>(place)];
  }

  void add_row(const RowBlock& block, size_t row, const std::vector<std::string>& names,
               const std::string& path) {
    for (size_t i = 0; i < names.size(); ++i)
      if (block.columns[i].is_missing[row] != 0) return missing(path, block.lines[row], names[i]);

    double weight = 1.0;
    uint8_t event = 0;
    if (places_.event >= 0) {
      const auto name = block.columns[static_cast<size_t>(places_.event)].text[row];
      const auto& keep = cleaning_.events.keep;
      if (!keep.empty() && std::find(keep.begin(), keep.end(), name) == keep.end())
        return events_.add_silently();
      event = event_of(name);
      if (event_ids_.find(name) < 0)
        throw DataError(path, block.lines[row],
                        "more than 256 kinds of events, the next is '" + excerpt(name) + "'");
      const auto& weights = cleaning_.events.weights;
      if (!weights.empty()) {
        const auto found = weights.find(std::string(name));
        if (found != weights.end()) weight = found->second;
      }
    }
    if (places_.weight >= 0)
      weight *= block.columns[static_cast<size_t>(places_.weight)].numbers[row];
    if (!fits(weight) || weight < 0)
      return malformed(path, {block.lines[row],
                              name_of(places_.weight, names) +
                                  ": expected a weight of at least 0 and at most 3.4e38, got '" +
                                  number_text(weight) + "'"});
    const auto rating =
        places_.rating < 0 ? 0.0 : block.columns[static_cast<size_t>(places_.rating)].numbers[row];
    if (!fits(rating))
      return malformed(path, {block.lines[row], name_of(places_.rating, names) +
                                                    ": expected a number of at most 3.4e38, got '" +
                                                    number_text(rating) + "'"});
    for (size_t i = 0; i < filters_.size(); ++i)
      if (!filters_[i].holds(block, row)) return filter_tallies_[i].add_silently();
    auto& rows = out_.rows;
    Instant time;
    if (places_.time >= 0) {
      time = block.columns[static_cast<size_t>(places_.time)].instant(row);
      if (time < from_ || time >= until_) return time_range_.add_silently();
    }
    if (places_.rating >= 0) {
      if (cleaning_.implicit_from && rating < *cleaning_.implicit_from)
        return ratings_.add_silently();
      if (!cleaning_.implicit_from) rows.label.push_back(static_cast<float>(rating));
    }
    if (places_.time >= 0) add_time(time);
    if (places_.event >= 0) rows.event.push_back(event);
    if (has_weights_) rows.weight.push_back(static_cast<float>(weight));
    rows.user.push_back(user_ids_[row]);
    rows.item.push_back(item_ids_[row]);
    rows.origin.push_back(origin_);
  }

  void add_time(Instant time) {
    auto& times = out_.rows.time;
    if (time.billionths != 0 && billionths_.empty()) billionths_.assign(times.size(), 0);
    times.push_back(time.whole);
    if (!billionths_.empty() || time.billionths != 0) billionths_.push_back(time.billionths);
  }

  // A date says nothing of a number that cannot be seconds.
  void require_units(const RowBlock& block, const std::string& path) const {
    const auto require = [&](int place, const std::string& option) {
      if (place < 0) return;
      const auto line = block.columns[static_cast<size_t>(place)].line_beyond_seconds;
      if (line == 0) return;
      throw DataError(
          path, line,
          option + " compares times with a date, but the number here is too large for seconds",
          "give the file's 'timestamp_unit: ms' (or us, ns)");
    };
    if (!compares_dates_.empty()) require(places_.time, compares_dates_);
    for (size_t i = 0; i < filters_.size(); ++i)
      require(filters_[i].place_of_date(), "cleaning.filters[" + std::to_string(i) + "]");
  }

  // One integer for each time: the coarsest scale that tells all of them apart, or as fine as fits.
  void scale_times() {
    if (billionths_.empty()) return;
    auto& rows = out_.rows;
    int64_t largest = 1;
    for (const auto time : rows.time) largest = std::max(largest, time < 0 ? -(time + 1) : time);
    constexpr int64_t kBillion = 1000000000;
    const auto is_exact = [this](int64_t scale) {
      const auto step = static_cast<int32_t>(kBillion / scale);
      return std::all_of(billionths_.begin(), billionths_.end(),
                         [step](int32_t value) { return value % step == 0; });
    };
    int64_t scale = 1;
    while (scale < kBillion && !is_exact(scale) &&
           largest < std::numeric_limits<int64_t>::max() / (scale * 1000) - 1)
      scale *= 1000;
    for (size_t row = 0; row < rows.time.size(); ++row)
      rows.time[row] = rows.time[row] * scale + billionths_[row] / (kBillion / scale);
    rows.time_scale = scale;
  }

  // --- sequences

  void read_sequences(const FileOptions& file, const std::string& path) {
    if (!cleaning_.filters.empty())
      throw DataError(path, 1, "cleaning.filters: format 'sequences' has no columns");
    TextBlocks blocks(path, file.encoding);
    const auto before = out_.num_read;
    read_lines(std::move(blocks), file, path);
    if (out_.num_read == before) throw DataError(path, 0, "holds no interactions");
  }

  void read_sequence_block(const TextBlock& block, const FileOptions& file,
                           const std::string& path) {
    const bool checks_lines = !is_utf8(block.text);
    auto line_number = block.first_line;
    for (auto rest = block.text; !rest.empty(); ++line_number) {
      const auto end = std::min(rest.find('\n'), rest.size());
      auto line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (checks_lines && !is_utf8(line)) {
        ++out_.num_read;
        malformed(path, {line_number, "expected text in UTF-8, got '" + excerpt(line) + "'"});
        continue;
      }
      if (file.separator.empty())
        read_line_at_spaces(line, path, line_number);
      else
        read_line_at(line, file.separator, path, line_number);
    }
    // The items of a block are numbered together: their lookups wait for memory together.
    auto& items = out_.rows.item;
    items_.add(tokens_, tokens_.text.size(), item_ids_);
    items.insert(items.end(), item_ids_.begin(), item_ids_.end());
    tokens_.text.clear();
  }

  void add_item(int32_t user, std::string_view item) {
    auto& rows = out_.rows;
    rows.user.push_back(user);
    tokens_.text.push_back(item);
    rows.origin.push_back(origin_);
    ++out_.num_read;
  }

  // A user of whom the file says nothing is no interaction, but must not vanish unseen.
  void add_empty_line(const std::string& path, int64_t line_number) {
    ++out_.num_read;
    empty_lines_.add(path, line_number);
  }

  void read_line_at_spaces(std::string_view line, const std::string& path, int64_t line_number) {
    constexpr auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    const auto before = out_.num_read;
    const char* p = line.data();
    const char* end = p + line.size();
    int32_t user = -1;
    for (;;) {
      while (p < end && is_space(*p)) ++p;
      if (p == end) break;
      const char* begin = p;
      while (p < end && !is_space(*p)) ++p;
      const std::string_view token(begin, static_cast<size_t>(p - begin));
      if (user < 0)
        user = users_.add(token);
      else
        add_item(user, token);
    }
    if (user >= 0 && out_.num_read == before) add_empty_line(path, line_number);
  }

  void read_line_at(std::string_view line, const std::string& separator, const std::string& path,
                    int64_t line_number) {
    if (line.empty()) return;
    const auto before = out_.num_read;
    int32_t user = -1;
    for (size_t begin = 0; begin <= line.size();) {
      const auto end = std::min(line.find(separator, begin), line.size());
      const auto token = line.substr(begin, end - begin);
      begin = end + separator.size();
      if (token.empty()) {
        ++out_.num_read;
        missing(path, line_number, user < 0 ? "user" : "item");
        if (user < 0) return;
      } else if (user < 0) {
        user = users_.add(token);
      } else {
        add_item(user, token);
      }
    }
    if (out_.num_read == before) add_empty_line(path, line_number);
  }

  struct Places {
    int user = -1, item = -1, rating = -1, time = -1, event = -1, weight = -1;
  };

  const DataOptions& options_;
  const CleaningOptions& cleaning_;
  int num_threads_;
  ReadResult out_;
  IdCollector users_, items_;
  std::vector<int32_t> user_ids_, item_ids_;  // of the block at hand
  ColumnValues tokens_;                       // items of the block at hand of a sequence file
  Places places_;
  Roles first_roles_;
  bool is_first_file_ = true;
  bool has_weights_ = false;
  uint8_t origin_ = 0;
  IdMap event_ids_;
  Instant from_, until_;
  std::string compares_dates_;  // the option that needs to know the unit of times; may be empty
  std::vector<int32_t> billionths_;  // of out_.rows.time; empty while there are none but zeros
  bool has_time_range_ = false;
  std::vector<BoundFilter> filters_;
  Tally malformed_{"malformed rows"}, missing_{"missing values"},
      empty_lines_{"users without items"}, events_{"event kinds"}, time_range_{"time range"},
      ratings_{"ratings below the threshold"};
  std::vector<Tally> filter_tallies_;
};

}  // namespace

ReadResult read_interactions(const DataOptions& options, int num_threads) {
  InteractionReader reader(options, num_threads);
  for (const auto& file : options.files.interactions) reader.read(file, Origin::kInteractions);
  for (const auto& file : options.files.validation) reader.read(file, Origin::kValidation);
  for (const auto& file : options.files.test) reader.read(file, Origin::kTest);
  return reader.take();
}

ReadResult read_interactions_text(const DataOptions& options, std::string_view text) {
  InteractionReader reader(options, 1);
  reader.read_text(options.files.interactions.files.at(0), text);
  return reader.take();
}

}  // namespace reckon
