#include "cli/model_summary.h"

#include <functional>
#include <memory>
#include <vector>

#include "core/format.h"
#include "datasets/graph_builder.h"
#include "models/feature_encoding.h"

namespace reckon {
namespace {

struct Part {
  std::string name;
  int depth = 0;
  std::vector<int64_t> counts;  // one for each probe
};

int64_t own_and_below(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

// The parts of a model, the outermost first; deep trees are cut where parts have no names of ours.
void collect(const torch::nn::Module& module, const std::string& name, int depth, size_t probe,
             std::vector<Part>& parts, size_t& index) {
  if (probe == 0) parts.push_back({name, depth, {}});
  parts[index++].counts.push_back(own_and_below(module));
  if (depth == 3) return;
  for (const auto& child : module.named_children())
    collect(*child.value(), child.key(), depth + 1, probe, parts, index);
}

ParameterFormula solve(const std::vector<int64_t>& counts, int64_t base) {
  ParameterFormula formula;
  formula.users = counts[1] - counts[0];
  formula.items = counts[2] - counts[0];
  formula.constant = counts[0] - base * (formula.users + formula.items);
  return formula;
}

}  // namespace

std::string ParameterFormula::to_string() const {
  std::string out;
  const auto add = [&](const std::string& term) { out += (out.empty() ? "" : " + ") + term; };
  if (users != 0) add(format_count(users) + "*U");
  if (items != 0) add(format_count(items) + "*I");
  if (constant != 0 || out.empty()) add(format_count(constant));
  return out;
}

std::string summarize_model(const Component<Model>& model, const std::optional<DataSizes>& sizes,
                            const Graph* graph) {
  constexpr int64_t kBase = 8;
  const std::vector<DataSizes> probes = {{kBase, kBase}, {kBase + 1, kBase}, {kBase, kBase + 1}};
  std::vector<Part> parts;
  bool has_features = false;
  for (size_t probe = 0; probe < probes.size(); ++probe) {
    const auto& size = probes[probe];
    const auto around =
        graph != nullptr ? resized_graph(*graph, size.num_users, size.num_items) : Graph();
    const auto built = model.build(
        {.num_users = size.num_users,
         .num_items = size.num_items,
         .graph = graph != nullptr ? &around : nullptr,
         .columns = [&](TableRole role, const std::vector<ColumnRequest>& requests) {
           has_features = true;
           return missing_contents(requests,
                                   role == TableRole::kItems ? size.num_items : size.num_users);
         }});
    size_t index = 0;
    collect(*built, "model", 0, probe, parts, index);
  }
  std::vector<std::string> head = {"part", "parameters"};
  if (sizes) head.push_back("here");
  TextTable table(head,
                  {TextTable::Align::kLeft, TextTable::Align::kRight, TextTable::Align::kRight});
  for (const auto& part : parts) {
    const auto formula = solve(part.counts, kBase);
    std::vector<std::string> row = {std::string(2 * part.depth, ' ') +
                                        (part.depth == 0 ? "model (" + model.type() + ")"
                                                         : part.name),
                                    formula.to_string()};
    if (sizes) row.push_back(format_count(formula.at(sizes->num_users, sizes->num_items)));
    table.add_row(row);
  }
  auto out = table.to_string();
  if (sizes) {
    const auto bytes = 4 * solve(parts[0].counts, kBase).at(sizes->num_users, sizes->num_items);
    out += "memory: " + format_bytes(bytes) + " of weights; training holds at least " +
           format_bytes(4 * bytes) +
           " (weights, gradients, two moments), activations not counted\n";
  } else {
    out +=
        "U users and I items are not known yet: prepare the data, or give --sizes "
        "users=..,items=..\n";
  }
  if (has_features)
    out +=
        "vectors for the values of feature columns come on top: the values are counted when "
        "training "
        "begins\n";
  return out;
}

DataSizes parse_sizes(const std::string& text) {
  DataSizes sizes;
  const auto fail = [&]() -> ConfigError {
    return ConfigError(
        {{{"--sizes", 0, 0}, "'" + text + "' is not of the form users=100,items=200", ""}});
  };
  size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto part = text.substr(begin, end - begin);
    const auto equals = part.find('=');
    if (equals == std::string::npos || equals + 1 == part.size() || part.size() - equals > 12)
      throw fail();
    int64_t value = 0;
    for (size_t i = equals + 1; i < part.size(); ++i) {
      if (part[i] < '0' || part[i] > '9') throw fail();
      value = value * 10 + (part[i] - '0');
    }
    const auto name = part.substr(0, equals);
    if (name == "users")
      sizes.num_users = value;
    else if (name == "items")
      sizes.num_items = value;
    else
      throw fail();
    begin = end + 1;
  }
  if (sizes.num_users < 1 || sizes.num_items < 1) throw fail();
  return sizes;
}

}  // namespace reckon
