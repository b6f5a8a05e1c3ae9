#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "core/diagnostics.h"
#include "core/format.h"
#include "core/ids.h"
#include "core/random.h"
#include "datasets/data_schema.h"
#include "datasets/graph_builder.h"
#include "datasets/hash.h"
#include "datasets/table_loader.h"
#include "datasets/table_reader.h"
#include "datasets/text_blocks.h"
#include "datasets/vocabulary.h"

namespace reckon {
namespace {

using Edge = GraphBuilder::Edge;

std::string in_quotes(std::string_view text) { return "'" + excerpt(text) + "'"; }

const std::string& first_path(const FileList& files) { return files.files.front().path; }

/// A row whose parts are all there.
struct GraphRow {
  const std::string& path;
  int64_t line;
  std::vector<std::string_view> values;
};

struct RowCounts {
  int64_t read = 0, malformed = 0, missing = 0;

  void add_to(EdgeCounts& counts) const {
    counts.add("read", read);
    if (malformed > 0) counts.add("malformed", malformed);
    if (missing > 0) counts.add("missing", missing);
  }
};

// Hands over the columns of the given roles, row by row, as texts.
RowCounts read_rows(const DataOptions& options, const FileList& files,
                    const std::vector<std::string>& roles,
                    const std::function<void(const GraphRow&)>& take) {
  RowCounts counts;
  const auto& cleaning = options.cleaning;
  for (const auto& file : files) {
    const auto path = options.resolve(file.path);
    const auto table = open_table(file, path);
    std::vector<TableReader::Selection> selection;
    for (const auto& role : roles)
      selection.push_back(
          {resolve_id(table->columns(), file.roles, role, path), ColumnType::kText});
    table->select(selection);
    RowBlock block;
    while (table->next(block)) {
      counts.read += static_cast<int64_t>(block.malformed.size() + block.size());
      counts.malformed += static_cast<int64_t>(block.malformed.size());
      if (!block.malformed.empty() && cleaning.malformed == CleaningOptions::Malformed::kRefuse)
        throw DataError(path, block.malformed.front().line, block.malformed.front().what,
                        "'cleaning: {malformed: skip}' counts such rows and goes on");
      for (size_t row = 0; row < block.size(); ++row) {
        GraphRow out{path, block.lines[row], {}};
        bool is_missing = false;
        for (size_t i = 0; i < roles.size(); ++i) {
          if (block.columns[i].is_missing[row] != 0) {
            if (cleaning.missing == CleaningOptions::Missing::kRefuse)
              throw DataError(path, out.line, "no value for the " + roles[i],
                              "'cleaning: {missing: drop}' counts such rows and goes on");
            is_missing = true;
          }
          out.values.push_back(block.columns[i].text[row]);
        }
        if (is_missing)
          ++counts.missing;
        else
          take(out);
      }
    }
  }
  return counts;
}

/// Texts in the order of their bytes, and the numbers that they get by it.
class SortedNames {
 public:
  void add(std::string_view name) { numbers_.emplace(name, 0); }
  void number() {
    int32_t next = 0;
    for (auto& [name, number] : numbers_) number = next++;
  }
  int32_t at(std::string_view name) const { return numbers_.find(name)->second; }
  int64_t size() const { return static_cast<int64_t>(numbers_.size()); }

 private:
  std::map<std::string, int32_t, std::less<>> numbers_;
};

/// Which item each entity is.
class Links {
 public:
  explicit Links(const EdgeMaker& maker) : items_(maker.items) {
    const auto& files = maker.options.files.links;
    by_id_ = files.empty();
    if (by_id_) return;
    std::unordered_map<int32_t, std::string> entity_of;
    counts_ = read_rows(maker.options, files, {"item", "entity"}, [&](const GraphRow& row) {
      const auto item = static_cast<int32_t>(items_.find(row.values[0]));
      if (item < 0) {
        ++num_foreign_;
        return;
      }
      const auto entity = std::string(row.values[1]);
      const auto [of_item, is_new_item] = entity_of.emplace(item, entity);
      if (!is_new_item && of_item->second != entity)
        throw DataError(row.path, row.line,
                        "item " + in_quotes(row.values[0]) + " is linked to the entity " +
                            in_quotes(entity) + " and before to " + in_quotes(of_item->second),
                        "an item is one entity");
      const auto [of_entity, is_new_entity] = item_of_.emplace(entity, item);
      if (!is_new_entity && of_entity->second != item)
        throw DataError(row.path, row.line,
                        "entity " + in_quotes(entity) + " is linked to the item " +
                            in_quotes(row.values[0]) + " and before to " +
                            in_quotes(items_.raw(of_entity->second)),
                        "an entity is one item");
      num_repeated_ += is_new_item ? 0 : 1;
    });
  }

  // The item, or kUnknownId.
  int64_t find(std::string_view entity) const {
    if (by_id_) return items_.find(entity);
    const auto found = item_of_.find(std::string(entity));
    return found == item_of_.end() ? kUnknownId : found->second;
  }

  void add_to(std::vector<EdgeCounts>& all, const FileList& files) const {
    if (by_id_) return;
    EdgeCounts counts{"links", first_path(files), {}};
    counts_.add_to(counts);
    if (num_foreign_ > 0) counts.add("of items without interactions", num_foreign_);
    if (num_repeated_ > 0) counts.add("repeated", num_repeated_);
    counts.add("linked items", static_cast<int64_t>(item_of_.size()));
    all.push_back(std::move(counts));
  }

 private:
  const IdMap& items_;
  bool by_id_ = false;
  std::unordered_map<std::string, int32_t> item_of_;
  RowCounts counts_;
  int64_t num_foreign_ = 0, num_repeated_ = 0;
};

// Gives the tails of a relation to other heads, so that every node keeps its number of edges. An edge that
// would stand there twice, or from a node to itself, changes its tail once more with any other, up to
// kMaxSwaps times; returns how many are left that stand there twice.
int64_t shuffle_tails(std::vector<Edge>& edges, const RandomKey& key) {
  constexpr int kMaxSwaps = 100;
  // By their numbers, which the order of rows does not change.
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return std::pair(a.source, a.target) < std::pair(b.source, b.target);
  });
  std::vector<int32_t> tails;
  for (const auto& edge : edges) tails.push_back(edge.target);
  shuffle(std::span(tails), key.child(0));
  for (size_t i = 0; i < edges.size(); ++i) edges[i].target = tails[i];
  std::map<std::pair<int32_t, int32_t>, int64_t> times;
  const auto pair_of = [&](size_t i) { return std::pair{edges[i].source, edges[i].target}; };
  const auto count = [&](size_t i, int64_t change) { times[pair_of(i)] += change; };
  const auto is_wrong = [&](size_t i) {
    return edges[i].source == edges[i].target || times[pair_of(i)] > 1;
  };
  for (size_t i = 0; i < edges.size(); ++i) count(i, 1);
  CounterRng random(key.child(1));
  const auto swap_tails = [&](size_t i, size_t j) {
    for (const auto k : {i, j}) count(k, -1);
    std::swap(edges[i].target, edges[j].target);
    for (const auto k : {i, j}) count(k, 1);
  };
  for (size_t i = 0; i < edges.size(); ++i)
    for (int attempt = 0; attempt < kMaxSwaps && is_wrong(i); ++attempt) {
      const auto j = static_cast<size_t>(random.below(edges.size()));
      if (j == i) continue;
      swap_tails(i, j);
      if (is_wrong(i) || is_wrong(j)) swap_tails(i, j);
    }
  int64_t num_repeated = 0;
  for (const auto& [pair, number] : times) num_repeated += std::max<int64_t>(0, number - 1);
  return num_repeated;
}

// Whether a self loop is to be taken; counts those that are not.
bool takes_self_loop(SelfLoops policy, const GraphRow& row, std::string_view node,
                     int64_t& num_loops) {
  if (policy == SelfLoops::kRefuse)
    throw DataError(
        row.path, row.line, in_quotes(node) + " is joined to itself",
        "'self_loops: drop' (or keep) in data.graph.edges counts such rows and goes on");
  ++num_loops;
  return policy == SelfLoops::kKeep;
}

[[noreturn]] void refuse_unknown(const GraphRow& row, const std::string& what) {
  throw DataError(row.path, row.line, what,
                  "'unknown: skip' in data.graph.edges counts such rows and goes on");
}

[[noreturn]] void refuse_repeated(const GraphRow& row) {
  std::vector<std::string> values(row.values.begin(), row.values.end());
  throw DataError(row.path, row.line, "the row " + in_quotes(join(values)) + " stood before",
                  "'repeated: merge' in data.graph.edges counts such rows and goes on");
}

[[noreturn]] void refuse_empty(const EdgeMaker& maker, const std::string& path,
                               const std::string& what, const EdgeCounts& counts) {
  std::string why;
  for (const auto& [name, count] : counts.counts)
    why += (why.empty() ? " (" : ", ") + name + " " + format_count(count);
  throw DataError(maker.options.resolve(path), 0,
                  "gives no " + what + why + (why.empty() ? "" : ")"),
                  "leave these edges out of data.graph.edges");
}

}  // namespace

std::unordered_set<std::string> linked_items(const DataOptions& options) {
  std::unordered_set<std::string> items;
  read_rows(options, options.files.links, {"item", "entity"},
            [&](const GraphRow& row) { items.emplace(row.values[0]); });
  return items;
}

std::vector<std::string> split_cell(const std::string& cell, const std::string& separator) {
  std::vector<std::string> values;
  for (const auto value : split_values(cell, separator))
    if (std::find(values.begin(), values.end(), value) == values.end()) values.emplace_back(value);
  return values;
}

void InteractionEdges::make(EdgeMaker& maker) const {
  using Weights = Options::Weights;
  const auto& data = maker.interactions;
  const auto need = [&](const torch::Tensor& column, const char* what) {
    if (column.defined()) return column.data_ptr<float>();
    throw DataError(maker.options.resolve(first_path(maker.options.files.interactions)), 0,
                    std::string("has no ") + what + "s for the weights of the graph's edges",
                    std::string("name their column in roles.") + what +
                        ", or leave out 'weights' of the interactions in data.graph.edges");
  };
  const float* weights = nullptr;
  if (options_.weights == Weights::kRating) weights = need(data.labels, "rating");
  if (options_.weights == Weights::kWeight) weights = need(data.weights, "weight");
  std::vector<Edge> edges;
  if (data.size() > 0) {
    const auto* offsets = data.user_offsets.data_ptr<int64_t>();
    const auto* items = data.items.data_ptr<int32_t>();
    const auto* splits = maker.split_of.data_ptr<uint8_t>();
    for (int64_t user = 0; user < data.num_users; ++user)
      for (auto row = offsets[user]; row < offsets[user + 1]; ++row)
        if (splits[row] == static_cast<uint8_t>(Split::kTrain))
          edges.push_back(
              {static_cast<int32_t>(user), items[row], weights != nullptr ? weights[row] : 1.0F});
  }
  EdgeCounts counts{"interactions", "", {}};
  counts.add("training interactions", static_cast<int64_t>(edges.size()));
  const bool is_rating = options_.weights == Weights::kRating;
  const auto merged = maker.graph.add_relation({.name = "interactions",
                                                .kind = EdgeKind::kInteractions,
                                                .sources = maker.graph.users(),
                                                .targets = maker.graph.items(),
                                                .is_weighted = options_.weights != Weights::kNone,
                                                .merge = is_rating ? GraphBuilder::Merge::kLast
                                                                   : GraphBuilder::Merge::kSum},
                                               std::move(edges));
  if (merged.repeated > 0) counts.add("repeated", merged.repeated);
  if (merged.contradicting > 0) counts.add("of another rating", merged.contradicting);
  maker.counts.push_back(std::move(counts));
}

void TripleEdges::make(EdgeMaker& maker) const {
  const auto& files = maker.options.files.triples;
  const Links links(maker);
  links.add_to(maker.counts, maker.options.files.links);

  // Entities and relations by order of appearance first: texts are kept once.
  IdMap entities, relations;
  struct Triple {
    int32_t head, tail;
    auto operator<=>(const Triple&) const = default;
  };
  std::vector<std::vector<Triple>> of_relation;
  std::set<std::tuple<int32_t, int32_t, int32_t>> seen;  // only where repetitions are refused
  int64_t num_unknown = 0, num_loops = 0;
  // Items as they are, others behind them as they come.
  const auto num_items = maker.items.size();
  const auto node_of = [&](std::string_view name) {
    const auto item = links.find(name);
    if (item >= 0) return static_cast<int32_t>(item);
    if (options_.entities == Options::Entities::kItems) return int32_t{-1};
    return static_cast<int32_t>(num_items + entities.add(name));
  };
  const auto read =
      read_rows(maker.options, files, {"head", "relation", "tail"}, [&](const GraphRow& row) {
        const auto& names = options_.relations;
        if (!names.empty() && std::find(names.begin(), names.end(), row.values[1]) == names.end()) {
          if (options_.unknown == Unknown::kRefuse)
            refuse_unknown(row, "unknown relation " + in_quotes(row.values[1]));
          ++num_unknown;
          return;
        }
        if (row.values[0] == row.values[2] &&
            !takes_self_loop(options_.self_loops, row, row.values[0], num_loops))
          return;
        const Triple triple{node_of(row.values[0]), node_of(row.values[2])};
        for (const auto& [node, place] : {std::pair{triple.head, 0}, {triple.tail, 2}}) {
          if (node >= 0) continue;
          if (options_.unknown == Unknown::kRefuse)
            refuse_unknown(row,
                           "unknown entity " + in_quotes(row.values[static_cast<size_t>(place)]));
          ++num_unknown;
          return;
        }
        const auto relation = static_cast<int32_t>(relations.add(row.values[1]));
        if (options_.repeated == Repeated::kRefuse &&
            !seen.insert({relation, triple.head, triple.tail}).second)
          refuse_repeated(row);
        if (static_cast<size_t>(relation) == of_relation.size()) of_relation.emplace_back();
        of_relation[static_cast<size_t>(relation)].push_back(triple);
      });

  EdgeCounts counts{"triples", first_path(files), {}};
  read.add_to(counts);
  if (num_unknown > 0) counts.add("unknown", num_unknown);
  if (num_loops > 0) counts.add("self loops", num_loops);
  int64_t num_repeated = 0, num_rare = 0, num_rare_relations = 0, num_kept = 0;
  std::map<std::string, size_t> by_name;
  for (size_t i = 0; i < of_relation.size(); ++i) {
    auto& triples = of_relation[i];
    std::sort(triples.begin(), triples.end());
    const auto last = std::unique(triples.begin(), triples.end());
    num_repeated += triples.end() - last;
    triples.erase(last, triples.end());
    const auto count = static_cast<int64_t>(triples.size());
    if (count < options_.min_count) {
      num_rare += count;
      ++num_rare_relations;
      continue;
    }
    num_kept += count;
    by_name.emplace(relations.raw(static_cast<int64_t>(i)), i);
  }
  if (num_repeated > 0) counts.add("repeated", num_repeated);
  if (num_rare > 0) {
    counts.add("of rare relations", num_rare);
    counts.add("rare relations", num_rare_relations);
  }
  if (num_kept == 0) refuse_empty(maker, first_path(files), "triples", counts);
  counts.add("kept", num_kept);

  // Then by name, so that the order of the rows makes no difference.
  SortedNames names;
  for (const auto& [name, relation] : by_name)
    for (const auto& triple : of_relation[relation])
      for (const auto node : {triple.head, triple.tail})
        if (node >= num_items) names.add(entities.raw(node - num_items));
  names.number();
  const auto others = maker.graph.add_nodes("entity", names.size());
  const NodeRange nodes{maker.graph.items().first, num_items + others.count};
  std::vector<uint8_t> is_used(static_cast<size_t>(num_items), 0);
  const auto number_of = [&](int32_t node) {
    if (node >= num_items)
      return static_cast<int32_t>(num_items + names.at(entities.raw(node - num_items)));
    is_used[static_cast<size_t>(node)] = 1;
    return node;
  };
  int64_t num_twice = 0;
  for (const auto& [name, relation] : by_name) {
    std::vector<Edge> edges;
    edges.reserve(of_relation[relation].size());
    for (const auto& triple : of_relation[relation])
      edges.push_back({number_of(triple.head), number_of(triple.tail)});
    // Of one relation another says nothing, whatever their number.
    if (options_.shuffle)
      num_twice += shuffle_tails(edges, RandomKey(static_cast<uint64_t>(*options_.shuffle),
                                                  RandomStream::kShuffle, hash_bytes(name)));
    maker.graph.add_relation({.name = name,
                              .kind = EdgeKind::kTriples,
                              .sources = nodes,
                              .targets = nodes,
                              .reverse = options_.reverse},
                             std::move(edges));
  }
  if (options_.shuffle) counts.add("shuffled", num_kept);
  if (num_twice > 0) counts.add("repeated when shuffled", num_twice);
  counts.add("relations", static_cast<int64_t>(by_name.size()));
  counts.add("items in triples", std::count(is_used.begin(), is_used.end(), 1));
  maker.counts.push_back(std::move(counts));
}

void AttributeEdges::make(EdgeMaker& maker) const {
  const bool of_items = options_.of == Options::Of::kItem;
  const auto& files = of_items ? maker.options.files.items : maker.options.files.users;
  const std::string role = of_items ? "item" : "user";
  const auto cells =
      read_text_column(maker.options, of_items ? TableRole::kItems : TableRole::kUsers,
                       of_items ? maker.items : maker.users, options_.column);
  std::vector<std::vector<std::string>> values_of;
  std::map<std::string, int64_t> count_of;
  int64_t num_without = 0;
  for (const auto& cell : cells) {
    values_of.push_back(split_cell(cell, options_.separator));
    num_without += values_of.back().empty() ? 1 : 0;
    for (const auto& value : values_of.back()) ++count_of[value];
  }
  EdgeCounts counts{"attribute " + options_.column, first_path(files), {}};
  counts.add(role + "s without a value", num_without);
  SortedNames names;
  int64_t num_rare = 0, num_rare_values = 0;
  for (const auto& [value, count] : count_of) {
    if (count >= options_.min_count) {
      names.add(value);
      continue;
    }
    num_rare += count;
    ++num_rare_values;
  }
  if (num_rare > 0) {
    counts.add("of rare values", num_rare);
    counts.add("rare values", num_rare_values);
  }
  names.number();
  if (names.size() == 0)
    refuse_empty(maker, first_path(files), "edges of the column " + in_quotes(options_.column),
                 counts);
  std::vector<Edge> edges;
  for (size_t id = 0; id < values_of.size(); ++id)
    for (const auto& value : values_of[id])
      if (count_of.at(value) >= options_.min_count)
        edges.push_back({static_cast<int32_t>(id), names.at(value)});
  counts.add("kept", static_cast<int64_t>(edges.size()));
  const auto name = role + "." + options_.column;
  const auto nodes = maker.graph.add_nodes(name, names.size());
  maker.graph.add_relation({.name = name,
                            .kind = EdgeKind::kAttribute,
                            .sources = of_items ? maker.graph.items() : maker.graph.users(),
                            .targets = nodes,
                            .reverse = options_.reverse},
                           std::move(edges));
  maker.counts.push_back(std::move(counts));
}

void FriendEdges::make(EdgeMaker& maker) const {
  const auto& files = maker.options.files.friends;
  std::set<std::pair<int32_t, int32_t>> pairs;
  int64_t num_unknown = 0, num_loops = 0, num_repeated = 0;
  const auto read = read_rows(maker.options, files, {"user", "friend"}, [&](const GraphRow& row) {
    std::pair<int32_t, int32_t> pair;
    for (auto* end : {&pair.first, &pair.second}) {
      const auto& name = row.values[end == &pair.first ? 0 : 1];
      *end = static_cast<int32_t>(maker.users.find(name));
      if (*end >= 0) continue;
      if (options_.unknown == Unknown::kRefuse)
        refuse_unknown(row, "the user " + in_quotes(name) + " has no interactions");
      ++num_unknown;
      return;
    }
    if (pair.first == pair.second &&
        !takes_self_loop(options_.self_loops, row, row.values[0], num_loops))
      return;
    if (pairs.insert(pair).second) return;
    if (options_.repeated == Repeated::kRefuse) refuse_repeated(row);
    ++num_repeated;
  });
  EdgeCounts counts{"friends", first_path(files), {}};
  read.add_to(counts);
  if (num_unknown > 0) counts.add("unknown", num_unknown);
  if (num_loops > 0) counts.add("self loops", num_loops);
  if (num_repeated > 0) counts.add("repeated", num_repeated);
  if (pairs.empty()) refuse_empty(maker, first_path(files), "friends", counts);
  counts.add("kept", static_cast<int64_t>(pairs.size()));
  int64_t num_one_way = 0;
  std::vector<Edge> edges;
  for (const auto& [user, other] : pairs) {
    edges.push_back({user, other});
    if (options_.directed || pairs.contains({other, user})) continue;
    edges.push_back({other, user});
    ++num_one_way;
  }
  if (num_one_way > 0) counts.add("given one way, taken both", num_one_way);
  maker.graph.add_relation({.name = "friends",
                            .kind = EdgeKind::kFriends,
                            .sources = maker.graph.users(),
                            .targets = maker.graph.users(),
                            .reverse = options_.directed && options_.reverse},
                           std::move(edges));
  maker.counts.push_back(std::move(counts));
}

}  // namespace reckon
