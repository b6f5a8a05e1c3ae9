#include "datasets/dataset_cache.h"

#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "datasets/cache_file.h"

namespace reckon {
namespace {

using Json = nlohmann::json;

template <class T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <class T>
std::vector<T> values_of(std::string_view bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

void add_ids(SectionWriter& writer, const std::string& name, const IdMap& ids) {
  writer.add(name + ".bytes", ids.bytes());
  writer.add(name + ".offsets", bytes_of(ids.offsets()));
}

IdMap ids_of(const SectionReader& reader, const std::string& name) {
  return IdMap::from_parts(std::string(reader.at(name + ".bytes")),
                           values_of<uint64_t>(reader.at(name + ".offsets")));
}

void add_tensor(SectionWriter& writer, const std::string& name, const torch::Tensor& tensor) {
  if (!tensor.defined()) return;
  const auto flat = tensor.contiguous();  // [E]
  writer.add(name, {static_cast<const char*>(flat.const_data_ptr()), flat.nbytes()});
}

torch::Tensor tensor_of(const SectionReader& reader, const std::string& name,
                        torch::ScalarType type) {
  if (!reader.has(name)) return {};
  const auto bytes = reader.at(name);
  const auto count =
      static_cast<int64_t>(bytes.size() / static_cast<size_t>(c10::elementSize(type)));
  if (count == 0) return torch::empty({0}, type);  // [0]
  // The tensor holds the mapping; pages are private, so that writing cannot reach the file.
  auto* data = const_cast<char*>(bytes.data());
  return torch::from_blob(data, {count}, [mapping = reader.file().data()](void*) {}, type);  // [E]
}

void add_columns(SectionWriter& writer, const std::string& name,
                 const std::vector<TableColumn>& columns) {
  for (size_t i = 0; i < columns.size(); ++i) {
    std::string bytes;
    std::vector<uint64_t> offsets = {0};
    for (const auto& value : columns[i].values) {
      bytes += value;
      offsets.push_back(bytes.size());
    }
    const auto key = name + "." + std::to_string(i);
    writer.add(key + ".bytes", bytes);
    writer.add(key + ".offsets", bytes_of(offsets));
  }
}

std::vector<TableColumn> columns_of(const SectionReader& reader, const std::string& name,
                                    const Json& names) {
  std::vector<TableColumn> columns;
  for (const auto& column_name : names) {
    const auto key = name + "." + std::to_string(columns.size());
    const auto bytes = reader.at(key + ".bytes");
    const auto offsets = values_of<uint64_t>(reader.at(key + ".offsets"));
    TableColumn column{column_name.get<std::string>(), {}};
    for (size_t i = 0; i + 1 < offsets.size(); ++i)
      column.values.emplace_back(bytes.substr(offsets[i], offsets[i + 1] - offsets[i]));
    columns.push_back(std::move(column));
  }
  return columns;
}

}  // namespace

void write_dataset(const std::string& path, const Dataset& dataset) {
  write_file_atomic(path, [&dataset](AtomicFile& file) {
    SectionWriter writer(file);
    const Json head = {{"events", dataset.event_names()},
                       {"item_columns", names_of(dataset.item_columns())},
                       {"user_columns", names_of(dataset.user_columns())},
                       {"users", dataset.num_users()},
                       {"items", dataset.num_items()},
                       {"time_scale", dataset.interactions().time_scale},
                       {"fingerprint", dataset.fingerprint()}};
    writer.add("head", head.dump());
    writer.add("report", dataset.report());
    add_ids(writer, "users", dataset.users());
    add_ids(writer, "items", dataset.items());
    const auto& data = dataset.interactions();
    add_tensor(writer, "interactions.user_offsets", data.user_offsets);
    add_tensor(writer, "interactions.items", data.items);
    add_tensor(writer, "interactions.labels", data.labels);
    add_tensor(writer, "interactions.times", data.times);
    add_tensor(writer, "interactions.weights", data.weights);
    add_tensor(writer, "interactions.events", data.events);
    add_tensor(writer, "interactions.splits", dataset.split_of());
    const auto& by_item = dataset.by_item();
    add_tensor(writer, "by_item.offsets", by_item.offsets);
    add_tensor(writer, "by_item.users", by_item.users);
    add_tensor(writer, "by_item.rows", by_item.rows);
    add_columns(writer, "item_columns", dataset.item_columns());
    add_columns(writer, "user_columns", dataset.user_columns());
    writer.finish();
  });
}

DatasetHead read_dataset_head(const std::string& path) {
  const SectionReader reader(path, SectionReader::Check::kWhenRead);
  try {
    const auto head = Json::parse(reader.at("head"));
    return {head.at("fingerprint").get<std::string>(), head.at("users").get<int64_t>(),
            head.at("items").get<int64_t>()};
  } catch (const Json::exception& error) {
    throw DataError(path, 0, std::string("has a damaged head: ") + error.what());
  }
}

DatasetIds read_dataset_ids(const std::string& path) {
  const SectionReader reader(path, SectionReader::Check::kWhenRead);
  try {
    return {ids_of(reader, "users"), ids_of(reader, "items")};
  } catch (const std::invalid_argument& error) {
    throw DataError(path, 0, std::string("does not fit together: ") + error.what());
  }
}

Dataset read_dataset(const std::string& path) {
  const SectionReader reader(path);
  try {
    const auto head = Json::parse(reader.at("head"));
    DatasetParts parts;
    parts.users = ids_of(reader, "users");
    parts.items = ids_of(reader, "items");
    parts.event_names = head.at("events").get<std::vector<std::string>>();
    parts.fingerprint = head.at("fingerprint").get<std::string>();
    parts.report = std::string(reader.at("report"));
    parts.item_columns = columns_of(reader, "item_columns", head.at("item_columns"));
    parts.user_columns = columns_of(reader, "user_columns", head.at("user_columns"));
    auto& data = parts.interactions;
    data.num_users = parts.users.size();
    data.num_items = parts.items.size();
    data.time_scale = head.at("time_scale").get<int64_t>();
    data.user_offsets = tensor_of(reader, "interactions.user_offsets", torch::kLong);
    data.items = tensor_of(reader, "interactions.items", torch::kInt);
    data.labels = tensor_of(reader, "interactions.labels", torch::kFloat);
    data.times = tensor_of(reader, "interactions.times", torch::kLong);
    data.weights = tensor_of(reader, "interactions.weights", torch::kFloat);
    data.events = tensor_of(reader, "interactions.events", torch::kByte);
    parts.split_of = tensor_of(reader, "interactions.splits", torch::kByte);
    parts.by_item = {tensor_of(reader, "by_item.offsets", torch::kLong),
                     tensor_of(reader, "by_item.users", torch::kInt),
                     tensor_of(reader, "by_item.rows", torch::kLong)};
    return DatasetBuilder::build(std::move(parts));
  } catch (const DataError&) {
    throw;
  } catch (const std::exception& error) {
    throw DataError(path, 0, std::string("does not fit together: ") + error.what());
  }
}

}  // namespace reckon
