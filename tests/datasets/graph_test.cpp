#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>
#include <tuple>

#include "core/config_node.h"
#include "datasets/graph_builder.h"
#include "datasets/prepare.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing::graph_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// A graph and what its nodes are called: users and items by their ids, others by type and number.
struct Named {
  const Graph& graph;
  std::vector<std::string> nodes;

  explicit Named(const Dataset& dataset) : graph(*dataset.graph()) {
    for (const auto& type : graph.node_types)
      for (int64_t i = 0; i < type.nodes.count; ++i)
        nodes.push_back(type.name == "user"   ? std::string(dataset.users().raw(i))
                        : type.name == "item" ? std::string(dataset.items().raw(i))
                                              : type.name + std::to_string(i));
  }

  const Relation& relation(const std::string& name) const {
    for (const auto& relation : graph.relations)
      if (relation.name == name) return relation;
    throw std::out_of_range(name);
  }

  // "a>b" for each edge, or "a>b=w" where edges have weights.
  std::vector<std::string> edges(const std::string& name) const {
    const auto& r = relation(name);
    std::vector<std::string> out;
    for (int64_t s = 0; s < r.sources.count; ++s)
      for (auto e = r.offsets[s].item<int64_t>(); e < r.offsets[s + 1].item<int64_t>(); ++e) {
        auto text = nodes[static_cast<size_t>(r.sources.first + s)] + ">" +
                    nodes[static_cast<size_t>(r.targets.first + r.ends[e].item<int32_t>())];
        if (r.weights.defined()) {
          std::ostringstream weight;
          weight << r.weights[e].item<float>();
          text += "=" + weight.str();
        }
        out.push_back(text);
      }
    return out;
  }
  std::vector<std::string> relations() const {
    std::vector<std::string> names;
    for (const auto& r : graph.relations) names.push_back(r.name);
    return names;
  }
  std::vector<std::string> types() const {
    std::vector<std::string> out;
    for (const auto& type : graph.node_types)
      out.push_back(type.name + " " + std::to_string(type.nodes.count));
    return out;
  }
};

std::vector<std::string> backwards(const std::vector<std::string>& edges) {
  std::vector<std::string> out;
  for (const auto& edge : edges) {
    const auto arrow = edge.find('>');
    out.push_back(edge.substr(arrow + 1) + ">" + edge.substr(0, arrow));
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> sorted(std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  return values;
}

bool same_bytes(const torch::Tensor& a, const torch::Tensor& b) {
  return a.defined() == b.defined() && (!a.defined() || torch::equal(a, b));
}

bool same_graph(const Graph& a, const Graph& b) {
  if (a.node_types.size() != b.node_types.size() || a.relations.size() != b.relations.size())
    return false;
  for (size_t i = 0; i < a.node_types.size(); ++i)
    if (a.node_types[i].name != b.node_types[i].name ||
        a.node_types[i].nodes != b.node_types[i].nodes)
      return false;
  for (size_t i = 0; i < a.relations.size(); ++i) {
    const auto &x = a.relations[i], &y = b.relations[i];
    if (x.name != y.name || x.sources != y.sources || x.targets != y.targets ||
        x.reverse_of != y.reverse_of || x.kind != y.kind || !same_bytes(x.offsets, y.offsets) ||
        !same_bytes(x.ends, y.ends) || !same_bytes(x.weights, y.weights))
      return false;
  }
  return true;
}

/// A small shop with everything that a graph can be made of.
class GraphData : public ::testing::Test {
 protected:
  void SetUp() override {
    write("i.csv", "user,item,rating\nann,a,5\nann,b,3\nann,c,1\nbob,b,4\nbob,c,2\nbob,a,5\n");
    write("items.csv", "item,genres,year\na,Drama|War,1990\nb,Drama,1990\nc,,1991\nx,War,1\n");
    write("users.csv", "user,city\nann,Rome\nbob,Rome\n");
    write("kg.tsv", "head\trelation\ttail\nE1\tmade_by\tM\nE2\tmade_by\tM\nE2\tlike\tE1\n");
    write("links.tsv", "item\tentity\na\tE1\nb\tE2\n");
    write("friends.tsv", "user\tfriend\nann\tbob\n");
  }
  void write(const std::string& name, const std::string& text) { directory_.write(name, text); }

  DataOptions options(const std::string& edges, const std::string& more = "") const {
    const auto has = [&](const std::string& type) { return edges.find(type) != std::string::npos; };
    return data_options(
        directory_,
        "{files: {interactions: {path: i.csv}, items: {path: items.csv}, users: {path: users.csv}" +
            std::string(has("triples") ? ", triples: {path: kg.tsv}" + links_ : "") +
            (has("friends") ? ", friends: {path: friends.tsv}" : "") + "}, graph: {edges: [" +
            edges + "]}" + (more.find("split") == std::string::npos ? ", split: none" : "") + more +
            "}");
  }
  Dataset prepare(const std::string& edges, const std::string& more = "") const {
    return prepare_dataset(options("interactions, " + edges, more)).dataset;
  }
  std::string error(const std::string& edges, const std::string& more = "") const {
    return replaced(error_of([&] { prepare(edges, more); }), directory_.path(""), "");
  }
  static nlohmann::json counts(const Dataset& dataset, const std::string& of) {
    const auto report = nlohmann::json::parse(dataset.report());
    for (const auto& source : report["graph"]["made_of"])
      if (source["edges"] == of) return source["counts"];
    return nullptr;
  }

  TemporaryDirectory directory_;
  std::string links_ = ", links: {path: links.tsv}";
};

TEST_F(GraphData, IsNotThereUnlessItIsDeclared) {
  const auto result =
      prepare_dataset(data_options(directory_, "{files: {interactions: {path: i.csv}}}"));
  EXPECT_EQ(result.dataset.graph(), nullptr);
  EXPECT_EQ(result.dataset.report().find("graph"), std::string::npos);
}

TEST_F(GraphData, NumbersUsersItemsEntitiesAndValuesInThisOrder) {
  const auto data = prepare(
      "{type: attribute, column: genres, separator: '|'}, friends, triples, "
      "{type: attribute, of: user, column: city}");
  const Named named(data);
  EXPECT_THAT(named.types(),
              ElementsAre("user 2", "item 3", "entity 1", "item.genres 2", "user.city 1"));
  EXPECT_THAT(named.relations(),
              ElementsAre("interactions", "rev_interactions", "like", "rev_like", "made_by",
                          "rev_made_by", "item.genres", "rev_item.genres", "friends", "user.city",
                          "rev_user.city"));
  EXPECT_THAT(named.edges("interactions"),
              ElementsAre("ann>a", "ann>b", "ann>c", "bob>a", "bob>b", "bob>c"));
  EXPECT_THAT(named.edges("like"), ElementsAre("b>a"));
  EXPECT_THAT(named.edges("made_by"), ElementsAre("a>entity0", "b>entity0"));
  EXPECT_THAT(named.edges("item.genres"),
              ElementsAre("a>item.genres0", "a>item.genres1", "b>item.genres0"));
  EXPECT_THAT(named.edges("friends"), ElementsAre("ann>bob", "bob>ann"));
  EXPECT_THAT(named.edges("user.city"), ElementsAre("ann>user.city0", "bob>user.city0"));
  for (const auto& relation : named.graph.relations) {
    if (relation.reverse_of < 0) continue;
    const auto& forward = named.graph.relations[static_cast<size_t>(relation.reverse_of)];
    EXPECT_EQ(relation.name, "rev_" + forward.name);
    EXPECT_EQ(relation.sources, forward.targets);
    EXPECT_EQ(relation.targets, forward.sources);
    EXPECT_EQ(sorted(named.edges(relation.name)), backwards(named.edges(forward.name)));
  }
}

TEST_F(GraphData, WeighsInteractionsAsDeclared) {
  write("i.csv",
        "user,item,rating,weight\nann,a,5,2\nann,b,3,1\nann,a,4,0.5\nbob,a,1,3\nann,a,4,1\n");
  const auto weighted = [&](const std::string& by) {
    const auto data = prepare_dataset(options("{type: interactions, weights: " + by + "}")).dataset;
    EXPECT_EQ(counts(data, "interactions")["repeated"], 2);
    EXPECT_EQ(counts(data, "interactions").contains("of another rating"), by == "rating");
    if (by == "rating") {
      EXPECT_EQ(counts(data, "interactions")["of another rating"], 1);
    }
    return Named(data).edges("interactions");
  };
  EXPECT_THAT(weighted("none"), ElementsAre("ann>a", "ann>b", "bob>a"));
  EXPECT_THAT(weighted("count"), ElementsAre("ann>a=3", "ann>b=1", "bob>a=1"));
  EXPECT_THAT(weighted("rating"), ElementsAre("ann>a=4", "ann>b=3", "bob>a=1"));
  EXPECT_THAT(weighted("weight"), ElementsAre("ann>a=3.5", "ann>b=1", "bob>a=3"));
}

TEST_F(GraphData, HoldsExactlyTheEdgesThatASearchThroughTheFilesFinds) {
  std::mt19937 random(7);
  for (const int size : {1, 2, 5, 40}) {
    const auto any = [&](const char* prefix) {
      return prefix + std::to_string(random() % static_cast<unsigned>(size));
    };
    std::string interactions = "user,item\n", triples = "head,relation,tail\n",
                friends = "user,friend\n", items = "item,tags\n";
    std::set<std::string> pairs, of_kg, of_friends, of_tags, tags, others, names;
    for (int i = 0; i < size; ++i) {  // everybody and everything is there
      const auto n = std::to_string(i);
      interactions += "u" + n + ",i" + n + "\n";
      pairs.insert("u" + n + ">i" + n);
      const auto one = any("t"), other = any("t");
      items += "i" + n + "," + one + ";" + other + "\n";
      for (const auto& tag : {one, other}) of_tags.insert("i" + n + ">" + tag), tags.insert(tag);
    }
    for (int i = 0; i < 3 * size; ++i) {
      const auto user = any("u"), item = any("i"), friend_of = any("u"), relation = any("r");
      interactions += user + "," + item + "\n";
      pairs.insert(user + ">" + item);
      friends += user + "," + friend_of + "\n";
      if (user != friend_of) of_friends.insert({user + ">" + friend_of, friend_of + ">" + user});
      const auto head = random() % 2 ? any("i") : any("e"), tail = any("e");
      triples += head + "," + relation + "," + tail + "\n";
      if (head == tail) continue;
      of_kg.insert(relation + ":" + head + ">" + tail);
      names.insert(relation);
      for (const auto& end : {head, tail})
        if (end[0] == 'e') others.insert(end);
    }
    if (of_friends.empty()) {
      friends += "u0,u0\n";
    }
    write("i.csv", interactions);
    write("kg.csv", triples + "i0,always,e0\n");
    of_kg.insert("always:i0>e0");
    others.insert("e0");
    names.insert("always");
    write("friends.csv", friends);
    write("items.csv", items);
    const auto data =
        prepare_dataset(
            data_options(
                directory_,
                "{files: {interactions: {path: i.csv}, items: {path: items.csv}, triples: "
                "{path: kg.csv}, friends: {path: friends.csv}}, split: none, graph: "
                "{edges: [interactions, {type: triples, self_loops: drop}, {type: friends, "
                "self_loops: " +
                    std::string(of_friends.empty() ? "keep" : "drop") +
                    "}, {type: attribute, column: tags, separator: ';'}]}}"))
            .dataset;
    if (of_friends.empty()) of_friends.insert("u0>u0");
    Named named(data);
    // Entities and values are numbered by their names.
    auto place = static_cast<size_t>(data.num_users() + data.num_items());
    for (const auto& entity : others) named.nodes[place++] = entity;
    for (const auto& tag : tags) named.nodes[place++] = tag;
    ASSERT_EQ(place, named.nodes.size()) << size;
    const auto set_of = [&](const std::string& relation) {
      const auto edges = named.edges(relation);
      const std::set<std::string> set(edges.begin(), edges.end());
      EXPECT_EQ(set.size(), edges.size()) << relation;
      return set;
    };
    EXPECT_EQ(set_of("interactions"), pairs);
    EXPECT_EQ(set_of("friends"), of_friends);
    EXPECT_EQ(set_of("item.tags"), of_tags);
    std::set<std::string> found;
    for (const auto& name : names)
      for (const auto& edge : set_of(name)) found.insert(name + ":" + edge);
    EXPECT_EQ(found, of_kg);
    for (const auto& relation : named.graph.relations)  // each list ascends
      for (int64_t s = 0; s < relation.sources.count; ++s) {
        const auto begin = relation.offsets[s].item<int64_t>();
        const auto end = relation.offsets[s + 1].item<int64_t>();
        for (auto e = begin + 1; e < end; ++e)
          EXPECT_LT(relation.ends[e - 1].item<int32_t>(), relation.ends[e].item<int32_t>());
      }
  }
}

TEST_F(GraphData, NeverLearnsWhatIsHeldOut) {
  // Of each user four interactions; which of them are held out, the split alone decides.
  std::mt19937 random(11);
  std::vector<std::vector<std::string>> of_user;
  for (int u = 0; u < 12; ++u) {
    std::vector<std::string> items;
    for (int i = 0; i < 8; ++i) items.push_back("i" + std::to_string(i));
    std::shuffle(items.begin(), items.end(), random);
    of_user.push_back(items);
  }
  const std::string weights = "{type: interactions, weights: rating}";
  for (const std::string split :
       {"leave_one_out", "{type: ratio, order: temporal, validation: 0.2, test: 0.3}",
        "{type: time, validation_from: 5, test_from: 7}",
        "{type: k_fold, folds: 3, fold: 2, validation: 0.2}",
        "{type: ratio, order: random, scope: global}"}) {
    // What is held out stands in `changed` as another item with another rating.
    const auto prepare_with = [&](const std::vector<uint8_t>* splits) {
      std::string text = "user,item,rating,timestamp\n";
      size_t row = 0;
      for (size_t u = 0; u < of_user.size(); ++u)
        for (size_t i = 0; i < 8; ++i, ++row) {
          const bool is_changed = splits != nullptr && (*splits)[row] != 0;
          text += "u" + std::to_string(u) + "," +
                  (is_changed ? "i" + std::to_string((u + 3 * i + 1) % 8) : of_user[u][i]) + "," +
                  (is_changed ? "9" : "3") + "," + std::to_string(i) + "\n";
        }
      // The ids come in one order, whatever is changed: a first user, who is trained on, has all.
      std::string first;
      for (int i = 0; i < 8; ++i)
        first += "all,i" + std::to_string(i) + ",1," + std::to_string(i - 100) + "\n";
      write("i.csv", text.insert(text.find('\n') + 1, first));
      return prepare_dataset(options(weights, ", split: " + split)).dataset;
    };
    const auto plain = prepare_with(nullptr);
    const auto splits = values_of<uint8_t>(plain.split_of());
    const std::vector<uint8_t> of_rest(splits.begin() + 8, splits.end());
    ASSERT_GT(std::count_if(of_rest.begin(), of_rest.end(), [](auto s) { return s != 0; }), 5);
    const auto changed = prepare_with(&of_rest);
    EXPECT_FALSE(torch::equal(plain.interactions().items, changed.interactions().items)) << split;
    EXPECT_EQ(values_of<uint8_t>(changed.split_of()), splits) << split;
    // The first user's own held-out rows are the same in both.
    EXPECT_TRUE(same_graph(*plain.graph(), *changed.graph())) << split;
    const auto train = plain.part(Split::kTrain);
    EXPECT_EQ(plain.graph()->relations[0].num_edges(), train.size()) << split;
  }
}

TEST_F(GraphData, EachFoldHasItsOwnTrainingEdges) {
  std::set<std::vector<std::string>> different;
  for (int fold = 1; fold <= 3; ++fold) {
    const auto data =
        prepare_dataset(options("interactions", ", split: {type: k_fold, folds: 3, fold: " +
                                                    std::to_string(fold) + "}"))
            .dataset;
    std::vector<std::string> trained;
    const auto train = data.part(Split::kTrain);
    for (const auto& line : sequences(data, Split::kTrain)) {
      std::istringstream words(line);
      std::string user, item;
      words >> user;
      user.pop_back();
      while (words >> item) trained.push_back(user + ">" + item);
    }
    EXPECT_EQ(sorted(Named(data).edges("interactions")), sorted(trained));
    different.insert(trained);
  }
  EXPECT_EQ(different.size(), 3U);
}

TEST_F(GraphData, DoesNotDependOnTheOrderOfTheRows) {
  const std::string edges =
      "{type: triples, self_loops: drop}, {type: friends, directed: true}, {type: attribute, "
      "column: genres, separator: '|'}";
  write("kg.tsv", "head\trelation\ttail\nE1\tb\tM\nE2\tb\tN\nE2\ta\tE1\nP\ta\tM\nE1\tb\tM\n");
  write("friends.tsv", "user\tfriend\nann\tbob\nbob\tann\n");
  const auto before = prepare(edges);
  write("kg.tsv", "head\trelation\ttail\nP\ta\tM\nE1\tb\tM\nE2\ta\tE1\nE1\tb\tM\nE2\tb\tN\n");
  write("friends.tsv", "user\tfriend\nbob\tann\nann\tbob\n");
  write("items.csv", "item,genres,year\nx,War,1\nc,,1991\nb,Drama,1990\na,War|Drama,1990\n");
  write("links.tsv", "item\tentity\nb\tE2\na\tE1\n");
  const auto after = prepare(edges);
  EXPECT_NE(before.fingerprint(), after.fingerprint());
  EXPECT_TRUE(same_graph(*before.graph(), *after.graph()));
  write("kg.tsv", "head\trelation\ttail\nP\ta\tM\nE1\tb\tN\nE2\ta\tE1\nE2\tb\tN\n");
  EXPECT_FALSE(same_graph(*before.graph(), *prepare(edges).graph()));
}

// A control for what a graph says: every node has as many edges as before, to others.
TEST_F(GraphData, ShufflesTailsWithinRelationsAndKeepsTheDegreesOfAllNodes) {
  std::vector<std::string> rows;
  for (int i = 0; i < 60; ++i)
    rows.push_back("H" + std::to_string(i % 12) + "\t" + (i % 3 == 0 ? "a" : "b") + "\tT" +
                   std::to_string((i * i + i / 7) % 15) + "\n");
  rows.push_back("E1\ta\tT1\n");
  const auto shuffled = [&](const std::string& option) {
    std::string text = "head\trelation\ttail\n";
    for (const auto& row : rows) text += row;
    write("kg.tsv", text);
    return prepare("{type: triples" + option + "}");
  };
  using Degrees = std::map<std::string, int>;
  const auto degrees = [](const Dataset& data, const std::string& relation) {
    std::pair<Degrees, Degrees> out;
    for (const auto& edge : Named(data).edges(relation)) {
      const auto arrow = edge.find('>');
      ++out.first[edge.substr(0, arrow)];
      ++out.second[edge.substr(arrow + 1)];
    }
    return out;
  };
  const auto plain = shuffled("");
  const auto one = shuffled(", shuffle: 1"), two = shuffled(", shuffle: 2");
  EXPECT_FALSE(counts(plain, "triples").contains("shuffled"));
  EXPECT_EQ(counts(one, "triples")["shuffled"], counts(plain, "triples")["kept"]);
  for (const auto* relation : {"a", "b"}) {
    EXPECT_EQ(degrees(one, relation), degrees(plain, relation));
    EXPECT_EQ(degrees(two, relation), degrees(plain, relation));
    EXPECT_NE(Named(one).edges(relation), Named(plain).edges(relation));
    EXPECT_NE(Named(one).edges(relation), Named(two).edges(relation));
    EXPECT_EQ(sorted(Named(one).edges(std::string("rev_") + relation)),
              backwards(Named(one).edges(relation)));
  }
  std::reverse(rows.begin(), rows.end());
  EXPECT_TRUE(same_graph(*one.graph(), *shuffled(", shuffle: 1").graph()));
}

// There is no other graph of these degrees than the complete one.
TEST_F(GraphData, ShufflingEndsWhereEveryEdgeIsThere) {
  std::string text = "head\trelation\ttail\n";
  for (const auto* head : {"E1", "P"})
    for (const auto* tail : {"M", "N", "O"}) text += std::string(head) + "\tr\t" + tail + "\n";
  write("kg.tsv", text);
  const auto plain = prepare("triples"), shuffled = prepare("{type: triples, shuffle: 3}");
  const auto lost = counts(shuffled, "triples").value("repeated when shuffled", 0);
  EXPECT_EQ(static_cast<int>(Named(shuffled).edges("r").size()) + lost, 6);
  EXPECT_EQ(Named(plain).edges("r").size(), 6U);
}

TEST_F(GraphData, RunsAreMeasuredOnTheSameWhateverTheGraphSaysBeside) {
  const auto plain = prepare("triples"), shuffled = prepare("{type: triples, shuffle: 1}");
  EXPECT_NE(plain.fingerprint(), shuffled.fingerprint());
  EXPECT_NE(plain.measured_fingerprint(), plain.fingerprint());
  EXPECT_EQ(plain.measured_fingerprint(), shuffled.measured_fingerprint());
  EXPECT_NE(plain.measured_fingerprint(),
            prepare("triples", ", split: leave_one_out").measured_fingerprint());
  write("i.csv", "user,item,rating\nann,a,5\nann,b,3\nann,c,1\nbob,b,4\nbob,c,2\nbob,a,4\n");
  EXPECT_NE(plain.measured_fingerprint(), prepare("triples").measured_fingerprint());
  const auto without =
      prepare_dataset(data_options(directory_, "{files: {interactions: {path: i.csv}}}")).dataset;
  EXPECT_EQ(without.measured_fingerprint(), without.fingerprint());
}

TEST_F(GraphData, KeepsTheInteractionsWithLinkedItemsAloneWhereThatIsAsked) {
  write("links.tsv", "item\tentity\na\tE1\nb\tE2\nnobody\tE3\n");
  const auto all = prepare("triples");
  const auto linked = prepare("triples", ", cleaning: {linked_items: true}");
  EXPECT_THAT(all.items().to_vector(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(linked.items().to_vector(), ElementsAre("a", "b"));
  EXPECT_EQ(all.interactions().size(), 6);
  EXPECT_EQ(linked.interactions().size(), 4);
  EXPECT_NE(linked.report().find("items without a link"), std::string::npos);
  EXPECT_EQ(all.report().find("items without a link"), std::string::npos);
}

TEST_F(GraphData, ComesBackFromTheCacheAsItWasMade) {
  const auto of = options(
      "{type: interactions, weights: rating}, triples, {type: attribute, column: genres}, "
      "{type: attribute, of: user, column: city, reverse: false}, friends");
  const auto made = prepare_dataset(of, true);
  EXPECT_FALSE(made.from_cache);
  const auto found = prepare_dataset(of);
  EXPECT_TRUE(found.from_cache);
  const auto built = build_graph(of, made.dataset.users(), made.dataset.items(),
                                 made.dataset.interactions(), made.dataset.split_of());
  EXPECT_TRUE(same_graph(built.graph, *found.dataset.graph()));
  EXPECT_EQ(made.dataset.report(), found.dataset.report());
  const auto sizes = prepared_sizes(of);
  ASSERT_TRUE(sizes && sizes->graph);
  EXPECT_EQ(sizes->graph->num_nodes(), built.graph.num_nodes());
  EXPECT_EQ(sizes->graph->relations.size(), built.graph.relations.size());
  EXPECT_THAT(format_graph(sizes->report), HasSubstr("item.genres"));
}

TEST_F(GraphData, IsMadeAnewWhenAFileOfItOrAnOptionChanges) {
  const auto edges = "triples, friends";
  prepare(edges);
  const auto is_found = [&](const std::string& all) {
    return is_prepared(options("interactions, " + all));
  };
  EXPECT_TRUE(is_found(edges));
  EXPECT_FALSE(is_found("{type: triples, min_count: 2}, friends"));
  for (const auto& [file, text] : {std::pair{"kg.tsv", "head\trelation\ttail\nE1\tr\tM\n"},
                                   {"links.tsv", "item\tentity\na\tE1\nc\tE2\n"},
                                   {"friends.tsv", "user\tfriend\nbob\tann\n"}}) {
    write(file, text);
    EXPECT_FALSE(is_found(edges)) << file;
    prepare(edges);
    EXPECT_TRUE(is_found(edges)) << file;
  }
}

TEST_F(GraphData, ReadsTriplesOfAnyFormatWithAndWithoutAHead) {
  const auto expected = Named(prepare("triples")).edges("made_by");
  write_parquet(directory_.path("kg.parquet"),
                {{"subject", text_array({"E1", "E2", "E2"})},
                 {"predicate", text_array({"made_by", "made_by", "like"})},
                 {"object", text_array({"M", "M", "E1"})}});
  write("kg.txt", "E1 made_by M\nE2 made_by M\nE2 like E1\n");
  for (const std::string file :
       {"{path: kg.parquet}", "{path: kg.txt, separator: ' ', columns: [head, relation, tail]}",
        "{path: kg.txt, separator: ' ', columns: [x, y, z], roles: {head: x, relation: y, tail: "
        "z}}"}) {
    const auto data =
        prepare_dataset(
            data_options(directory_,
                         "{files: {interactions: {path: i.csv}, links: {path: "
                         "links.tsv}, triples: " +
                             file + "}, split: none, graph: {edges: [interactions, triples]}}"))
            .dataset;
    EXPECT_EQ(Named(data).edges("made_by"), expected) << file;
  }
}

TEST_F(GraphData, WithoutLinksAnEntityIsTheItemOfItsId) {
  links_ = "";
  write("kg.tsv", "head\trelation\ttail\na\tr\tz\nq\tr\tb\n");
  const auto data = prepare("triples");
  EXPECT_THAT(Named(data).edges("r"), ElementsAre("a>entity1", "entity0>b"));
  EXPECT_EQ(counts(data, "triples")["items in triples"], 2);
}

TEST_F(GraphData, RefusesOrCountsUnknownRelationsAndEntities) {
  EXPECT_EQ(error("{type: triples, relations: [like]}"),
            "kg.tsv:2: error: unknown relation 'made_by'\n    hint: 'unknown: skip' in "
            "data.graph.edges counts such rows and goes on");
  auto data = prepare("{type: triples, relations: [like], unknown: skip}");
  EXPECT_EQ(counts(data, "triples")["unknown"], 2);
  EXPECT_THAT(Named(data).edges("like"), ElementsAre("b>a"));
  EXPECT_THAT(error("{type: triples, entities: items}"),
              StartsWith("kg.tsv:2: error: unknown entity 'M'\n"));
  data = prepare("{type: triples, entities: items, unknown: skip}");
  EXPECT_EQ(counts(data, "triples")["unknown"], 2);
  EXPECT_THAT(Named(data).types(), ElementsAre("user 2", "item 3", "entity 0"));
  EXPECT_THAT(Named(data).edges("like"), ElementsAre("b>a"));
}

TEST_F(GraphData, RefusesOrCountsEdgesToUsersThatAreNotThere) {
  write("friends.tsv", "user\tfriend\nann\tbob\nann\tcid\n");
  EXPECT_EQ(
      error("friends"),
      "friends.tsv:3: error: the user 'cid' has no interactions\n    hint: 'unknown: skip' in "
      "data.graph.edges counts such rows and goes on");
  const auto data = prepare("{type: friends, unknown: skip}");
  EXPECT_EQ(counts(data, "friends")["unknown"], 1);
  EXPECT_THAT(Named(data).edges("friends"), ElementsAre("ann>bob", "bob>ann"));
}

TEST_F(GraphData, RefusesDropsOrKeepsSelfLoops) {
  write("kg.tsv", "head\trelation\ttail\nE1\tr\tE1\nM\tr\tM\nE1\tr\tM\n");
  write("friends.tsv", "user\tfriend\nann\tann\nann\tbob\n");
  EXPECT_EQ(error("triples"),
            "kg.tsv:2: error: 'E1' is joined to itself\n    hint: 'self_loops: drop' (or keep) in "
            "data.graph.edges counts such rows and goes on");
  EXPECT_THAT(error("friends"), StartsWith("friends.tsv:2: error: 'ann' is joined to itself\n"));
  const auto with = [&](const std::string& policy) {
    return prepare("{type: triples, self_loops: " + policy +
                   "}, {type: friends, self_loops: " + policy + "}");
  };
  const auto dropped = with("drop"), kept = with("keep");
  for (const auto* data : {&dropped, &kept}) {
    EXPECT_EQ(counts(*data, "triples")["self loops"], 2);
    EXPECT_EQ(counts(*data, "friends")["self loops"], 1);
  }
  EXPECT_THAT(Named(dropped).edges("r"), ElementsAre("a>entity0"));
  EXPECT_THAT(Named(kept).edges("r"), ElementsAre("a>a", "a>entity0", "entity0>entity0"));
  EXPECT_THAT(Named(dropped).edges("friends"), ElementsAre("ann>bob", "bob>ann"));
  EXPECT_THAT(Named(kept).edges("friends"), ElementsAre("ann>ann", "ann>bob", "bob>ann"));
}

TEST_F(GraphData, MergesAndCountsRepeatedEdgesOrRefusesThem) {
  write("kg.tsv", "head\trelation\ttail\nE1\tr\tM\nE1\tr\tM\nE1\ts\tM\n");
  write("friends.tsv", "user\tfriend\nann\tbob\nbob\tann\nann\tbob\n");
  const auto data = prepare("triples, friends");
  EXPECT_EQ(counts(data, "triples")["repeated"], 1);
  EXPECT_EQ(counts(data, "friends")["repeated"], 1);
  EXPECT_THAT(Named(data).edges("r"), ElementsAre("a>entity0"));
  EXPECT_THAT(Named(data).edges("friends"), ElementsAre("ann>bob", "bob>ann"));
  EXPECT_EQ(error("{type: triples, repeated: refuse}"),
            "kg.tsv:3: error: the row 'E1, r, M' stood before\n    hint: 'repeated: merge' in "
            "data.graph.edges counts such rows and goes on");
  EXPECT_THAT(error("{type: friends, repeated: refuse}"),
              StartsWith("friends.tsv:4: error: the row 'ann, bob' stood before\n"));
}

TEST_F(GraphData, RefusesLinksThatContradictEachOther) {
  write("links.tsv", "item\tentity\na\tE1\nb\tE2\na\tE2\n");
  EXPECT_EQ(
      error("triples"),
      "links.tsv:4: error: item 'a' is linked to the entity 'E2' and before to 'E1'\n    hint: "
      "an item is one entity");
  write("links.tsv", "item\tentity\na\tE1\nb\tE1\n");
  EXPECT_EQ(
      error("triples"),
      "links.tsv:3: error: entity 'E1' is linked to the item 'b' and before to 'a'\n    hint: "
      "an entity is one item");
  write("links.tsv", "item\tentity\na\tE1\nq\tE2\na\tE1\n");
  const auto data = prepare("triples");
  EXPECT_EQ(counts(data, "links")["repeated"], 1);
  EXPECT_EQ(counts(data, "links")["of items without interactions"], 1);
  EXPECT_EQ(counts(data, "links")["linked items"], 1);
  EXPECT_THAT(Named(data).edges("like"), ElementsAre("entity0>a"));
}

TEST_F(GraphData, RefusesEdgesOfWhichThereAreNone) {
  EXPECT_EQ(error("{type: triples, min_count: 5}"),
            "kg.tsv: error: gives no triples (read 3, of rare relations 3, rare relations 2)\n    "
            "hint: leave these edges out of data.graph.edges");
  EXPECT_EQ(error("{type: attribute, column: genres, min_count: 9}"),
            "items.csv: error: gives no edges of the column 'genres' (items without a value 1, of "
            "rare values 2, rare values 2)\n    hint: leave these edges out of data.graph.edges");
  write("friends.tsv", "user\tfriend\ncid\tdan\n");
  EXPECT_EQ(error("{type: friends, unknown: skip}"),
            "friends.tsv: error: gives no friends (read 1, unknown 1)\n    hint: leave these edges "
            "out of data.graph.edges");
}

TEST_F(GraphData, KeepsInteractionsAsARelationEvenWhenTrainingHasNone) {
  write("i.csv", "user,item,rating,timestamp\nann,a,1,9\nbob,b,1,9\n");
  const auto data = prepare("friends", ", split: {type: time, test_from: 5}");
  EXPECT_EQ(data.part(Split::kTrain).size(), 0);
  const auto& relations = data.graph()->relations;
  EXPECT_EQ(relations[0].num_edges(), 0);
  EXPECT_EQ(relations[1].num_edges(), 0);
  EXPECT_EQ(values_of<int64_t>(relations[0].offsets), std::vector<int64_t>({0, 0, 0}));
  EXPECT_EQ(relations[1].reverse_of, 0);
  const auto nodes = nlohmann::json::parse(data.report())["graph"]["nodes"];
  EXPECT_EQ(nodes[0]["isolated"], 0);
  EXPECT_EQ(nodes[1]["isolated"], 2);
}

TEST_F(GraphData, LeavesOutAndCountsRareRelationsAndValues) {
  auto data = prepare("{type: triples, min_count: 2}");
  EXPECT_THAT(Named(data).relations(),
              ElementsAre("interactions", "rev_interactions", "made_by", "rev_made_by"));
  EXPECT_EQ(counts(data, "triples")["of rare relations"], 1);
  EXPECT_EQ(counts(data, "triples")["rare relations"], 1);
  data = prepare("{type: attribute, column: genres, separator: '|', min_count: 2}");
  EXPECT_THAT(Named(data).edges("item.genres"), ElementsAre("a>item.genres0", "b>item.genres0"));
  EXPECT_EQ(counts(data, "attribute genres")["rare values"], 1);
  EXPECT_EQ(counts(data, "attribute genres")["of rare values"], 1);
  EXPECT_EQ(counts(data, "attribute genres")["items without a value"], 1);
}

TEST_F(GraphData, AnEntityOfRareRelationsAloneIsNoNode) {
  write("kg.tsv", "head\trelation\ttail\nE1\tr\tM\nE2\tr\tM\nE1\trare\tZ\n");
  const auto data = prepare("{type: triples, min_count: 2}");
  EXPECT_THAT(Named(data).types(), ElementsAre("user 2", "item 3", "entity 1"));
}

TEST_F(GraphData, RefusesOrCountsMalformedRowsAndMissingValues) {
  write("kg.tsv", "head\trelation\ttail\nE1\tr\tM\nE2\tr\nE2\t\tM\n");
  EXPECT_THAT(error("triples"), StartsWith("kg.tsv:3: error: expected 3 values"));
  EXPECT_EQ(error("triples", ", cleaning: {malformed: skip}"),
            "kg.tsv:4: error: no value for the relation\n    hint: 'cleaning: {missing: drop}' "
            "counts such rows and goes on");
  const auto data = prepare("triples", ", cleaning: {malformed: skip, missing: drop}");
  EXPECT_EQ(counts(data, "triples")["read"], 3);
  EXPECT_EQ(counts(data, "triples")["malformed"], 1);
  EXPECT_EQ(counts(data, "triples")["missing"], 1);
  EXPECT_EQ(counts(data, "triples")["kept"], 1);
}

TEST_F(GraphData, CountsNodesThatNoEdgeTouches) {
  write("i.csv", "user,item,rating\nann,a,5\nann,b,3\nann,c,1\nbob,b,4\n");
  const auto data = prepare("triples", ", split: leave_one_out");
  const auto report = nlohmann::json::parse(data.report());
  // Of ann, a is trained on; bob has one interaction and stays. Triples touch a, b and M.
  const auto& nodes = report["graph"]["nodes"];
  EXPECT_EQ(nodes[0]["isolated"], 0);
  EXPECT_EQ(nodes[1]["isolated"], 1);
  EXPECT_EQ(nodes[2]["isolated"], 0);
  EXPECT_EQ(isolated_nodes(*data.graph()), std::vector<int64_t>({0, 1, 0}));
  EXPECT_THAT(format_report(data),
              AllOf(HasSubstr("item         3                1\n"),
                    HasSubstr("entity       1                0\n"),
                    HasSubstr("triples of kg.tsv: read 3, kept 3, relations 2, items in triples "
                              "2")));
}

TEST_F(GraphData, OfOneItemHasItsOneEdge) {
  write("i.csv", "user,item\nu,a\n");
  write("kg.tsv", "head\trelation\ttail\nE1\tr\tE1\n");
  write("links.tsv", "item\tentity\na\tE1\n");
  const auto data = prepare("{type: triples, self_loops: keep}");
  EXPECT_THAT(Named(data).types(), ElementsAre("user 1", "item 1", "entity 0"));
  EXPECT_THAT(Named(data).edges("interactions"), ElementsAre("u>a"));
  EXPECT_THAT(Named(data).edges("rev_r"), ElementsAre("a>a"));
}

TEST_F(GraphData, RefusesRelationsOfOneName) {
  write("kg.tsv", "head\trelation\ttail\nE1\trev_interactions\tM\n");
  EXPECT_EQ(error("triples"),
            "data.graph: error: two relations of the graph are called 'rev_interactions'");
}

TEST(GraphBuilder, RefusesMoreNodesThanInt32CanNumber) {
  constexpr auto kMost = int64_t{std::numeric_limits<int32_t>::max()};
  GraphBuilder builder(1 << 30, (1 << 30) - 2);
  EXPECT_EQ(builder.add_nodes("entity", 1).first, kMost - 1);
  const auto error = error_of([&] { builder.add_nodes("value", 1); });
  EXPECT_EQ(error,
            "a graph of 2,147,483,648 nodes is too large: nodes are numbered in 32 bits, up to "
            "2,147,483,647");
  EXPECT_EQ(error_of([] { GraphBuilder(kMost, 1); }), error);
}

TEST(GraphOf, OtherSizesKeepsWhatIsNeitherUserNorItem) {
  GraphBuilder builder(2, 3);
  const auto others = builder.add_nodes("entity", 4);
  const NodeRange facts{builder.items().first, 3 + others.count};
  builder.add_relation(
      {.name = "interactions", .sources = builder.users(), .targets = builder.items()},
      {{0, 1}, {1, 2}});
  builder.add_relation(
      {.name = "r", .kind = EdgeKind::kTriples, .sources = facts, .targets = facts}, {{0, 6}});
  const auto values = builder.add_nodes("item.genres", 5);
  builder.add_relation(
      {.name = "g", .kind = EdgeKind::kAttribute, .sources = builder.items(), .targets = values},
      {{0, 4}});
  const auto graph = builder.take();
  check_graph(graph, 2, 3);
  const auto other = resized_graph(graph, 7, 9);
  check_graph(other, 7, 9);
  EXPECT_EQ(other.num_nodes(), 7 + 9 + 4 + 5);
  ASSERT_EQ(other.relations.size(), 6U);
  EXPECT_EQ(other.relations[2].sources, NodeRange(7, 9 + 4));
  EXPECT_EQ(other.relations[4].targets, NodeRange(7 + 9 + 4, 5));
  for (const auto& relation : other.relations) EXPECT_EQ(relation.num_edges(), 0);
  auto broken = graph;
  broken.relations[2].ends = broken.relations[2].ends + 1;
  EXPECT_THAT(error_of([&] { check_graph(broken, 2, 3); }),
              HasSubstr("graph: ends of relation r must lie in [0, 7)"));
}

TEST(SplitCell, GivesEachDifferentPartOnceWithoutBlanks) {
  EXPECT_THAT(split_cell("a|b| a |", "|"), ElementsAre("a", "b"));
  EXPECT_THAT(split_cell("a, b", ""), ElementsAre("a, b"));
  EXPECT_THAT(split_cell("x::y", "::"), ElementsAre("x", "y"));
  EXPECT_THAT(split_cell("  ", "|"), IsEmpty());
  EXPECT_THAT(split_cell("", ""), IsEmpty());
}

}  // namespace
}  // namespace reckon::testing::graph_test
