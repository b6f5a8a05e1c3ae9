#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/type_traits.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>

#include <future>
#include <numeric>
#include <optional>

#include "core/diagnostics.h"
#include "datasets/arrow_columns.h"
#include "datasets/mapped_file.h"
#include "datasets/readers.h"

namespace reckon {
namespace {

/// Hands over record batches, from a source that a file format gives.
class BatchReader : public TableReader {
 public:
  using Batches = std::function<arrow::Result<std::shared_ptr<arrow::RecordBatch>>()>;
  /// A column to read, and whether its texts may come as a dictionary.
  struct Wanted {
    int column = 0;
    bool as_dictionary = false;
  };
  using Open = std::function<arrow::Result<Batches>(const std::vector<Wanted>& columns)>;

  /// `open` gets the columns to read and returns what gives batches of them, null at the end.
  BatchReader(const FileOptions& options, const std::string& path,
              std::shared_ptr<arrow::Schema> schema, Open open)
      : options_(options),
        path_(path),
        columns_(declared_columns(options, path, schema->field_names())),
        schema_(std::move(schema)),
        open_(std::move(open)) {}

  const std::vector<Column>& columns() const override { return columns_; }

  void select(std::vector<Selection> selection) override {
    selection_ = std::move(selection);
    std::vector<Wanted> wanted;
    for (const auto& selected : selection_) {
      const auto column = static_cast<int>(selected.column);
      const auto& type = *schema_->field(column)->type();
      if (arrow::is_nested(type.id()))
        throw DataError(path_, 0,
                        "the column '" + excerpt(columns_[selected.column].name) + "' holds " +
                            type.ToString() + ", expected single values");
      const auto same = [column](const Wanted& other) { return other.column == column; };
      const auto found = std::find_if(wanted.begin(), wanted.end(), same);
      place_of_.push_back(static_cast<int>(found - wanted.begin()));
      if (found == wanted.end())
        wanted.push_back({column, selected.is_id && arrow::is_binary_like(type.id())});
    }
    auto batches = open_(wanted);
    if (!batches.ok()) fail(batches.status());
    batches_ = std::move(*batches);
  }

  bool next(RowBlock& rows) override {
    if (!ahead_.valid()) look_ahead();
    auto found = ahead_.get();
    if (!found) return false;
    rows = std::move(*found);
    look_ahead();
    return true;
  }

 private:
  // One batch is decoded while the caller is busy with the one before it.
  void look_ahead() {
    ahead_ = std::async(std::launch::async, [this] { return decode(); });
  }

  std::optional<RowBlock> decode() {
    const auto read = batches_();
    if (!read.ok()) fail(read.status());
    if (*read == nullptr) return std::nullopt;
    const auto& batch = *read;
    RowBlock rows;
    rows.lines.resize(static_cast<size_t>(batch->num_rows()));
    std::iota(rows.lines.begin(), rows.lines.end(), next_row_);
    next_row_ += batch->num_rows();
    rows.columns.resize(selection_.size());
    std::vector<uint8_t> is_bad(rows.size(), 0);
    auto storage = std::make_shared<ArrowStorage>();
    for (size_t i = 0; i < selection_.size(); ++i) {
      const auto& selected = selection_[i];
      ColumnWriter writer(rows, i, columns_[selected.column], selected, options_, is_bad);
      write_column(*batch->column(place_of_[i]), selected.type, writer, *storage);
    }
    drop_bad_rows(rows, is_bad);
    storage->batches.push_back(batch);
    rows.storage = std::move(storage);
    return rows;
  }

  [[noreturn]] void fail(const arrow::Status& status) const {
    throw DataError(path_, 0, "cannot be read: " + status.message());
  }

  FileOptions options_;
  std::string path_;
  std::vector<Column> columns_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<Selection> selection_;
  std::vector<int> place_of_;  // of each selection, among the columns read
  Open open_;
  Batches batches_;
  int64_t next_row_ = 1;
  std::future<std::optional<RowBlock>> ahead_;  // the last: it uses all of the above
};

arrow::Result<std::unique_ptr<TableReader>> parquet_reader(const FileOptions& options,
                                                           const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(auto file, arrow::io::ReadableFile::Open(path));
  ARROW_ASSIGN_OR_RAISE(const auto head,
                        parquet::arrow::OpenFile(file, arrow::default_memory_pool()));
  std::shared_ptr<arrow::Schema> schema;
  ARROW_RETURN_NOT_OK(head->GetSchema(&schema));
  // Columns are asked for by their leaves; only nested ones, which nobody can ask for, have several.
  std::vector<int> leaf_of;
  for (const auto& field : head->manifest().schema_fields) leaf_of.push_back(field.column_index);
  const auto metadata = head->parquet_reader()->metadata();
  const auto open =
      [file, metadata, leaf_of](
          const std::vector<BatchReader::Wanted>& columns) -> arrow::Result<BatchReader::Batches> {
    constexpr int64_t kRowsAtOnce = 1 << 17;
    parquet::ArrowReaderProperties properties(/*use_threads=*/true);
    properties.set_batch_size(kRowsAtOnce);
    std::vector<int> leaves;
    for (const auto& wanted : columns) {
      leaves.push_back(leaf_of[static_cast<size_t>(wanted.column)]);
      properties.set_read_dictionary(leaves.back(), wanted.as_dictionary);
    }
    parquet::arrow::FileReaderBuilder builder;
    ARROW_RETURN_NOT_OK(builder.Open(file, parquet::default_reader_properties(), metadata));
    std::unique_ptr<parquet::arrow::FileReader> built;
    ARROW_RETURN_NOT_OK(builder.properties(properties)->Build(&built));
    const std::shared_ptr<parquet::arrow::FileReader> reader = std::move(built);
    std::vector<int> row_groups(static_cast<size_t>(reader->num_row_groups()));
    std::iota(row_groups.begin(), row_groups.end(), 0);
    ARROW_ASSIGN_OR_RAISE(auto made, reader->GetRecordBatchReader(row_groups, leaves));
    const std::shared_ptr<arrow::RecordBatchReader> batches = std::move(made);
    return [reader, batches]() { return batches->Next(); };
  };
  return std::make_unique<BatchReader>(options, path, schema, open);
}

arrow::Result<std::unique_ptr<TableReader>> feather_reader(const FileOptions& options,
                                                           const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(auto file, arrow::io::ReadableFile::Open(path));
  ARROW_ASSIGN_OR_RAISE(auto head, arrow::ipc::RecordBatchFileReader::Open(file));
  const auto open =
      [file](
          const std::vector<BatchReader::Wanted>& wanted) -> arrow::Result<BatchReader::Batches> {
    std::vector<int> columns;
    for (const auto& one : wanted) columns.push_back(one.column);
    // The format gives columns in file order whatever the order asked for.
    auto read_options = arrow::ipc::IpcReadOptions::Defaults();
    read_options.included_fields = columns;
    ARROW_ASSIGN_OR_RAISE(auto reader, arrow::ipc::RecordBatchFileReader::Open(file, read_options));
    auto sorted = columns;
    std::sort(sorted.begin(), sorted.end());
    std::vector<int> order;
    for (const int column : columns)
      order.push_back(static_cast<int>(std::lower_bound(sorted.begin(), sorted.end(), column) -
                                       sorted.begin()));
    return
        [reader, order, next = 0]() mutable -> arrow::Result<std::shared_ptr<arrow::RecordBatch>> {
          if (next == reader->num_record_batches()) return nullptr;
          ARROW_ASSIGN_OR_RAISE(auto batch, reader->ReadRecordBatch(next++));
          return batch->SelectColumns(order);
        };
  };
  return std::make_unique<BatchReader>(options, path, head->schema(), open);
}

template <class Make>
std::unique_ptr<TableReader> opened(Make make, const FileOptions& options, const std::string& path,
                                    const char* format) {
  const MappedFile exists(path);  // says what the system says when there is no such file
  if (exists.bytes().empty()) throw DataError(path, 0, "is empty");
  std::string why;
  try {
    auto reader = make(options, path);
    if (reader.ok()) return std::move(*reader);
    why = reader.status().message();
  } catch (const parquet::ParquetException& error) {
    why = error.what();
  }
  throw DataError(path, 0, std::string("is not a ") + format + " file: " + why);
}

}  // namespace

std::unique_ptr<TableReader> open_parquet(const FileOptions& options, const std::string& path) {
  return opened(parquet_reader, options, path, "Parquet");
}

std::unique_ptr<TableReader> open_feather(const FileOptions& options, const std::string& path) {
  return opened(feather_reader, options, path, "Feather");
}

}  // namespace reckon
