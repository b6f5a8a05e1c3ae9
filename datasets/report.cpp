#include "datasets/report.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/format.h"
#include "datasets/prepare.h"

namespace reckon {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr const char* kSplitNames[] = {"train", "validation", "test"};

// Interactions per user (or per item) at fixed quantiles, nearest rank.
OrderedJson quantiles_of(std::vector<int64_t> counts) {
  OrderedJson json = OrderedJson::object();
  if (counts.empty()) return json;
  std::sort(counts.begin(), counts.end());
  const auto at = [&](double share) {
    const auto rank = static_cast<size_t>(share * static_cast<double>(counts.size() - 1) + 0.5);
    return counts[rank];
  };
  int64_t total = 0;
  for (const auto count : counts) total += count;
  json["mean"] = static_cast<double>(total) / static_cast<double>(counts.size());
  json["min"] = counts.front();
  for (const auto& [name, share] : {std::pair{"p10", 0.1},
                                    {"p25", 0.25},
                                    {"p50", 0.5},
                                    {"p75", 0.75},
                                    {"p90", 0.9},
                                    {"p99", 0.99}})
    json[name] = at(share);
  json["max"] = counts.back();
  return json;
}

std::vector<int64_t> lengths_of(const Interactions& data) {
  const auto* offsets = data.user_offsets.data_ptr<int64_t>();
  std::vector<int64_t> lengths(static_cast<size_t>(data.num_users));
  for (int64_t user = 0; user < data.num_users; ++user)
    lengths[static_cast<size_t>(user)] = offsets[user + 1] - offsets[user];
  return lengths;
}

// The nodes that a relation goes from or to, by the types that they are of.
std::string types_of(const Graph& graph, NodeRange range) {
  std::vector<std::string> names;
  for (const auto& type : graph.node_types)
    if (type.nodes.count > 0 && type.nodes.first >= range.first &&
        type.nodes.first + type.nodes.count <= range.first + range.count)
      names.push_back(type.name);
  return join(names, " or ");
}

OrderedJson graph_json(const Graph& graph, const std::vector<EdgeCounts>& edges) {
  OrderedJson json;
  const auto isolated = isolated_nodes(graph);
  json["nodes"] = OrderedJson::array();
  for (size_t i = 0; i < graph.node_types.size(); ++i)
    json["nodes"].push_back({{"type", graph.node_types[i].name},
                             {"count", graph.node_types[i].nodes.count},
                             {"isolated", isolated[i]}});
  json["relations"] = OrderedJson::array();
  for (const auto& relation : graph.relations) {
    OrderedJson entry = {{"name", relation.name},
                         {"from", types_of(graph, relation.sources)},
                         {"to", types_of(graph, relation.targets)},
                         {"edges", relation.num_edges()},
                         {"weighted", relation.weights.defined()}};
    if (relation.reverse_of >= 0)
      entry["reverse_of"] = graph.relations[static_cast<size_t>(relation.reverse_of)].name;
    json["relations"].push_back(std::move(entry));
  }
  json["made_of"] = OrderedJson::array();
  for (const auto& source : edges) {
    OrderedJson entry = {{"edges", source.type}};
    if (!source.path.empty()) entry["file"] = source.path;
    for (const auto& [name, count] : source.counts) entry["counts"][name] = count;
    json["made_of"].push_back(std::move(entry));
  }
  return json;
}

// Of many relations a person wants the largest.
constexpr size_t kShownRelations = 12;

std::string graph_text(const OrderedJson& json) {
  using Align = TextTable::Align;
  const auto count = [](const OrderedJson& value) { return format_count(value.get<int64_t>()); };
  TextTable nodes({"nodes", "number", "without an edge"},
                  {Align::kLeft, Align::kRight, Align::kRight});
  for (const auto& type : json.at("nodes"))
    nodes.add_row(
        {type.at("type").get<std::string>(), count(type.at("count")), count(type.at("isolated"))});
  std::vector<OrderedJson> relations = json.at("relations");
  std::stable_sort(relations.begin(), relations.end(), [](const auto& a, const auto& b) {
    return a.at("edges").template get<int64_t>() > b.at("edges").template get<int64_t>();
  });
  TextTable edges({"relation", "from", "to", "edges"},
                  {Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight});
  int64_t num_more = 0, num_reversed = 0;
  size_t num_shown = 0, num_hidden = 0;
  for (const auto& relation : relations) {
    if (relation.contains("reverse_of")) {
      ++num_reversed;
    } else if (num_shown == kShownRelations) {
      ++num_hidden;
      num_more += relation.at("edges").get<int64_t>();
    } else {
      ++num_shown;
      edges.add_row({relation.at("name").get<std::string>(), relation.at("from").get<std::string>(),
                     relation.at("to").get<std::string>(), count(relation.at("edges"))});
    }
  }
  auto text = nodes.to_string() + "\n" + edges.to_string();
  if (num_hidden > 0)
    text += "and " + format_count(static_cast<int64_t>(num_hidden)) + " relations more with " +
            format_count(num_more) + " edges\n";
  if (num_reversed > 0)
    text += format_count(num_reversed) + " of " +
            format_count(static_cast<int64_t>(relations.size())) +
            " relations are others the other way round\n";
  for (const auto& source : json.at("made_of")) {
    std::vector<std::string> counts;
    for (const auto& [name, value] : source.at("counts").items())
      counts.push_back(name + " " + count(value));
    text += source.at("edges").get<std::string>() +
            (source.contains("file") ? " of " + source.at("file").get<std::string>() : "") + ": " +
            join(counts) + "\n";
  }
  return text;
}

}  // namespace

std::vector<std::string> split_warnings(const Interactions& data, const torch::Tensor& split_of) {
  std::vector<std::string> warnings;
  const auto* offsets = data.user_offsets.data_ptr<int64_t>();
  const auto* items = data.items.data_ptr<int32_t>();
  const auto* splits = split_of.data_ptr<uint8_t>();
  const int64_t* times = data.times.defined() ? data.times.data_ptr<int64_t>() : nullptr;
  const auto num_rows = data.size();
  const auto held_out = num_rows - std::count(splits, splits + num_rows, 0);
  if (num_rows == 0 || held_out == 0) return warnings;

  // Without times, the order of the rows is all that is known of time.
  const auto time_of = [times](int64_t row) { return times != nullptr ? times[row] : row; };
  int64_t num_with_future = 0, num_held_users = 0, num_new_users = 0;
  std::vector<uint8_t> is_known_item(static_cast<size_t>(data.num_items), 0);
  for (int64_t row = 0; row < num_rows; ++row)
    if (splits[row] == 0) is_known_item[static_cast<size_t>(items[row])] = 1;
  int64_t num_new_items = 0;
  for (int64_t user = 0; user < data.num_users; ++user) {
    auto first_held = std::numeric_limits<int64_t>::max();
    auto last_trained = std::numeric_limits<int64_t>::min();
    for (auto row = offsets[user]; row < offsets[user + 1]; ++row) {
      if (splits[row] == 0) {
        last_trained = std::max(last_trained, time_of(row));
        continue;
      }
      first_held = std::min(first_held, time_of(row));
      num_new_items += is_known_item[static_cast<size_t>(items[row])] == 0 ? 1 : 0;
    }
    if (first_held == std::numeric_limits<int64_t>::max()) continue;
    ++num_held_users;
    num_new_users += last_trained == std::numeric_limits<int64_t>::min() ? 1 : 0;
    num_with_future += last_trained > first_held ? 1 : 0;
  }
  const auto of_users = " of " + format_count(num_held_users) + " users with held-out interactions";
  if (num_with_future > 0)
    warnings.push_back("the split puts the future of " + format_count(num_with_future) + of_users +
                       " into training: they have training interactions later than held-out ones");
  if (num_new_users > 0)
    warnings.push_back(format_count(num_new_users) + of_users + " have none in training");
  if (num_new_items > 0)
    warnings.push_back(format_count(num_new_items) + " of " + format_count(held_out) +
                       " held-out interactions are with items that training never saw");
  return warnings;
}

std::string make_report(const DatasetParts& parts, const PreparationFacts& facts) {
  const auto& data = parts.interactions;
  const auto num_rows = data.size();
  OrderedJson json;
  json["users"] = data.num_users;
  json["items"] = data.num_items;
  json["interactions"] = num_rows;
  json["density"] = static_cast<double>(num_rows) /
                    (static_cast<double>(data.num_users) * static_cast<double>(data.num_items));
  json["interactions_per_user"] = quantiles_of(lengths_of(data));
  const auto counts = item_counts(data);  // [I]
  const auto* count = counts.data_ptr<int64_t>();
  json["interactions_per_item"] = quantiles_of(std::vector<int64_t>(count, count + data.num_items));
  const auto range_of = [](const auto* values, int64_t size) {
    const auto [least, greatest] = std::minmax_element(values, values + size);
    return OrderedJson{{"min", *least}, {"max", *greatest}};
  };
  if (data.labels.defined()) json["labels"] = range_of(data.labels.data_ptr<float>(), num_rows);
  if (data.times.defined()) {
    json["times"] = range_of(data.times.data_ptr<int64_t>(), num_rows);
    if (data.time_scale != 1) json["times"]["scale"] = data.time_scale;
  }
  if (data.events.defined()) {
    std::vector<int64_t> of_event(parts.event_names.size(), 0);
    const auto* events = data.events.data_ptr<uint8_t>();
    for (int64_t row = 0; row < num_rows; ++row) ++of_event[events[row]];
    for (size_t i = 0; i < of_event.size(); ++i) json["events"][parts.event_names[i]] = of_event[i];
  }
  const auto* splits = parts.split_of.data_ptr<uint8_t>();
  const auto* offsets = data.user_offsets.data_ptr<int64_t>();
  for (uint8_t split = 0; split < 3; ++split) {
    int64_t users = 0;
    for (int64_t user = 0; user < data.num_users; ++user)
      users += std::find(splits + offsets[user], splits + offsets[user + 1], split) !=
                       splits + offsets[user + 1]
                   ? 1
                   : 0;
    json["splits"][kSplitNames[split]] = {
        {"interactions", std::count(splits, splits + num_rows, split)}, {"users", users}};
  }
  if (parts.graph) json["graph"] = graph_json(*parts.graph, facts.edges);
  json["read"] = facts.num_read;
  json["steps"] = OrderedJson::array();
  for (const auto& step : facts.steps) {
    OrderedJson entry = {{"name", step.name}, {"removed", step.removed}};
    if (!step.detail.empty()) entry["detail"] = step.detail;
    json["steps"].push_back(entry);
  }
  json["warnings"] = facts.warnings;
  json["notes"] = facts.notes;
  json["fingerprint"] = parts.fingerprint;
  return json.dump(2) + "\n";
}

std::string format_graph(const std::string& report) {
  const auto json = OrderedJson::parse(report);
  return json.contains("graph") ? graph_text(json.at("graph")) : "";
}

std::string format_report(const Dataset& dataset) {
  const auto json = OrderedJson::parse(dataset.report());
  const auto count = [](const OrderedJson& value) { return format_count(value.get<int64_t>()); };
  std::string text = count(json.at("users")) + " users, " + count(json.at("items")) + " items, " +
                     count(json.at("interactions")) + " interactions, density " +
                     format_percent(json.at("density").get<double>(), 3) + "\n\n";
  using Align = TextTable::Align;
  TextTable lengths({"interactions", "mean", "min", "10%", "25%", "50%", "75%", "90%", "99%",
                     "max"},
                    {Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kRight,
                     Align::kRight, Align::kRight, Align::kRight, Align::kRight, Align::kRight});
  for (const auto& [key, name] : {std::pair{"interactions_per_user", "of a user"},
                                  {"interactions_per_item", "with an item"}}) {
    const auto& row = json.at(key);
    std::vector<std::string> cells = {name, format_fixed(row.at("mean").get<double>(), 1)};
    for (const char* column : {"min", "p10", "p25", "p50", "p75", "p90", "p99", "max"})
      cells.push_back(count(row.at(column)));
    lengths.add_row(std::move(cells));
  }
  text += lengths.to_string() + "\n";

  TextTable steps({"step", "removed", "left"}, {Align::kLeft, Align::kRight, Align::kRight});
  auto left = json.at("read").get<int64_t>();
  steps.add_row({"read", "", format_count(left)});
  for (const auto& step : json.at("steps")) {
    const auto removed = step.at("removed").get<int64_t>();
    left -= removed;
    steps.add_row({step.at("name").get<std::string>(), format_count(removed), format_count(left)});
  }
  text += steps.to_string();
  for (const auto& step : json.at("steps"))
    if (step.contains("detail"))
      text +=
          step.at("name").get<std::string>() + ": " + step.at("detail").get<std::string>() + "\n";

  TextTable splits({"split", "interactions", "users"},
                   {Align::kLeft, Align::kRight, Align::kRight});
  for (const char* name : kSplitNames) {
    const auto& split = json.at("splits").at(name);
    splits.add_row({name, count(split.at("interactions")), count(split.at("users"))});
  }
  text += "\n" + splits.to_string();
  if (json.contains("graph")) text += "\n" + graph_text(json.at("graph"));
  for (const auto& warning : json.at("warnings"))
    text += "warning: " + warning.get<std::string>() + "\n";
  for (const auto& note : json.at("notes")) text += "note: " + note.get<std::string>() + "\n";
  return text;
}

}  // namespace reckon
