#include "models/random_walks.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace reckon::random_walks_test {
namespace {

using Row = std::vector<double>;

// Two triangles that share the edge 1 - 2, a tail 3 - 4 - 5, a loop at 4, and node 6 alone.
UndirectedGraph small_graph(bool weighted) {
  const auto first = torch::tensor({0, 0, 1, 1, 2, 3, 4, 4}, torch::kLong);
  const auto second = torch::tensor({1, 2, 2, 3, 3, 4, 5, 4}, torch::kLong);
  const auto weights = torch::tensor({1.0F, 2.0F, 0.5F, 3.0F, 1.0F, 4.0F, 1.5F, 2.0F});
  return undirected_graph(7, first, second, weighted ? weights : torch::Tensor());
}

// The weights of a graph, zero where there is no edge.
std::vector<Row> dense(const UndirectedGraph& graph) {
  const auto size = static_cast<size_t>(graph.num_nodes());
  std::vector<Row> w(size, Row(size));
  for (int64_t node = 0; node < graph.num_nodes(); ++node)
    for (auto e = graph.offsets[node].item<int64_t>(); e < graph.offsets[node + 1].item<int64_t>();
         ++e)
      w[static_cast<size_t>(node)][graph.ends[e].item<int64_t>()] =
          graph.weights.defined() ? graph.weights[e].item<double>() : 1.0;
  return w;
}

Row normalized(Row row) {
  double total = 0.0;
  for (const double x : row) total += x;
  for (auto& x : row) x = total > 0.0 ? x / total : 0.0;
  return row;
}

// Where a walk that came from t to v goes on to, by the distances from t that the paper writes.
Row second_order(const std::vector<Row>& w, size_t t, size_t v, double p, double q) {
  Row row = w[v];
  for (size_t x = 0; x < row.size(); ++x) {
    const int distance = x == t ? 0 : w[t][x] > 0.0 ? 1 : 2;
    row[x] *= distance == 0 ? 1.0 / p : distance == 1 ? 1.0 : 1.0 / q;
  }
  return normalized(row);
}

using Counts = std::map<std::vector<int32_t>, std::vector<int64_t>>;

// How often each node followed each last `order` nodes, over many walks from every start.
Counts followers(const RandomWalks& walks, size_t order, int64_t num_nodes, uint64_t num_walks) {
  Counts counts;
  std::vector<int32_t> nodes;
  for (const auto start : walks.starts())
    for (uint64_t n = 0; n < num_walks; ++n) {
      walks.walk(start, RandomKey(4).child(static_cast<uint64_t>(start)).child(n), nodes);
      for (size_t place = order; place < nodes.size(); ++place) {
        auto& row = counts[{nodes.begin() + static_cast<int64_t>(place - order),
                            nodes.begin() + static_cast<int64_t>(place)}];
        row.resize(static_cast<size_t>(num_nodes));
        ++row[static_cast<size_t>(nodes[place])];
      }
    }
  return counts;
}

// Five standard errors of a share; where nothing may go, nothing went.
void expect_shares(const std::vector<int64_t>& counts, const Row& expected, const std::string& of) {
  int64_t total = 0;
  for (const auto count : counts) total += count;
  ASSERT_GT(total, 200) << of;
  for (size_t x = 0; x < counts.size(); ++x) {
    const double share = static_cast<double>(counts[x]) / static_cast<double>(total);
    const double error = std::sqrt(expected[x] * (1.0 - expected[x]) / static_cast<double>(total));
    EXPECT_NEAR(share, expected[x], 5.0 * error + 1e-9) << of << " to " << x;
  }
}

TEST(RandomWalks, GoOnByTheProbabilitiesOfTheSecondOrder) {
  for (const bool weighted : {false, true})
    for (const auto& [p, q] : {std::pair{1.0, 1.0}, {4.0, 0.5}, {0.25, 4.0}}) {
      const auto graph = small_graph(weighted);
      const auto w = dense(graph);
      const RandomWalks walks(
          graph, {.length = 12, .return_parameter = p, .in_out_parameter = q, .path = {}});
      for (const auto& [last, counts] : followers(walks, 2, 7, 3000))
        expect_shares(counts,
                      second_order(w, static_cast<size_t>(last[0]), static_cast<size_t>(last[1]), p,
                                   q),
                      std::to_string(last[0]) + " " + std::to_string(last[1]) + " p " +
                          std::to_string(p) + " q " + std::to_string(q));
    }
}

TEST(RandomWalks, BeginByTheWeightsOfEdgesAlone) {
  for (const bool weighted : {false, true}) {
    const auto graph = small_graph(weighted);
    const auto w = dense(graph);
    const RandomWalks walks(
        graph, {.length = 2, .return_parameter = 4.0, .in_out_parameter = 0.25, .path = {}});
    for (const auto& [last, counts] : followers(walks, 1, 7, 3000))
      expect_shares(counts, normalized(w[static_cast<size_t>(last[0])]), std::to_string(last[0]));
  }
}

TEST(RandomWalks, BeginAtEveryNodeThatHasAnEdge) {
  const RandomWalks walks(small_graph(false), {});
  EXPECT_EQ(walks.starts(), (std::vector<int32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_TRUE(walks.may_visit(6));
}

// Users 0 to 2, items 3 to 6, genres 7 and 8; item 6 has no genre, user 2 no item but 6.
UndirectedGraph typed_nodes() {
  const auto first = torch::tensor({0, 0, 1, 1, 2, 3, 4, 5}, torch::kLong);
  const auto second = torch::tensor({3, 4, 4, 5, 6, 7, 7, 8}, torch::kLong);
  return undirected_graph(9, first, second);
}

TEST(RandomWalks, AlongAPathGoByItsTypesInTurn) {
  const NodeRange users{0, 3}, items{3, 4}, genres{7, 2};
  const std::vector<NodeRange> path = {users, items, genres, items, users};
  const auto graph = typed_nodes();
  const auto w = dense(graph);
  const RandomWalks walks(graph, {.length = 20, .path = path});
  EXPECT_EQ(walks.starts(), (std::vector<int32_t>{0, 1, 2}));
  std::vector<int32_t> nodes;
  size_t longest = 0;
  for (const auto start : walks.starts())
    for (uint64_t n = 0; n < 200; ++n) {
      walks.walk(start, RandomKey(1).child(n), nodes);
      longest = std::max(longest, nodes.size());
      for (size_t place = 0; place < nodes.size(); ++place) {
        const auto& type = path[place % 4];
        EXPECT_TRUE(nodes[place] >= type.first && nodes[place] < type.first + type.count) << place;
        if (place > 0) {
          EXPECT_GT(w[static_cast<size_t>(nodes[place - 1])][static_cast<size_t>(nodes[place])],
                    0.0);
        }
      }
      // The item without a genre is where the path ends.
      if (start == 2) {
        EXPECT_EQ(nodes, (std::vector<int32_t>{2, 6}));
      }
    }
  EXPECT_EQ(longest, 20U);
}

TEST(RandomWalks, AlongAPathDrawAmongTheNeighboursOfTheTypeByWeight) {
  const auto first = torch::tensor({0, 0, 0, 0}, torch::kLong);
  const auto second = torch::tensor({1, 2, 3, 4}, torch::kLong);
  const auto graph = undirected_graph(5, first, second, torch::tensor({5.0F, 1.0F, 3.0F, 7.0F}));
  const NodeRange user{0, 1}, items{2, 2};
  const RandomWalks walks(graph, {.length = 2, .path = {user, items, user}});
  const auto counts = followers(walks, 1, 5, 20'000);
  ASSERT_EQ(counts.size(), 1U);
  expect_shares(counts.begin()->second, {0, 0, 0.25, 0.75, 0}, "0");
  EXPECT_FALSE(walks.may_visit(1));
  EXPECT_TRUE(walks.may_visit(2));
}

TEST(RandomWalks, AreAFunctionOfTheKeyAndTheStart) {
  const RandomWalks walks(
      small_graph(true),
      {.length = 30, .return_parameter = 2.0, .in_out_parameter = 0.5, .path = {}});
  std::vector<int32_t> one, same, other;
  walks.walk(2, RandomKey(9), one);
  walks.walk(1, RandomKey(9), same);  // what was in the list before does not matter
  walks.walk(2, RandomKey(9), same);
  walks.walk(2, RandomKey(10), other);
  EXPECT_EQ(one.size(), 30U);
  EXPECT_EQ(one, same);
  EXPECT_NE(one, other);
}

TEST(RandomWalks, RefusesAPathThatDoesNotComeBack) {
  const NodeRange users{0, 3}, items{3, 4};
  EXPECT_THROW(RandomWalks(typed_nodes(), {.path = {users, items}}), c10::Error);
  EXPECT_THROW(RandomWalks(typed_nodes(), {.path = {users}}), c10::Error);
  EXPECT_THROW(RandomWalks(typed_nodes(), {.return_parameter = 2.0, .path = {users, items, users}}),
               c10::Error);
}

}  // namespace
}  // namespace reckon::random_walks_test
