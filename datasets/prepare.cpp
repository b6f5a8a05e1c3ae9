#include "datasets/prepare.h"

#include <ATen/Parallel.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/files.h"
#include "core/format.h"
#include "core/grouping.h"
#include "datasets/catalog.h"
#include "datasets/cleaning.h"
#include "datasets/dataset_cache.h"
#include "datasets/graph_builder.h"
#include "datasets/hash.h"
#include "datasets/report.h"
#include "datasets/rows.h"
#include "datasets/table_loader.h"
#include "datasets/table_reader.h"

namespace reckon {
namespace {

constexpr auto kNone = int32_t{-1};

std::vector<const FileOptions*> files_of(const DataOptions& options) {
  std::vector<const FileOptions*> files;
  const auto& roles = options.files;
  for (const auto* role : {&roles.interactions, &roles.validation, &roles.test, &roles.items,
                           &roles.users, &roles.triples, &roles.links, &roles.friends})
    for (const auto& file : *role) files.push_back(&file);
  return files;
}

/// The state of the files at one moment, to notice that one changed while it was read.
class FileStates {
 public:
  explicit FileStates(const DataOptions& options) {
    for (const auto* file : files_of(options)) {
      const auto path = options.resolve(file->path);
      states_.push_back({path, state_of(path)});
    }
  }

  void require_unchanged() const {
    for (const auto& [path, state] : states_)
      if (state_of(path) != state) throw DataError(path, 0, "changed while it was read");
  }

 private:
  using State = std::array<int64_t, 3>;

  static State state_of(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return {};
    return {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }

  std::vector<std::pair<std::string, State>> states_;
};

std::filesystem::path directory_of(const DataOptions& options, const std::string& fingerprint) {
  return std::filesystem::path(options.cache) / fingerprint;
}

// Prepared data is named by its folder or by the file in it.
std::string prepared_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return path;
  return (std::filesystem::path(path) / "dataset.bin").string();
}

// Where the order of the rows stands in for times, a person may not have meant it.
std::vector<std::string> order_notes(const DataOptions& options, const Splitter& splitter,
                                     bool has_times) {
  if (has_times || !splitter.divides_by_order()) return {};
  for (const auto& file : options.files.interactions)
    if (format_of(file) != FileFormat::kSequences)
      return {
          "the files give no times: the split takes the order of their rows as the order in time"};
  return {};
}

// out[i] = value_of(rows[i]): waits for memory at each, on all cores.
template <class T, class ValueOf>
void gather(const std::vector<int32_t>& rows, T* out, const ValueOf& value_of) {
  run_stretches(static_cast<int64_t>(rows.size()), at::get_num_threads(),
                [&](int64_t begin, int64_t end) {
                  for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
                    out[i] = value_of(static_cast<size_t>(rows[i]));
                });
}

template <class T>
std::vector<T> gathered(const std::vector<T>& values, const std::vector<int32_t>& rows) {
  std::vector<T> out;
  if (values.empty()) return out;
  out.resize(rows.size());
  gather(rows, out.data(), [&values](size_t row) { return values[row]; });
  return out;
}

template <class T>
torch::Tensor gathered_tensor(const std::vector<T>& values, const std::vector<int32_t>& rows,
                              torch::ScalarType type) {
  if (values.empty()) return {};
  auto tensor = torch::empty({static_cast<int64_t>(rows.size())}, type);  // [E]
  gather(rows, tensor.data_ptr<T>(), [&values](size_t row) { return values[row]; });
  return tensor;
}

std::vector<uint8_t> splits_of_rows(const DataOptions& options, const Splitter& splitter,
                                    const Rows& rows, const RowOrder& order) {
  const bool has_held_out_files = !options.files.validation.empty() || !options.files.test.empty();
  const auto times =
      splitter.needs_times() ? gathered(rows.time, order.rows) : std::vector<int64_t>();
  const auto origins = has_held_out_files ? gathered(rows.origin, order.rows)
                                          : std::vector<uint8_t>(order.rows.size(), 0);
  return splitter.assign({.user_offsets = order.user_offsets,
                          .times = times,
                          .origins = origins,
                          .time_scale = rows.time_scale});
}

// The same of rows that pair_up() made: each pair is divided once, and both its rows go together, so that
// nothing in training tells what is held out.
std::vector<uint8_t> splits_of_pairs(const DataOptions& options, const Splitter& splitter,
                                     const Rows& rows, const RowOrder& order,
                                     std::vector<uint8_t> is_kept) {
  const size_t num_pairs = rows.size() / 2;
  std::fill(is_kept.begin() + static_cast<ptrdiff_t>(num_pairs), is_kept.end(), uint8_t{0});
  const auto one_way = order_rows(rows, is_kept);
  const auto parts = splits_of_rows(options, splitter, rows, one_way);
  std::vector<uint8_t> of_pair(num_pairs);
  for (size_t i = 0; i < parts.size(); ++i)
    of_pair[static_cast<size_t>(one_way.rows[i])] = parts[i];
  std::vector<uint8_t> splits;
  splits.reserve(order.rows.size());
  for (const auto row : order.rows) splits.push_back(of_pair[static_cast<size_t>(row) % num_pairs]);
  return splits;
}

/// Dense ids of what is left, in order of first appearance in the files; behind those that stood
/// before, if any.
struct Numbering {
  IdMap ids;
  std::vector<int32_t> dense_of;  ///< By the id while reading; kNone for what is gone.
  std::vector<int32_t>
      source_of;  ///< The id while reading, by dense id; kNone where it was not read.

  Numbering(const IdMap& source, const std::vector<int32_t>& column,
            const std::vector<uint8_t>& is_kept, const IdMap& before)
      : ids(before),
        dense_of(static_cast<size_t>(source.size()), kNone),
        source_of(static_cast<size_t>(before.size()), kNone) {
    for (int64_t dense = 0; dense < before.size(); ++dense) {
      const auto read = source.find(before.raw(dense));
      if (read < 0) continue;
      dense_of[static_cast<size_t>(read)] = static_cast<int32_t>(dense);
      source_of[static_cast<size_t>(dense)] = static_cast<int32_t>(read);
    }
    for (size_t row = 0; row < column.size(); ++row) {
      if (is_kept[row] == 0) continue;
      auto& dense = dense_of[static_cast<size_t>(column[row])];
      if (dense != kNone) continue;
      dense = static_cast<int32_t>(ids.add(source.raw(column[row])));
      source_of.push_back(column[row]);
    }
  }

  /// Numbers an id that no row has, unless it is numbered.
  void add_without_rows(const std::string& raw) {
    if (ids.find(raw) >= 0) return;
    ids.add(raw);
    source_of.push_back(kNone);
  }
};

Dataset build_dataset(const DataOptions& options, const std::string& fingerprint) {
  auto read = read_interactions(options);
  auto& rows = read.rows;
  PreparationFacts facts;
  facts.num_read = read.num_read;
  facts.steps = std::move(read.steps);
  if (options.mutual)
    for (auto& step : pair_up(rows)) facts.steps.push_back(std::move(step));
  std::vector<uint8_t> is_kept(rows.size(), 1);

  // The files hold pairs, and of each there are two rows.
  const auto of_files = [&options](int64_t num_rows) {
    return options.mutual ? num_rows / 2 : num_rows;
  };
  const auto& cleaning = options.cleaning;
  if (cleaning.linked_items)
    facts.steps.push_back(
        {"items without a link", remove_other_items(rows, linked_items(options), is_kept), ""});
  auto order = order_rows(rows, is_kept);
  if (cleaning.duplicates != CleaningOptions::Duplicates::kKeepAll)
    facts.steps.push_back(
        {"duplicates", remove_duplicates(rows, order, cleaning.duplicates, is_kept), ""});
  const auto is_open = [](const CountRange& range) {
    return range.at_least == 0 && !range.at_most;
  };
  if (!is_open(cleaning.counts.users) || !is_open(cleaning.counts.items))
    facts.steps.push_back(
        {"counts", of_files(remove_by_counts(rows, cleaning.counts, is_kept)), ""});
  if (cleaning.k_core.users > 1 || cleaning.k_core.items > 1) {
    int64_t rounds = 0;
    const auto removed = remove_outside_core(rows, cleaning.k_core, is_kept, rounds);
    facts.steps.push_back(
        {"k-core", of_files(removed), "after " + std::to_string(rounds) + " rounds"});
  }
  if (order.rows.size() !=
      static_cast<size_t>(std::count(is_kept.begin(), is_kept.end(), uint8_t{1})))
    drop_rows(order, is_kept);

  const auto splitter =
      options.split ? options.split.build()
                    : std::make_shared<LeaveOneOut>(LeaveOneOut::Options(), Splitter::Deps());
  const auto splits = options.mutual ? splits_of_pairs(options, *splitter, rows, order, is_kept)
                                     : splits_of_rows(options, *splitter, rows, order);
  facts.notes = order_notes(options, *splitter, rows.has_times());
  if (options.mutual)
    facts.notes.push_back("each pair of users counts both ways, as two interactions");
  int64_t num_left_out = 0;
  for (size_t i = 0; i < splits.size(); ++i) {
    if (splits[i] != Splitter::kLeftOut) continue;
    is_kept[static_cast<size_t>(order.rows[i])] = 0;
    ++num_left_out;
  }
  if (num_left_out > 0)
    facts.steps.push_back({"left out by the split", of_files(num_left_out), ""});
  if (num_left_out == static_cast<int64_t>(splits.size())) {
    std::string steps;
    for (const auto& step : facts.steps)
      if (step.removed > 0) steps += "; " + step.name + " removed " + format_count(step.removed);
    throw DataError(options.resolve(options.files.interactions.files.at(0).path), 0,
                    "nothing is left of " + format_count(facts.num_read) + " rows" + steps);
  }

  const auto before =
      options.ids_from.empty() ? DatasetIds() : read_dataset_ids(prepared_file(options.ids_from));
  const Numbering users(rows.users, rows.user, is_kept, before.users);
  if (options.mutual && before.items.to_vector() != before.users.to_vector())
    throw DataError(options.ids_from, 0,
                    "numbers users and items apart, and in mutual data they are the same");
  auto items = options.mutual ? users : Numbering(rows.items, rows.item, is_kept, before.items);
  if (options.whole_catalogue)
    for (const auto& raw : read_table_ids(options, TableRole::kItems)) items.add_without_rows(raw);
  DatasetParts parts;
  auto& data = parts.interactions;
  data.num_users = users.ids.size();
  data.num_items = items.ids.size();
  data.time_scale = rows.time_scale;
  data.mutual = options.mutual;
  data.user_offsets = torch::empty({data.num_users + 1}, torch::kLong);  // [U + 1]
  std::vector<int32_t> final_rows;
  std::vector<uint8_t> final_splits;
  final_rows.reserve(splits.size());
  final_splits.reserve(splits.size());
  auto* offsets = data.user_offsets.data_ptr<int64_t>();
  for (int64_t user = 0; user < data.num_users; ++user) {
    offsets[user] = static_cast<int64_t>(final_rows.size());
    if (users.source_of[static_cast<size_t>(user)] == kNone) continue;
    const auto source = static_cast<size_t>(users.source_of[static_cast<size_t>(user)]);
    for (auto i = static_cast<size_t>(order.user_offsets[source]);
         i < static_cast<size_t>(order.user_offsets[source + 1]); ++i) {
      if (splits[i] == Splitter::kLeftOut) continue;
      final_rows.push_back(order.rows[i]);
      final_splits.push_back(splits[i]);
    }
  }
  const auto num_rows = static_cast<int64_t>(final_rows.size());
  offsets[data.num_users] = num_rows;
  data.items = torch::empty({num_rows}, torch::kInt);  // [E]
  gather(final_rows, data.items.data_ptr<int32_t>(),
         [&](size_t row) { return items.dense_of[static_cast<size_t>(rows.item[row])]; });
  data.times = gathered_tensor(rows.time, final_rows, torch::kLong);
  data.labels = gathered_tensor(rows.label, final_rows, torch::kFloat);
  data.weights = gathered_tensor(rows.weight, final_rows, torch::kFloat);
  data.events = gathered_tensor(rows.event, final_rows, torch::kByte);
  parts.split_of = torch::empty({num_rows}, torch::kByte);  // [E]
  std::copy(final_splits.begin(), final_splits.end(), parts.split_of.data_ptr<uint8_t>());
  parts.event_names = rows.event_names;
  parts.users = users.ids;
  parts.items = items.ids;
  parts.fingerprint = fingerprint;
  facts.warnings = split_warnings(data, parts.split_of);
  parts.item_columns =
      read_display_columns(options, TableRole::kItems, parts.items, facts.warnings);
  parts.user_columns =
      read_display_columns(options, TableRole::kUsers, parts.users, facts.warnings);
  if (options.graph) {
    auto built = build_graph(options, parts.users, parts.items, data, parts.split_of);
    parts.graph = std::make_shared<const Graph>(std::move(built.graph));
    facts.edges = std::move(built.counts);
  }
  parts.report = make_report(parts, facts);
  return DatasetBuilder::build(std::move(parts));
}

// Options that came later: where they are off, the data is what it was without them.
void erase_later_options(const DataOptions& options, ConfigNode& tree) {
  if (!options.whole_catalogue) tree.erase("whole_catalogue");
  if (!options.mutual) tree.erase("mutual");
  if (!options.cleaning.linked_items)
    if (auto* cleaning = tree.find("cleaning")) cleaning->erase("linked_items");
  auto* graph = tree.find("graph");
  auto* edges = graph != nullptr ? graph->find("edges") : nullptr;
  if (edges == nullptr) return;
  for (auto& one : edges->items())
    if (const auto* seed = one.find("shuffle"); seed != nullptr && seed->is_null())
      one.erase("shuffle");
}

std::vector<std::string> warnings_of(const Dataset& dataset) {
  return nlohmann::json::parse(dataset.report()).at("warnings").get<std::vector<std::string>>();
}

}  // namespace

std::string dataset_fingerprint(const DataOptions& options, int version) {
  // Where the files and the cache lie makes no difference to what is in the data set.
  auto meaning = options;
  meaning.directory.clear();
  meaning.cache.clear();
  if (!options.ids_from.empty())
    meaning.ids_from = read_dataset_head(prepared_file(options.ids_from)).fingerprint;
  Catalog catalog;
  add_datasets(catalog);
  auto tree = emit_config(meaning, catalog);
  erase_later_options(options, tree);
  const auto text = "version " + std::to_string(version) + "\n" + emit_yaml(tree);
  Digest digest;
  digest.add(text);
  for (const auto* file : files_of(options)) {
    const MappedFile content(options.resolve(file->path));
    digest.add(content.bytes());
  }
  return digest.hex();
}

std::optional<PreparedSizes> prepared_sizes(const DataOptions& options) {
  const auto fingerprint = dataset_fingerprint(options);
  const auto path = directory_of(options, fingerprint) / "dataset.bin";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  try {
    const auto head = read_dataset_head(path.string());
    if (head.fingerprint != fingerprint) return std::nullopt;
    return PreparedSizes{head.num_users, head.num_items, head.graph, head.report};
  } catch (const DataError&) {
    return std::nullopt;  // prepare_dataset() says what is wrong with it, and makes it anew
  }
}

bool is_prepared(const DataOptions& options) { return prepared_sizes(options).has_value(); }

PrepareResult prepare_dataset(const DataOptions& options, bool rebuild) {
  PrepareResult result;
  const FileStates before(options);
  const auto fingerprint = dataset_fingerprint(options);
  const auto directory = directory_of(options, fingerprint);
  const auto path = (directory / "dataset.bin").string();
  result.cache_directory = directory.string();
  std::error_code error;
  if (!rebuild && std::filesystem::exists(path, error)) {
    try {
      result.dataset = read_dataset(path);
      if (result.dataset.fingerprint() == fingerprint) {
        result.from_cache = true;
        result.warnings = warnings_of(result.dataset);
        return result;
      }
      result.warnings.push_back("prepared data " + path + " is of another data set: made anew");
    } catch (const DataError& problem) {
      result.warnings.push_back("prepared data was made anew: " + std::string(problem.what()));
    }
  }
  result.dataset = build_dataset(options, fingerprint);
  before.require_unchanged();
  std::filesystem::create_directories(directory, error);
  if (error) throw DataError(directory.string(), 0, "cannot be made: " + error.message());
  write_dataset(path, result.dataset);
  write_file_atomic((directory / "report.json").string(), result.dataset.report());
  // From here on the arrays are views of the file, as they are for everybody who finds it later.
  result.dataset = read_dataset(path);
  const auto warnings = warnings_of(result.dataset);
  result.warnings.insert(result.warnings.end(), warnings.begin(), warnings.end());
  return result;
}

}  // namespace reckon
