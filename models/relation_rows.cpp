#include "models/relation_rows.h"

#include <algorithm>

namespace reckon {

RelationRows RelationRows::to(const torch::Device& device) const {
  return {.nodes = nodes.to(device), .counts = counts, .heard = heard.to(device)};
}

RelationRows relation_rows(const TypedEdges& edges) {
  const int64_t num_edges = edges.senders.size(0), num_nodes = edges.num_nodes();
  const auto* sender = edges.senders.const_data_ptr<int32_t>();
  const auto* type = edges.types.const_data_ptr<int32_t>();
  // Edges by relation.
  std::vector<int64_t> first(static_cast<size_t>(edges.num_relations()) + 1);
  for (int64_t e = 0; e < num_edges; ++e) ++first[static_cast<size_t>(type[e]) + 1];
  for (size_t r = 0; r + 1 < first.size(); ++r) first[r + 1] += first[r];
  std::vector<int64_t> next(first.begin(), first.end() - 1), order(static_cast<size_t>(num_edges));
  for (int64_t e = 0; e < num_edges; ++e)
    order[static_cast<size_t>(next[static_cast<size_t>(type[e])]++)] = e;

  RelationRows rows;
  std::vector<int32_t> nodes;
  std::vector<int32_t> row_of(static_cast<size_t>(num_nodes), -1);
  auto heard = torch::empty({num_edges}, torch::kInt);  // [E]
  auto* row = heard.data_ptr<int32_t>();
  for (size_t r = 0; r + 1 < first.size(); ++r) {
    std::vector<int32_t> senders;
    for (int64_t i = first[r]; i < first[r + 1]; ++i) {
      const auto node = sender[order[static_cast<size_t>(i)]];
      auto& place = row_of[static_cast<size_t>(node)];
      if (place < 0) senders.push_back(node);
      place = 0;
    }
    std::sort(senders.begin(), senders.end());
    const auto begin = static_cast<int32_t>(nodes.size());
    for (size_t s = 0; s < senders.size(); ++s)
      row_of[static_cast<size_t>(senders[s])] = begin + static_cast<int32_t>(s);
    for (int64_t i = first[r]; i < first[r + 1]; ++i) {
      const auto e = order[static_cast<size_t>(i)];
      row[e] = row_of[static_cast<size_t>(sender[e])];
    }
    for (const auto node : senders) row_of[static_cast<size_t>(node)] = -1;
    nodes.insert(nodes.end(), senders.begin(), senders.end());
    rows.counts.push_back(static_cast<int64_t>(senders.size()));
  }
  const auto num_rows = static_cast<int64_t>(nodes.size());
  rows.nodes = neighbour_lists(torch::arange(num_rows + 1, torch::kLong),
                               torch::tensor(nodes, torch::kInt), num_nodes);
  rows.heard = neighbour_lists(edges.offsets, heard, num_rows);
  return rows;
}

HearingPairs hearing_pairs(const TypedEdges& edges) {
  const auto* offset = edges.offsets.const_data_ptr<int64_t>();
  const auto* type = edges.types.const_data_ptr<int32_t>();
  std::vector<int64_t> offsets, nodes, first{0};
  std::vector<int32_t> types;
  for (int64_t node = 0; node < edges.num_nodes(); ++node) {
    for (auto e = offset[node]; e < offset[node + 1]; ++e) {
      if (e > offset[node] && type[e] == type[e - 1]) continue;
      offsets.push_back(e);
      nodes.push_back(node);
      types.push_back(type[e]);
    }
    first.push_back(static_cast<int64_t>(nodes.size()));
  }
  offsets.push_back(edges.senders.size(0));
  return {.offsets = torch::tensor(offsets, torch::kLong),
          .nodes = torch::tensor(nodes, torch::kLong),
          .types = torch::tensor(types, torch::kInt),
          .first = torch::tensor(first, torch::kLong)};
}

}  // namespace reckon
