#include "datasets/vectors.h"

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/diagnostics.h"
#include "core/files.h"
#include "core/ids.h"

namespace reckon {
namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

DataError wrong_form(const std::string& path) {
  return DataError(path, 0, "vectors are read from and written to .npy, .parquet and .tsv files");
}

// Fills rows of a table by raw id and notes what was missing.
class Rows {
 public:
  Rows(const std::string& path, const IdMap& ids, int64_t width)
      : path_(path), ids_(ids), width_(width), seen_(ids.size(), false) {
    out_.rows =
        torch::full({ids.size(), width}, std::numeric_limits<float>::quiet_NaN());  // [R, D]
  }

  // `line` is what messages call the row; `values` has `width` numbers.
  void add(int64_t line, std::string_view raw, const float* values) {
    const auto dense = ids_.find(raw);
    if (dense == kUnknownId) {
      ++out_.num_unknown;
      return;
    }
    if (seen_[dense])
      throw DataError(path_, line, "the id '" + std::string(raw) + "' stands twice");
    seen_[dense] = true;
    for (int64_t column = 0; column < width_; ++column)
      if (!std::isfinite(values[column]))
        throw DataError(path_, line,
                        "column " + std::to_string(column) + " of the vector is " +
                            (std::isnan(values[column]) ? "NaN" : "infinite") +
                            ", expected a finite number");
    std::memcpy(out_.rows.data_ptr<float>() + dense * width_, values, sizeof(float) * width_);
  }

  IdVectors finish() {
    for (const bool seen : seen_) out_.num_missing += seen ? 0 : 1;
    return std::move(out_);
  }

 private:
  const std::string& path_;
  const IdMap& ids_;
  int64_t width_;
  std::vector<bool> seen_;
  IdVectors out_;
};

void check_width(const std::string& path, int64_t found, int64_t width) {
  if (found != width)
    throw DataError(path, 0,
                    "vectors have " + std::to_string(found) + " columns, expected " +
                        std::to_string(width) + " (model.dim)");
}

// NumPy's format, versions 1 and 2: little-endian float32 or float64 in C order.
IdVectors read_npy(const std::string& path, const IdMap& ids, int64_t width) {
  const auto bytes = read_file(path);
  const auto bad = [&](const std::string& what) { return DataError(path, 0, what); };
  if (bytes.size() < 12 || bytes.compare(0, 6, "\x93NUMPY", 6) != 0)
    throw bad("no .npy file: it does not begin with \\x93NUMPY");
  const int major = static_cast<unsigned char>(bytes[6]);
  size_t header_size = static_cast<unsigned char>(bytes[8]) | static_cast<unsigned char>(bytes[9])
                                                                  << 8;
  size_t begin = 10;
  if (major == 2 || major == 3) {
    header_size |= static_cast<size_t>(static_cast<unsigned char>(bytes[10])) << 16 |
                   static_cast<size_t>(static_cast<unsigned char>(bytes[11])) << 24;
    begin = 12;
  } else if (major != 1) {
    throw bad("version " + std::to_string(major) +
              " of the .npy format is not known, expected 1 to 3");
  }
  if (header_size > bytes.size() - begin) throw bad("cut short within its header");
  const auto header = bytes.substr(begin, header_size);
  const bool is_double = header.find("'<f8'") != std::string::npos;
  if (!is_double && header.find("'<f4'") == std::string::npos)
    throw bad("expected float32 or float64 numbers, the header says " + header);
  if (header.find("'fortran_order': False") == std::string::npos)
    throw bad("expected rows behind one another (C order)");
  const auto open = header.find("'shape': (");
  int64_t num_rows = 0, num_columns = 0;
  char closing = 0;
  if (open == std::string::npos ||
      std::sscanf(header.c_str() + open + 10, "%ld, %ld%c", &num_rows, &num_columns, &closing) !=
          3 ||
      closing != ')')
    throw bad("expected a matrix, the header says " + header);
  check_width(path, num_columns, width);
  if (num_rows != ids.size())
    throw bad("has " + std::to_string(num_rows) + " rows, expected one for each of the " +
              std::to_string(ids.size()) + " dense ids");
  const size_t item = is_double ? 8 : 4;
  if (bytes.size() - begin - header_size != item * num_rows * num_columns)
    throw bad("its length does not fit its shape");
  Rows rows(path, ids, width);
  std::vector<float> values(width);
  const char* at = bytes.data() + begin + header_size;
  for (int64_t row = 0; row < num_rows; ++row) {
    for (auto& value : values) {
      double wide = 0;
      float narrow = 0;
      if (is_double)
        std::memcpy(&wide, at, 8);
      else
        std::memcpy(&narrow, at, 4);
      value = is_double ? static_cast<float>(wide) : narrow;
      at += item;
    }
    rows.add(row + 1, ids.raw(row), values.data());
  }
  return rows.finish();
}

IdVectors read_tsv(const std::string& path, const IdMap& ids, int64_t width) {
  const auto text = read_file(path);
  Rows rows(path, ids, width);
  std::vector<float> values;
  int64_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    std::string_view row(text.data() + begin, end - begin);
    begin = end + 1;
    ++line;
    if (!row.empty() && row.back() == '\r') row.remove_suffix(1);
    if (row.empty()) continue;
    values.clear();
    auto at = std::min(row.find('\t'), row.size());
    const auto raw = row.substr(0, at);
    while (at < row.size()) {
      const auto next = std::min(row.find('\t', at + 1), row.size());
      const auto field = row.substr(at + 1, next - at - 1);
      float value = 0;
      const auto [stop, error] = std::from_chars(field.data(), field.data() + field.size(), value);
      if (error != std::errc() || stop != field.data() + field.size())
        throw DataError(path, line, "'" + std::string(field) + "' is no number");
      values.push_back(value);
      at = next;
    }
    if (static_cast<int64_t>(values.size()) != width)
      throw DataError(path, line,
                      "has " + std::to_string(values.size()) + " numbers behind the id, expected " +
                          std::to_string(width) + " (model.dim)");
    rows.add(line, raw, values.data());
  }
  return rows.finish();
}

arrow::Result<IdVectors> read_parquet(const std::string& path, const IdMap& ids, int64_t width) {
  ARROW_ASSIGN_OR_RAISE(auto file, arrow::io::ReadableFile::Open(path));
  ARROW_ASSIGN_OR_RAISE(auto reader, parquet::arrow::OpenFile(file, arrow::default_memory_pool()));
  ARROW_ASSIGN_OR_RAISE(auto table, reader->ReadTable());
  ARROW_ASSIGN_OR_RAISE(table, table->CombineChunks());
  const auto id_column = table->GetColumnByName("id");
  const auto vector_column = table->GetColumnByName("vector");
  if (!id_column || !vector_column)
    throw DataError(path, 0, "expected the columns `id` and `vector`");
  Rows rows(path, ids, width);
  if (table->num_rows() == 0) return rows.finish();
  const auto id_array = std::dynamic_pointer_cast<arrow::StringArray>(id_column->chunk(0));
  const auto lists = std::dynamic_pointer_cast<arrow::ListArray>(vector_column->chunk(0));
  if (!id_array || !lists || lists->value_type()->id() != arrow::Type::FLOAT)
    throw DataError(path, 0, "expected `id` as text and `vector` as a list of float32");
  const auto& numbers = static_cast<const arrow::FloatArray&>(*lists->values());
  for (int64_t row = 0; row < table->num_rows(); ++row) {
    if (id_array->IsNull(row) || lists->IsNull(row))
      throw DataError(path, row + 1, "a value is missing");
    if (lists->value_length(row) != width)
      throw DataError(path, row + 1,
                      "the vector has " + std::to_string(lists->value_length(row)) +
                          " numbers, expected " + std::to_string(width) + " (model.dim)");
    rows.add(row + 1, id_array->GetView(row), numbers.raw_values() + lists->value_offset(row));
  }
  return rows.finish();
}

arrow::Status write_parquet(const std::string& path, const IdMap& ids,
                            const torch::Tensor& vectors) {
  arrow::StringBuilder id_builder;
  auto float_builder = std::make_shared<arrow::FloatBuilder>();
  arrow::ListBuilder list_builder(arrow::default_memory_pool(), float_builder);
  const int64_t width = vectors.size(1);
  for (int64_t row = 0; row < ids.size(); ++row) {
    ARROW_RETURN_NOT_OK(id_builder.Append(ids.raw(row)));
    ARROW_RETURN_NOT_OK(list_builder.Append());
    ARROW_RETURN_NOT_OK(
        float_builder->AppendValues(vectors.data_ptr<float>() + row * width, width));
  }
  std::shared_ptr<arrow::Array> id_array, list_array;
  ARROW_RETURN_NOT_OK(id_builder.Finish(&id_array));
  ARROW_RETURN_NOT_OK(list_builder.Finish(&list_array));
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("id", arrow::utf8()),
                                                       arrow::field("vector", list_array->type())}),
                                        {id_array, list_array});
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::io::BufferOutputStream::Create());
  ARROW_RETURN_NOT_OK(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), buffer));
  ARROW_ASSIGN_OR_RAISE(auto bytes, buffer->Finish());
  write_file_atomic(path, std::string_view(*bytes));
  return arrow::Status::OK();
}

void write_npy(const std::string& path, const torch::Tensor& vectors) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(vectors.size(0)) + ", " + std::to_string(vectors.size(1)) +
                       "), }";
  // The data begins at a multiple of 64 bytes.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(vectors.data_ptr<float>()),
               sizeof(float) * vectors.numel());
  write_file_atomic(path, bytes);
}

void write_tsv(const std::string& path, const IdMap& ids, const torch::Tensor& vectors) {
  std::string text;
  const int64_t width = vectors.size(1);
  char buffer[40];
  for (int64_t row = 0; row < ids.size(); ++row) {
    const auto raw = ids.raw(row);
    if (raw.find_first_of("\t\n\r") != std::string_view::npos)
      throw DataError(path, row + 1,
                      "the id '" + std::string(raw) +
                          "' holds a tab or line break; write .parquet instead");
    text += raw;
    for (int64_t column = 0; column < width; ++column) {
      const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer,
                                              vectors.data_ptr<float>()[row * width + column]);
      text += '\t';
      text.append(buffer, end);
    }
    text += '\n';
  }
  write_file_atomic(path, text);
}

}  // namespace

IdVectors read_vectors(const std::string& path, const IdMap& ids, int64_t width) {
  if (ends_with(path, ".npy")) return read_npy(path, ids, width);
  if (ends_with(path, ".tsv")) return read_tsv(path, ids, width);
  if (!ends_with(path, ".parquet")) throw wrong_form(path);
  auto result = read_parquet(path, ids, width);
  if (!result.ok()) throw DataError(path, 0, result.status().message());
  return result.MoveValueUnsafe();
}

void write_vectors(const std::string& path, const IdMap& ids, const torch::Tensor& vectors) {
  TORCH_CHECK(vectors.dim() == 2 && vectors.size(0) == ids.size() &&
                  vectors.scalar_type() == torch::kFloat,
              "write_vectors: expected float32 [", ids.size(), ", D], got ", vectors.sizes());
  const auto rows = vectors.contiguous();
  if (ends_with(path, ".npy")) return write_npy(path, rows);
  if (ends_with(path, ".tsv")) return write_tsv(path, ids, rows);
  if (!ends_with(path, ".parquet")) throw wrong_form(path);
  const auto status = write_parquet(path, ids, rows);
  if (!status.ok()) throw DataError(path, 0, status.message());
}

}  // namespace reckon
