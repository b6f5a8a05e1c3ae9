#include "tests/datasets/datasets_support.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/writer.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <fstream>
#include <stdexcept>

#include "core/config_node.h"
#include "datasets/catalog.h"

namespace reckon::testing {
namespace {

std::vector<std::string> sequences_of(const Dataset& dataset, const Interactions& data) {
  std::vector<std::string> out;
  const auto* offsets = data.user_offsets.data_ptr<int64_t>();
  for (int64_t user = 0; user < data.num_users; ++user) {
    std::string line = std::string(dataset.users().raw(user)) + ":";
    for (auto row = offsets[user]; row < offsets[user + 1]; ++row)
      line += " " + std::string(dataset.items().raw(data.items.data_ptr<int32_t>()[row]));
    out.push_back(line);
  }
  return out;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  static std::atomic<int> number{0};
  path_ = std::filesystem::temp_directory_path() /
          ("reckon_" + std::to_string(::getpid()) + "_" + std::to_string(number++));
  std::filesystem::create_directories(path_);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string TemporaryDirectory::write(const std::string& name, const std::string& content) const {
  std::ofstream file(path(name), std::ios::binary);
  file << content;
  return path(name);
}

std::string TemporaryDirectory::write_gz(const std::string& name,
                                         const std::string& content) const {
  const auto file = gzopen(path(name).c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  return path(name);
}

DataOptions data_options(const TemporaryDirectory& directory, const std::string& yaml) {
  Catalog catalog;
  add_datasets(catalog);
  auto options = read_config<DataOptions>(parse_yaml(yaml, "data.yaml"), catalog);
  options.directory = directory.path("");
  options.cache = directory.path("cache");
  return options;
}

std::vector<std::string> sequences(const Dataset& dataset, Split split) {
  return sequences_of(dataset, dataset.part(split));
}

std::vector<std::string> sequences(const Dataset& dataset) {
  return sequences_of(dataset, dataset.interactions());
}

std::shared_ptr<arrow::Array> text_array(const std::vector<std::string>& values) {
  arrow::StringBuilder builder;
  if (!builder.AppendValues(values).ok()) throw std::runtime_error("no memory for an array");
  return builder.Finish().ValueOrDie();
}

void write_parquet(
    const std::string& path,
    const std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, array] : columns) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  const auto table = arrow::Table::Make(arrow::schema(fields), arrays);
  auto file = arrow::io::FileOutputStream::Open(path).ValueOrDie();
  // Nanoseconds need a version of the format that knows them.
  const auto properties =
      parquet::WriterProperties::Builder().version(parquet::ParquetVersion::PARQUET_2_6)->build();
  auto status = parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), file,
                                           int64_t{1} << 20, properties);
  if (status.ok()) status = file->Close();
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t place = 0; (place = text.find(from, place)) != std::string::npos; place += to.size())
    text.replace(place, from.size(), to);
  return text;
}

Interactions interactions_of(const std::vector<std::vector<int32_t>>& items_of_users,
                             int64_t num_items) {
  std::vector<int64_t> offsets = {0};
  std::vector<int32_t> items;
  for (const auto& user : items_of_users) {
    items.insert(items.end(), user.begin(), user.end());
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  Interactions data;
  data.num_users = static_cast<int64_t>(items_of_users.size());
  data.num_items = num_items;
  data.user_offsets = torch::tensor(offsets, torch::kLong);         // [U + 1]
  data.items = torch::tensor(items, torch::kInt);                   // [E]
  data.labels = torch::ones({static_cast<int64_t>(items.size())});  // [E]
  return data;
}

}  // namespace reckon::testing
