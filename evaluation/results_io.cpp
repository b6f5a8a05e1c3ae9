#include "evaluation/results_io.h"

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "core/diagnostics.h"
#include "core/files.h"
#include "core/ids.h"
#include "datasets/table_reader.h"

namespace reckon {
namespace {

constexpr int64_t kRowsPerGroup = int64_t{1} << 20;
constexpr size_t kNamedUnknowns = 5;

template <class T>
T value_or_throw(arrow::Result<T> result, const std::string& path) {
  if (!result.ok()) throw DataError(path, 0, result.status().message());
  return std::move(result).ValueUnsafe();
}

void check(const arrow::Status& status, const std::string& path) {
  if (!status.ok()) throw DataError(path, 0, status.message());
}

std::shared_ptr<arrow::Array> text_array(const std::vector<std::string>& values,
                                         const std::string& path) {
  arrow::StringBuilder builder;
  check(builder.AppendValues(values), path);
  return value_or_throw(builder.Finish(), path);
}

/// Writes tables to a Parquet file one after another, so that only one is in memory.
class ParquetWriter {
 public:
  ParquetWriter(const std::string& path, std::shared_ptr<arrow::Schema> schema)
      : path_(path), file_(path), schema_(std::move(schema)) {
    stream_ = value_or_throw(arrow::io::FileOutputStream::Open(file_.temporary_path()), path);
    const auto properties =
        parquet::WriterProperties::Builder().compression(parquet::Compression::SNAPPY)->build();
    // The Arrow schema inside is what keeps our metadata.
    const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    writer_ =
        value_or_throw(parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(),
                                                        stream_, properties, arrow_properties),
                       path);
  }

  void write(const std::vector<std::shared_ptr<arrow::Array>>& columns) {
    check(writer_->WriteTable(*arrow::Table::Make(schema_, columns), kRowsPerGroup), path_);
  }

  void close() {
    check(writer_->Close(), path_);
    check(stream_->Close(), path_);
    file_.commit();
  }

 private:
  std::string path_;
  AtomicFile file_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::io::FileOutputStream> stream_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
};

/// Calls `visit(user, item, rank, score)` for every known item of every list.
template <class Visit>
void for_each_place(const RankedLists& lists, const Visit& visit) {
  const auto users = lists.users.contiguous();
  const auto offsets = lists.offsets.contiguous();
  const auto items = lists.items.contiguous();
  const auto scores = lists.scores.contiguous();
  const int64_t* offset = offsets.const_data_ptr<int64_t>();
  for (int64_t row = 0; row < lists.num_users(); ++row) {
    for (int64_t place = offset[row]; place < offset[row + 1]; ++place) {
      const int64_t item = items.const_data_ptr<int64_t>()[place];
      if (item < 0) continue;
      visit(users.const_data_ptr<int64_t>()[row], item, place - offset[row] + 1,
            scores.const_data_ptr<float>()[place]);
    }
  }
}

std::vector<std::string> raw_ids(const torch::Tensor& dense, const IdMap& map) {
  std::vector<std::string> raw;
  raw.reserve(dense.numel());
  const auto ids = dense.contiguous();
  for (int64_t i = 0; i < ids.numel(); ++i) {
    raw.emplace_back(map.raw(ids.const_data_ptr<int64_t>()[i]));
  }
  return raw;
}

/// One recommendation, as a file says it.
struct Place {
  int64_t item = 0;
  double score = 0.0;
  int64_t rank = 0;
};

/// Gathers places in file order and makes lists of them.
class ListCollector {
 public:
  ListCollector(const std::string& path, const IdMap& users, const IdMap& items)
      : path_(path), users_(users), items_(items) {}

  void add(int64_t line, std::string_view user, std::string_view item, double score, int64_t rank) {
    if (std::isnan(score)) throw DataError(path_, line, "expected a score, got NaN");
    const int64_t dense_user = users_.find(user);
    if (dense_user < 0) {
      if (unknown_users_.emplace(user).second) note(user, foreign_.unknown_users);
      return;
    }
    const int64_t dense_item = items_.find(item);
    if (dense_item < 0) {
      ++foreign_.num_unknown_items;
      if (unknown_items_.emplace(item).second) note(item, foreign_.unknown_items);
    } else if (!pairs_.emplace(dense_user * items_.size() + dense_item).second) {
      throw DataError(path_, line,
                      "item '" + std::string(item) + "' stands twice in the list of user '" +
                          std::string(user) + "'");
    }
    places_[dense_user].push_back({dense_item < 0 ? kUnknownId : dense_item, score, rank});
  }

  ForeignLists finish() {
    foreign_.num_unknown_users = static_cast<int64_t>(unknown_users_.size());
    std::vector<int64_t> users;
    std::vector<int64_t> offsets = {0};
    std::vector<int64_t> items;
    std::vector<float> scores;
    for (auto& [user, places] : places_) {
      std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
        return a.score != b.score ? a.score > b.score : a.rank < b.rank;
      });
      users.push_back(user);
      for (const auto& place : places) {
        items.push_back(place.item);
        scores.push_back(static_cast<float>(place.score));
      }
      offsets.push_back(static_cast<int64_t>(items.size()));
    }
    foreign_.lists = {.users = torch::tensor(users, torch::kInt64),      // [V]
                      .offsets = torch::tensor(offsets, torch::kInt64),  // [V + 1]
                      .items = torch::tensor(items, torch::kInt64),      // [N]
                      .scores = torch::tensor(scores, torch::kFloat)};   // [N]
    return std::move(foreign_);
  }

 private:
  static void note(std::string_view id, std::vector<std::string>& examples) {
    if (examples.size() < kNamedUnknowns) examples.emplace_back(id);
  }

  const std::string& path_;
  const IdMap& users_;
  const IdMap& items_;
  std::map<int64_t, std::vector<Place>> places_;  // by user, ascending
  std::unordered_set<int64_t> pairs_;
  std::unordered_set<std::string> unknown_users_, unknown_items_;
  ForeignLists foreign_;
};

std::vector<std::string_view> fields_of(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r";
  std::vector<std::string_view> fields;
  for (size_t begin = line.find_first_not_of(kSpace); begin != std::string_view::npos;) {
    const auto end = std::min(line.find_first_of(kSpace, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kSpace, end);
  }
  return fields;
}

void read_trec(const std::string& path, ListCollector& collector) {
  std::ifstream file(path);
  if (!file) throw DataError(path, 0, "cannot be read");
  std::string line;
  for (int64_t number = 1; std::getline(file, line); ++number) {
    const auto fields = fields_of(line);
    if (fields.empty()) continue;
    if (fields.size() != 6) {
      throw DataError(path, number,
                      "expected 'user Q0 item rank score tag', got " +
                          std::to_string(fields.size()) + " fields: '" + line.substr(0, 200) + "'");
    }
    int64_t rank = 0;
    const auto* end = fields[3].data() + fields[3].size();
    if (const auto parsed = std::from_chars(fields[3].data(), end, rank);
        parsed.ec != std::errc() || parsed.ptr != end) {
      throw DataError(path, number,
                      "expected a whole number as rank, got '" + std::string(fields[3]) + "'");
    }
    double score = 0.0;
    if (!parse_number(fields[4], score)) {
      throw DataError(path, number,
                      "expected a number as score, got '" + std::string(fields[4]) + "'");
    }
    collector.add(number, fields[0], fields[2], score, rank);
  }
  if (file.bad()) throw DataError(path, 0, "cannot be read to its end");
}

/// The place of a column among those of a table, or -1.
int64_t find_column(const std::vector<TableReader::Column>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const auto& column) { return column.name == name; });
  return found == columns.end() ? -1 : found - columns.begin();
}

void read_table(const std::string& path, ListCollector& collector) {
  FileOptions options;
  options.path = path;
  options.header = true;
  const auto table = open_table(options, path);
  const int64_t user = find_column(table->columns(), "user");
  const int64_t item = find_column(table->columns(), "item");
  const int64_t score = find_column(table->columns(), "score");
  const int64_t rank = find_column(table->columns(), "rank");
  if (user < 0 || item < 0 || (score < 0 && rank < 0)) {
    std::vector<std::string> names;
    for (const auto& column : table->columns()) names.push_back(column.name);
    throw DataError(path, 0, "expected columns user, item, and score or rank, got " + join(names));
  }
  std::vector<TableReader::Selection> selection = {{static_cast<size_t>(user), ColumnType::kText},
                                                   {static_cast<size_t>(item), ColumnType::kText}};
  if (score >= 0) selection.push_back({static_cast<size_t>(score), ColumnType::kNumber});
  if (rank >= 0) selection.push_back({static_cast<size_t>(rank), ColumnType::kInteger});
  table->select(selection);
  RowBlock block;
  while (table->next(block)) {
    if (!block.malformed.empty()) {
      throw DataError(path, block.malformed.front().line, block.malformed.front().what);
    }
    for (size_t row = 0; row < block.size(); ++row) {
      for (const auto& column : block.columns) {
        if (column.is_missing[row]) throw DataError(path, block.lines[row], "a value is missing");
      }
      collector.add(block.lines[row], block.columns[0].text[row], block.columns[1].text[row],
                    score >= 0 ? block.columns[2].numbers[row] : 0.0,
                    rank >= 0 ? static_cast<int64_t>(block.columns.back().numbers[row]) : 0);
    }
  }
}

bool is_table(const std::string& path) {
  for (const auto* extension :
       {".parquet", ".feather", ".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz"}) {
    if (path.ends_with(extension)) return true;
  }
  return false;
}

std::string metadata_or_throw(const std::shared_ptr<const arrow::KeyValueMetadata>& metadata,
                              const std::string& key, const std::string& path) {
  const int64_t index = metadata ? metadata->FindKey(key) : -1;
  if (index < 0) {
    throw DataError(path, 0,
                    "expected per-user values written by reckon, but '" + key +
                        "' is not in its metadata");
  }
  return metadata->value(index);
}

}  // namespace

void write_per_user(const std::string& path, const EvaluationResult& result, const IdMap& users) {
  TORCH_CHECK(result.per_user.defined(), "write_per_user: the result has no per-user values");
  arrow::FieldVector fields = {arrow::field("user", arrow::utf8(), /*nullable=*/false)};
  for (const auto& name : result.per_user_metrics) {
    fields.push_back(arrow::field(name.to_string(), arrow::float64()));
  }
  const auto metadata = arrow::key_value_metadata({{"reckon.fingerprint", result.fingerprint},
                                                   {"reckon.protocol", result.protocol},
                                                   {"reckon.split", split_name(result.split)}});
  ParquetWriter writer(path, arrow::schema(fields, metadata));
  std::vector<std::shared_ptr<arrow::Array>> columns = {
      text_array(raw_ids(result.users, users), path)};
  for (size_t m = 0; m < result.per_user_metrics.size(); ++m) {
    const auto column = result.per_user.select(1, static_cast<int64_t>(m)).contiguous();  // [V]
    arrow::DoubleBuilder builder;
    for (int64_t row = 0; row < column.size(0); ++row) {
      const double value = column.const_data_ptr<double>()[row];
      check(std::isnan(value) ? builder.AppendNull() : builder.Append(value), path);
    }
    columns.push_back(value_or_throw(builder.Finish(), path));
  }
  writer.write(columns);
  writer.close();
}

RunResults read_per_user(const std::string& path, const std::string& name) {
  const auto file = value_or_throw(arrow::io::ReadableFile::Open(path), path);
  const auto reader =
      value_or_throw(parquet::arrow::OpenFile(file, arrow::default_memory_pool()), path);
  const auto chunked = value_or_throw(reader->ReadTable(), path);
  const auto table = value_or_throw(chunked->CombineChunks(), path);

  RunResults run;
  run.name = name;
  const auto metadata = table->schema()->metadata();
  run.fingerprint = metadata_or_throw(metadata, "reckon.fingerprint", path);
  run.protocol = metadata_or_throw(metadata, "reckon.protocol", path);
  run.split = metadata_or_throw(metadata, "reckon.split", path);

  const int64_t num_users = table->num_rows();
  const auto num_metrics = table->num_columns() - 1;
  run.values = torch::full({num_users, num_metrics}, std::numeric_limits<double>::quiet_NaN(),
                           torch::kFloat64);  // [V, M]
  for (int c = 0; c < table->num_columns(); ++c) {
    const auto& field = *table->schema()->field(c);
    const bool is_user =
        c == 0 && field.name() == "user" && field.type()->id() == arrow::Type::STRING;
    if (!is_user && (c == 0 || field.type()->id() != arrow::Type::DOUBLE)) {
      throw DataError(path, 0,
                      "expected a text column 'user' and columns of numbers, got '" + field.name() +
                          "' of type " + field.type()->ToString());
    }
    if (!is_user) run.metrics.push_back(field.name());
    if (num_users == 0) continue;
    const auto chunk = table->column(c)->chunk(0);
    for (int64_t row = 0; row < num_users; ++row) {
      if (is_user) {
        run.users.push_back(static_cast<const arrow::StringArray&>(*chunk).GetString(row));
      } else if (!chunk->IsNull(row)) {
        run.values.mutable_data_ptr<double>()[row * num_metrics + c - 1] =
            static_cast<const arrow::DoubleArray&>(*chunk).Value(row);
      }
    }
  }
  return run;
}

void write_lists_parquet(const std::string& path, const RankedLists& lists, const IdMap& users,
                         const IdMap& items) {
  const auto schema = arrow::schema({arrow::field("user", arrow::utf8(), false),
                                     arrow::field("item", arrow::utf8(), false),
                                     arrow::field("rank", arrow::int32(), false),
                                     arrow::field("score", arrow::float32(), false)});
  ParquetWriter writer(path, schema);
  arrow::StringBuilder user_builder, item_builder;
  arrow::Int32Builder rank_builder;
  arrow::FloatBuilder score_builder;
  const auto flush = [&] {
    writer.write({value_or_throw(user_builder.Finish(), path),
                  value_or_throw(item_builder.Finish(), path),
                  value_or_throw(rank_builder.Finish(), path),
                  value_or_throw(score_builder.Finish(), path)});
  };
  for_each_place(lists, [&](int64_t user, int64_t item, int64_t rank, float score) {
    check(user_builder.Append(users.raw(user)), path);
    check(item_builder.Append(items.raw(item)), path);
    check(rank_builder.Append(static_cast<int32_t>(rank)), path);
    check(score_builder.Append(score), path);
    if (rank_builder.length() == kRowsPerGroup) flush();
  });
  flush();
  writer.close();
}

void write_lists_trec(const std::string& path, const RankedLists& lists, const IdMap& users,
                      const IdMap& items, const std::string& tag) {
  const auto checked = [&](std::string_view id) {
    if (id.empty() || id.find_first_of(" \t\r\n") != std::string_view::npos) {
      throw DataError(path, 0,
                      "a TREC run cannot hold the id '" + std::string(id) +
                          "', which is empty or has white space: write Parquet");
    }
    return id;
  };
  checked(tag);
  AtomicFile file(path);
  std::ofstream stream(file.temporary_path());
  for_each_place(lists, [&](int64_t user, int64_t item, int64_t rank, float score) {
    char number[32];
    std::snprintf(number, sizeof number, "%.9g", score);
    stream << checked(users.raw(user)) << " Q0 " << checked(items.raw(item)) << ' ' << rank << ' '
           << number << ' ' << tag << '\n';
  });
  stream.close();
  if (!stream) throw DataError(path, 0, "cannot be written");
  file.commit();
}

ForeignLists read_lists(const std::string& path, const IdMap& users, const IdMap& items) {
  ListCollector collector(path, users, items);
  if (is_table(path)) {
    read_table(path, collector);
  } else {
    read_trec(path, collector);
  }
  return collector.finish();
}

}  // namespace reckon
