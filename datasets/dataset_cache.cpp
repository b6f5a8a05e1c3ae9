#include "datasets/dataset_cache.h"

#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "datasets/cache_file.h"
#include "datasets/graph_builder.h"

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

Json json_of(NodeRange range) { return Json::array({range.first, range.count}); }

NodeRange range_of(const Json& json) {
  return {json.at(0).get<int64_t>(), json.at(1).get<int64_t>()};
}

// Everything of a graph but its arrays.
Json json_of(const Graph* graph) {
  if (graph == nullptr) return nullptr;
  Json json = {{"types", Json::array()}, {"relations", Json::array()}};
  for (const auto& type : graph->node_types)
    json["types"].push_back({{"name", type.name}, {"nodes", json_of(type.nodes)}});
  for (const auto& relation : graph->relations)
    json["relations"].push_back({{"name", relation.name},
                                 {"sources", json_of(relation.sources)},
                                 {"targets", json_of(relation.targets)},
                                 {"edges", relation.num_edges()},
                                 {"is_weighted", relation.weights.defined()},
                                 {"reverse_of", relation.reverse_of},
                                 {"kind", static_cast<int>(relation.kind)}});
  return json;
}

constexpr const char* kGraphOffsets = "graph.offsets";
constexpr const char* kGraphEnds = "graph.ends";
constexpr const char* kGraphWeights = "graph.weights";

// The arrays of all relations behind one another: a knowledge graph has many small ones.
void add_graph(SectionWriter& writer, const Graph& graph) {
  std::vector<torch::Tensor> offsets, ends, weights;
  for (const auto& relation : graph.relations) {
    offsets.push_back(relation.offsets);
    ends.push_back(relation.ends);
    if (relation.weights.defined()) weights.push_back(relation.weights);
  }
  add_tensor(writer, kGraphOffsets, torch::cat(offsets));
  add_tensor(writer, kGraphEnds, torch::cat(ends));
  if (!weights.empty()) add_tensor(writer, kGraphWeights, torch::cat(weights));
}

// Without `reader`, relations have no edges.
std::shared_ptr<const Graph> graph_of(const Json& json, const SectionReader* reader) {
  if (json.is_null()) return nullptr;
  auto graph = std::make_shared<Graph>();
  for (const auto& type : json.at("types"))
    graph->node_types.push_back({type.at("name").get<std::string>(), range_of(type.at("nodes"))});
  torch::Tensor offsets, ends, weights;
  if (reader != nullptr) {
    offsets = tensor_of(*reader, kGraphOffsets, torch::kLong);  // [sum of S + 1]
    ends = tensor_of(*reader, kGraphEnds, torch::kInt);         // [sum of E]
    weights = tensor_of(*reader, kGraphWeights, torch::kFloat);
  }
  int64_t offset = 0, edge = 0, weight = 0;
  const auto next = [](const torch::Tensor& all, int64_t& place, int64_t count) {
    place += count;
    return all.slice(0, place - count, place);  // [count]
  };
  for (const auto& from : json.at("relations")) {
    Relation relation;
    relation.name = from.at("name").get<std::string>();
    relation.sources = range_of(from.at("sources"));
    relation.targets = range_of(from.at("targets"));
    relation.reverse_of = from.at("reverse_of").get<int64_t>();
    relation.kind = static_cast<EdgeKind>(from.at("kind").get<int>());
    if (reader != nullptr) {
      const auto num_edges = from.at("edges").get<int64_t>();
      relation.offsets = next(offsets, offset, relation.sources.count + 1);
      relation.ends = next(ends, edge, num_edges);
      if (from.at("is_weighted").get<bool>()) relation.weights = next(weights, weight, num_edges);
    }
    graph->relations.push_back(std::move(relation));
  }
  return graph;
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
                       {"mutual", dataset.interactions().mutual},
                       {"graph", json_of(dataset.graph())},
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
    if (dataset.graph() != nullptr) add_graph(writer, *dataset.graph());
    writer.finish();
  });
}

DatasetHead read_dataset_head(const std::string& path) {
  const SectionReader reader(path, SectionReader::Check::kWhenRead);
  try {
    const auto head = Json::parse(reader.at("head"));
    return {head.at("fingerprint").get<std::string>(), head.at("users").get<int64_t>(),
            head.at("items").get<int64_t>(), graph_of(head.value("graph", Json()), nullptr),
            std::string(reader.at("report"))};
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
    data.mutual = head.value("mutual", false);
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
    parts.graph = graph_of(head.value("graph", Json()), &reader);
    return DatasetBuilder::build(std::move(parts));
  } catch (const DataError&) {
    throw;
  } catch (const std::exception& error) {
    throw DataError(path, 0, std::string("does not fit together: ") + error.what());
  }
}

}  // namespace reckon
