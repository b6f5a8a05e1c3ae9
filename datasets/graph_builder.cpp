#include "datasets/graph_builder.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "core/diagnostics.h"
#include "core/format.h"
#include "core/grouping.h"

namespace reckon {
namespace {

constexpr const char* kReverse = "rev_";

void require_room(int64_t num_nodes) {
  constexpr auto kMost = int64_t{std::numeric_limits<int32_t>::max()};
  if (num_nodes > kMost)
    throw std::length_error("a graph of " + format_count(num_nodes) +
                            " nodes is too large: nodes are numbered in 32 bits, up to " +
                            format_count(kMost));
}

// Lists of edges by their source: offsets and the order of the edges, which keeps that of each source.
std::vector<size_t> order_by_source(const std::vector<GraphBuilder::Edge>& edges,
                                    int64_t num_sources, int64_t* offsets) {
  struct Entry {
    size_t edge;
    int32_t key;
  };
  std::vector<size_t> order(edges.size());
  group_by_key<Entry>(
      static_cast<int64_t>(edges.size()), num_sources, offsets, at::get_num_threads(),
      [&edges](int64_t begin, int64_t end, const auto& emit) {
        for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
          emit(Entry{i, static_cast<int32_t>(edges[i].source)});
      },
      [&order](int64_t place, const Entry& entry) {
        order[static_cast<size_t>(place)] = entry.edge;
      });
  return order;
}

Relation without_edges(const Relation& like, NodeRange sources, NodeRange targets) {
  Relation relation;
  relation.name = like.name;
  relation.sources = sources;
  relation.targets = targets;
  relation.offsets = torch::zeros({sources.count + 1}, torch::kLong);               // [S + 1]
  relation.ends = torch::empty({0}, torch::kInt);                                   // [0]
  if (like.weights.defined()) relation.weights = torch::empty({0}, torch::kFloat);  // [0]
  relation.reverse_of = like.reverse_of;
  relation.kind = like.kind;
  return relation;
}

Relation reversed(const Relation& relation, int64_t index) {
  auto out = without_edges(relation, relation.targets, relation.sources);
  out.name = kReverse + relation.name;
  out.reverse_of = index;
  const auto num_edges = relation.num_edges();
  out.ends = torch::empty({num_edges}, torch::kInt);                                       // [E]
  if (relation.weights.defined()) out.weights = torch::empty({num_edges}, torch::kFloat);  // [E]
  const auto* weights = relation.weights.defined() ? relation.weights.data_ptr<float>() : nullptr;
  auto* back = out.ends.data_ptr<int32_t>();
  auto* weight_of = weights != nullptr ? out.weights.data_ptr<float>() : nullptr;
  // Sources ascend, and so do the ends of every list that is filled in their order.
  turn_lists(relation.sources.count, relation.offsets.data_ptr<int64_t>(),
             relation.ends.data_ptr<int32_t>(), out.sources.count, out.offsets.data_ptr<int64_t>(),
             at::get_num_threads(), [&](int64_t place, int32_t source, int64_t edge) {
               back[place] = source;
               if (weights != nullptr) weight_of[place] = weights[edge];
             });
  return out;
}

}  // namespace

GraphBuilder::GraphBuilder(int64_t num_users, int64_t num_items) {
  add_nodes("user", num_users);
  add_nodes("item", num_items);
}

NodeRange GraphBuilder::add_nodes(const std::string& name, int64_t count) {
  const NodeRange nodes{graph_.num_nodes(), count};
  require_room(nodes.first + count);
  graph_.node_types.push_back({name, nodes});
  return nodes;
}

GraphBuilder::Merged GraphBuilder::add_relation(const RelationSpec& spec, std::vector<Edge> edges) {
  const auto name_is = [](const std::string& name) {
    return [&name](const Relation& other) { return other.name == name; };
  };
  for (const auto& name : {spec.name, kReverse + spec.name})
    if (std::any_of(graph_.relations.begin(), graph_.relations.end(), name_is(name)))
      throw std::invalid_argument("two relations of the graph are called '" + name + "'");
  Relation relation;
  relation.name = spec.name;
  relation.kind = spec.kind;
  relation.sources = spec.sources;
  relation.targets = spec.targets;
  relation.offsets = torch::empty({spec.sources.count + 1}, torch::kLong);  // [S + 1]
  auto* offsets = relation.offsets.data_ptr<int64_t>();
  auto order = order_by_source(edges, spec.sources.count, offsets);
  std::vector<int32_t> ends;
  std::vector<float> weights;
  ends.reserve(edges.size());
  if (spec.is_weighted) weights.reserve(edges.size());
  Merged merged;
  for (int64_t source = 0; source < spec.sources.count; ++source) {
    const auto begin = order.begin() + offsets[source], end = order.begin() + offsets[source + 1];
    std::stable_sort(begin, end,
                     [&](size_t a, size_t b) { return edges[a].target < edges[b].target; });
  }
  size_t place = 0;
  for (int64_t source = 0; source < spec.sources.count; ++source) {
    const auto end = static_cast<size_t>(offsets[source + 1]);
    const auto first = ends.size();
    for (; place < end; ++place) {
      const auto& edge = edges[order[place]];
      if (ends.size() == first || ends.back() != edge.target) {
        ends.push_back(edge.target);
        if (spec.is_weighted) weights.push_back(edge.weight);
        continue;
      }
      ++merged.repeated;
      if (!spec.is_weighted) continue;
      if (spec.merge == Merge::kSum) {
        weights.back() += edge.weight;
      } else {
        merged.contradicting += weights.back() != edge.weight ? 1 : 0;
        weights.back() = edge.weight;
      }
    }
    offsets[source + 1] = static_cast<int64_t>(ends.size());
  }
  relation.ends = torch::tensor(ends, torch::kInt);                                // [E]
  if (spec.is_weighted) relation.weights = torch::tensor(weights, torch::kFloat);  // [E]
  const auto index = static_cast<int64_t>(graph_.relations.size());
  graph_.relations.push_back(std::move(relation));
  if (spec.reverse) graph_.relations.push_back(reversed(graph_.relations.back(), index));
  return merged;
}

BuiltGraph build_graph(const DataOptions& options, const IdMap& users, const IdMap& items,
                       const Interactions& interactions, const torch::Tensor& split_of) {
  try {
    EdgeMaker maker(options, users, items, interactions, split_of);
    // Entities stand right behind the items, so that a relation of triples goes from one range to
    // one range: whatever the order of the list, triples come before what makes other nodes.
    std::vector<std::shared_ptr<EdgeSource>> sources;
    for (const auto& edges : options.graph->edges) sources.push_back(edges.build());
    const auto turn = [](const auto& source) {
      return std::min(source->kind(), EdgeKind::kAttribute);
    };
    std::stable_sort(sources.begin(), sources.end(),
                     [turn](const auto& a, const auto& b) { return turn(a) < turn(b); });
    for (const auto& source : sources) source->make(maker);
    return {maker.graph.take(), std::move(maker.counts)};
  } catch (const DataError&) {
    throw;
  } catch (const std::exception& error) {  // of names and sizes
    throw DataError("data.graph", 0, error.what());
  }
}

Graph declared_graph(const DataOptions& options, int64_t num_users, int64_t num_items) {
  GraphBuilder builder(num_users, num_items);
  const auto users = builder.users(), items = builder.items();
  const auto add = [&](const std::string& name, EdgeKind kind, NodeRange sources, NodeRange targets,
                       bool reverse = true) {
    builder.add_relation(
        {.name = name, .kind = kind, .sources = sources, .targets = targets, .reverse = reverse},
        {});
  };
  if (!options.graph) add("interactions", EdgeKind::kInteractions, users, items);
  for (const auto& edges : options.graph.value_or(GraphOptions{}).edges) {
    if (const auto* triples = edges.options_as<TripleEdges::Options>()) {
      auto names = triples->relations;
      if (names.empty()) names.emplace_back();
      for (const auto& name : names) add(name, EdgeKind::kTriples, items, items, triples->reverse);
    } else if (const auto* attribute = edges.options_as<AttributeEdges::Options>()) {
      const bool of_items = attribute->of == AttributeEdges::Options::Of::kItem;
      const auto name = (of_items ? "item." : "user.") + attribute->column;
      add(name, EdgeKind::kAttribute, of_items ? items : users, builder.add_nodes(name, 0),
          attribute->reverse);
    } else if (const auto* friends = edges.options_as<FriendEdges::Options>()) {
      add(edges.type(), EdgeKind::kFriends, users, users, friends->directed && friends->reverse);
    } else {
      add(edges.type(), EdgeKind::kInteractions, users, items);
    }
  }
  return builder.take();
}

Graph resized_graph(const Graph& graph, int64_t num_users, int64_t num_items) {
  GraphBuilder builder(num_users, num_items);
  const auto& types = graph.node_types;
  for (size_t i = 2; i < types.size(); ++i) builder.add_nodes(types[i].name, types[i].nodes.count);
  auto out = builder.take();
  // Of a range, the types that it begins and ends with.
  const auto moved = [&](NodeRange range) {
    NodeRange to;
    bool is_first = true;
    for (size_t i = 0; i < types.size(); ++i) {
      const auto& nodes = types[i].nodes;
      if (nodes.first < range.first || nodes.first + nodes.count > range.first + range.count)
        continue;
      // An empty type belongs to whatever it touches; it adds nothing to either.
      if (is_first) to.first = out.node_types[i].nodes.first;
      is_first = false;
      to.count += out.node_types[i].nodes.count;
    }
    return to;
  };
  for (const auto& relation : graph.relations)
    out.relations.push_back(
        without_edges(relation, moved(relation.sources), moved(relation.targets)));
  return out;
}

std::vector<int64_t> isolated_nodes(const Graph& graph) {
  std::vector<uint8_t> is_touched(static_cast<size_t>(graph.num_nodes()), 0);
  for (const auto& relation : graph.relations) {
    const auto* offsets = relation.offsets.data_ptr<int64_t>();
    const auto* ends = relation.num_edges() > 0 ? relation.ends.data_ptr<int32_t>() : nullptr;
    for (int64_t source = 0; source < relation.sources.count; ++source)
      if (offsets[source + 1] > offsets[source])
        is_touched[static_cast<size_t>(relation.sources.first + source)] = 1;
    for (int64_t edge = 0; edge < relation.num_edges(); ++edge)
      is_touched[static_cast<size_t>(relation.targets.first + ends[edge])] = 1;
  }
  std::vector<int64_t> isolated;
  for (const auto& type : graph.node_types) {
    const auto begin = is_touched.begin() + type.nodes.first;
    isolated.push_back(std::count(begin, begin + type.nodes.count, 0));
  }
  return isolated;
}

void check_graph(const Graph& graph, int64_t num_users, int64_t num_items) {
  const auto& types = graph.node_types;
  TORCH_CHECK(types.size() >= 2 && types[0].nodes == NodeRange(0, num_users) &&
                  types[1].nodes == NodeRange(num_users, num_items),
              "graph: node types must begin with the users and items of the data");
  for (size_t i = 1; i < types.size(); ++i)
    TORCH_CHECK(types[i].nodes.first == types[i - 1].nodes.first + types[i - 1].nodes.count &&
                    types[i].nodes.count >= 0,
                "graph: nodes of type ", types[i].name, " must follow those before them");
  const auto is_inside = [&graph](NodeRange range) {
    return range.first >= 0 && range.count >= 0 && range.first + range.count <= graph.num_nodes();
  };
  for (const auto& relation : graph.relations) {
    const auto& name = relation.name;
    TORCH_CHECK(is_inside(relation.sources) && is_inside(relation.targets), "graph: relation ",
                name, " goes beyond the ", graph.num_nodes(), " nodes");
    TORCH_CHECK(relation.offsets.defined() && relation.offsets.scalar_type() == torch::kLong &&
                    relation.offsets.numel() == relation.sources.count + 1,
                "graph: relation ", name, " must have offsets [", relation.sources.count + 1,
                "] int64");
    const auto num_edges = relation.num_edges();
    TORCH_CHECK(relation.ends.defined() && relation.ends.scalar_type() == torch::kInt,
                "graph: relation ", name, " must have ends [E] int32");
    TORCH_CHECK(!relation.weights.defined() || (relation.weights.scalar_type() == torch::kFloat &&
                                                relation.weights.numel() == num_edges),
                "graph: relation ", name, " must have weights [", num_edges, "] float32");
    const auto* offsets = relation.offsets.data_ptr<int64_t>();
    bool ascends = offsets[0] == 0 && offsets[relation.sources.count] == num_edges;
    for (int64_t source = 0; source < relation.sources.count; ++source)
      ascends = ascends && offsets[source] <= offsets[source + 1];
    TORCH_CHECK(ascends, "graph: offsets of relation ", name, " must ascend from 0 to ", num_edges);
    const auto* ends = num_edges > 0 ? relation.ends.data_ptr<int32_t>() : nullptr;
    bool in_range = true;
    for (int64_t edge = 0; edge < num_edges; ++edge)
      in_range = in_range && ends[edge] >= 0 && ends[edge] < relation.targets.count;
    TORCH_CHECK(in_range, "graph: ends of relation ", name, " must lie in [0, ",
                relation.targets.count, ")");
    TORCH_CHECK(relation.reverse_of >= -1 &&
                    relation.reverse_of < static_cast<int64_t>(graph.relations.size()),
                "graph: relation ", name, " is the reverse of no relation");
  }
}

}  // namespace reckon
