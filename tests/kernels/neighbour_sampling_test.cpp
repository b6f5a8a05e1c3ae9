#include "kernels/neighbour_sampling.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>
#include <map>
#include <set>

#include "kernels/kernel_threads.h"
#include "tests/kernels/random_graph.h"
#include "tests/support/gradients.h"

namespace reckon::neighbour_sampling_test {
namespace {

// Node 0 with an edge to each of the others.
UndirectedGraph star(int64_t num_others) {
  return undirected_graph(num_others + 1, torch::zeros({num_others}, torch::kLong),
                          torch::arange(1, num_others + 1, torch::kLong));
}

torch::Tensor rows_of(const std::vector<int64_t>& rows) {
  return torch::tensor(rows, torch::kLong);  // [R]
}

// The nodes that receiver r of a hop hears, in their order.
std::vector<int64_t> heard(const NeighbourSample& sample, size_t hop, int64_t r) {
  const auto& lists = sample.hops.at(hop).lists;
  std::vector<int64_t> nodes;
  for (auto e = lists.offsets[r].item<int64_t>(); e < lists.offsets[r + 1].item<int64_t>(); ++e)
    nodes.push_back(sample.nodes[lists.senders[e].item<int64_t>()].item<int64_t>());
  return nodes;
}

TEST(NeighbourSampling, EachNeighbourIsDrawnEquallyOften) {
  constexpr int64_t kNeighbours = 20, kFanout = 6, kTrials = 4000;
  const auto graph = star(kNeighbours);
  std::vector<double> counts(kNeighbours);
  for (uint64_t key = 0; key < kTrials; ++key)
    for (const auto node : heard(sample_neighbours(graph, rows_of({0}), {kFanout}, key), 0, 0))
      ++counts[node - 1];
  // Of draws without replacement the counts vary less than independent ones would.
  const double share = static_cast<double>(kFanout) / kNeighbours, mean = kTrials * share;
  double chi = 0.0;
  for (const double count : counts)
    chi +=
        (count - mean) * (count - mean) / (mean * (1.0 - share)) * (kNeighbours - 1) / kNeighbours;
  const double freedom = kNeighbours - 1;
  EXPECT_LT(chi, freedom + 6.0 * std::sqrt(2.0 * freedom));
}

TEST(NeighbourSampling, EachSetOfNeighboursIsDrawnEquallyOften) {
  constexpr int64_t kTrials = 5000, kSets = 10;
  const auto graph = star(5);
  std::map<std::vector<int64_t>, double> counts;
  for (uint64_t key = 0; key < kTrials; ++key)
    ++counts[heard(sample_neighbours(graph, rows_of({0}), {2}, key), 0, 0)];
  ASSERT_EQ(counts.size(), static_cast<size_t>(kSets));
  const double mean = static_cast<double>(kTrials) / kSets;
  double chi = 0.0;
  for (const auto& [set, count] : counts) chi += (count - mean) * (count - mean) / mean;
  const double freedom = kSets - 1;
  EXPECT_LT(chi, freedom + 6.0 * std::sqrt(2.0 * freedom));
}

TEST(NeighbourSampling, ANodeHearsAsManyDistinctNeighboursAsTheFanOutAllows) {
  torch::manual_seed(1);
  const auto graph = random_graph(40, 200, false);
  const auto rows = rows_of({17, 3, 39});
  const std::vector<int64_t> fanouts{3, 50, 1};
  const auto sample = sample_neighbours(graph, rows, fanouts, 5);
  ASSERT_EQ(sample.hops.size(), 3U);
  EXPECT_EQ(sample.num_rows(), 3);
  EXPECT_TRUE(torch::equal(sample.nodes.slice(0, 0, 3), rows));
  int64_t num_known = 3;
  for (size_t h = 0; h < fanouts.size(); ++h) {
    const auto& [lists, edges] = sample.hops[h];
    EXPECT_EQ(lists.num_receivers(), num_known);
    num_known = lists.num_senders();
    for (int64_t r = 0; r < lists.num_receivers(); ++r) {
      const auto node = sample.nodes[r].item<int64_t>();
      const auto begin = graph.offsets[node].item<int64_t>(),
                 end = graph.offsets[node + 1].item<int64_t>();
      const auto nodes = heard(sample, h, r);
      EXPECT_EQ(static_cast<int64_t>(nodes.size()), std::min(fanouts[h], end - begin));
      EXPECT_EQ(std::set<int64_t>(nodes.begin(), nodes.end()).size(), nodes.size());
      for (size_t i = 0; i < nodes.size(); ++i) {
        const auto edge =
            edges[lists.offsets[r].item<int64_t>() + static_cast<int64_t>(i)].item<int64_t>();
        EXPECT_TRUE(begin <= edge && edge < end);
        EXPECT_EQ(graph.ends[edge].item<int64_t>(), nodes[i]);
      }
    }
  }
  EXPECT_EQ(sample.nodes.size(0), num_known);
  const auto* node = sample.nodes.const_data_ptr<int64_t>();
  EXPECT_EQ(std::set<int64_t>(node, node + num_known).size(), static_cast<size_t>(num_known));
}

TEST(NeighbourSampling, WhatANodeHearsDependsOnKeyHopAndNodeAlone) {
  torch::manual_seed(2);
  const auto graph = random_graph(600, 6000, false);
  const auto everything = torch::arange(600, torch::kLong);  // [N]
  const auto all = sample_neighbours(graph, everything, {4, 4}, 9);
  {
    const KernelThreads threads(3);
    const auto again = sample_neighbours(graph, everything, {4, 4}, 9);
    for (size_t h = 0; h < 2; ++h)
      EXPECT_TRUE(torch::equal(again.hops[h].edges, all.hops[h].edges));
  }
  const auto some = sample_neighbours(graph, rows_of({500, 7}), {4, 4}, 9);
  for (int64_t r = 0; r < some.nodes.size(0); ++r) {
    const auto node = some.nodes[r].item<int64_t>();
    if (r < some.num_rows()) {
      EXPECT_EQ(heard(some, 0, r), heard(all, 0, node));
    }
    if (r < some.hops[1].lists.num_receivers()) {
      EXPECT_EQ(heard(some, 1, r), heard(all, 1, node));
    }
  }
  EXPECT_FALSE(torch::equal(all.hops[0].edges, all.hops[1].edges));
  EXPECT_FALSE(torch::equal(all.hops[0].edges,
                            sample_neighbours(graph, everything, {4, 4}, 10).hops[0].edges));
}

using Aggregate = torch::Tensor (*)(const UndirectedGraph&, const NeighbourSample&, size_t,
                                    const torch::Tensor&);
using Whole = torch::Tensor (*)(const UndirectedGraph&, const torch::Tensor&, const torch::Tensor&);
const std::pair<Aggregate, Whole> kAggregates[] = {{normalized_sum_of_sample, normalized_spmm},
                                                   {mean_of_sample, mean_of_neighbours}};

// Two layers over a sample, and over the graph.
torch::Tensor twice(Aggregate aggregate, const UndirectedGraph& graph,
                    const NeighbourSample& sample, const torch::Tensor& x) {
  const auto inner = aggregate(graph, sample, 1, x.index_select(0, sample.nodes));  // [., D]
  return aggregate(graph, sample, 0, inner);                                        // [R, D]
}

torch::Tensor twice(Whole whole, const UndirectedGraph& graph, const torch::Tensor& rows,
                    const torch::Tensor& x) {
  return whole(graph, whole(graph, x, {}), rows);  // [R, D]
}

TEST(NeighbourSampling, FanOutsThatLeaveNobodyOutGiveAllNeighboursWithTheirGradients) {
  torch::manual_seed(3);
  const auto rows = rows_of({4, 0, 11});
  for (const bool is_weighted : {false, true})
    for (const auto& [aggregate, whole] : kAggregates) {
      const auto graph = random_graph(15, 40, is_weighted);
      const auto mix = torch::randn({3, 5}, torch::kDouble);                  // [R, D]
      const auto x = torch::randn({15, 5}, torch::kDouble).requires_grad_();  // [N, D]
      const auto sampled =
          twice(aggregate, graph, sample_neighbours(graph, rows, {15, 15}, 1), x);  // [R, D]
      const auto expected = twice(whole, graph, rows, x);                           // [R, D]
      // Degrees are float32.
      EXPECT_TRUE(torch::allclose(sampled, expected, 1e-5, 1e-7));
      const auto gradient = [&](const torch::Tensor& out) {
        return torch::autograd::grad({(out.square() * mix).sum()}, {x})[0];  // [N, D]
      };
      EXPECT_TRUE(torch::allclose(gradient(sampled), gradient(expected), 1e-5, 1e-7));
    }
}

TEST(NeighbourSampling, NormalizedSumsAreRightInTheMeanOverDraws) {
  torch::manual_seed(4);
  constexpr int64_t kDraws = 3000;
  const auto rows = rows_of({2, 9, 5, 0});
  for (const bool is_weighted : {false, true}) {
    const auto graph = random_graph(12, 50, is_weighted);
    const auto x = torch::randn({12, 3}, torch::kDouble);                    // [N, D]
    auto sum = torch::zeros({4, 3}, torch::kDouble), squares = sum.clone();  // [R, D] each
    for (uint64_t key = 0; key < kDraws; ++key) {
      const auto one = twice(normalized_sum_of_sample, graph,
                             sample_neighbours(graph, rows, {3, 2}, key), x);  // [R, D]
      sum += one;
      squares += one.square();
    }
    const auto mean = sum / kDraws;  // [R, D]
    const auto error = ((squares / kDraws - mean.square()) / kDraws).clamp_min(0).sqrt();
    const auto distance = (mean - twice(normalized_spmm, graph, rows, x)).abs();  // [R, D]
    EXPECT_TRUE(distance.le(5.0 * error + 1e-5).all().item<bool>()) << distance << error;
    EXPECT_GT(error.max().item<double>(), 0.0);
  }
}

TEST(NeighbourSampling, MeansAreThoseOfWhoIsHeard) {
  torch::manual_seed(5);
  for (const bool is_weighted : {false, true}) {
    const auto graph = random_graph(20, 60, is_weighted);
    const auto weight = dense_adjacency(graph);  // [N, N]
    const auto x = torch::randn({20, 4});        // [N, D]
    const auto rows = torch::arange(20, torch::kLong);
    const auto sample = sample_neighbours(graph, rows, {2}, 3);
    const auto got = mean_of_sample(graph, sample, 0, x.index_select(0, sample.nodes));  // [N, D]
    for (int64_t n = 0; n < 20; ++n) {
      auto sum = torch::zeros({4}), total = torch::zeros({});  // [D], []
      for (const auto other : heard(sample, 0, n)) {
        sum += weight[n][other] * x[other];
        total += weight[n][other];
      }
      const auto expected = total.item<float>() > 0 ? sum / total : sum;  // [D]
      EXPECT_TRUE(torch::allclose(got[n], expected, 1e-4, 1e-5)) << n;
    }
  }
}

TEST(NeighbourSampling, GradientsEqualDifferences) {
  torch::manual_seed(6);
  const auto graph = random_graph(9, 30, true);
  const auto sample = sample_neighbours(graph, rows_of({8, 1}), {2, 2}, 4);
  const auto mix = torch::randn({2, 3}, torch::kDouble);  // [R, D]
  for (const auto& [aggregate, whole] : kAggregates)
    expect_gradients(
        [&, aggregate = aggregate](const auto& in) {
          return (twice(aggregate, graph, sample, in[0]).square() * mix).sum();
        },
        {torch::randn({9, 3}, torch::kDouble)});
}

TEST(NeighbourSampling, PermutingNodesPermutesWhatAllNeighboursGive) {
  torch::manual_seed(7);
  constexpr int64_t kNodes = 18;
  const auto first = torch::randint(kNodes, {50}, torch::kLong);   // [E]
  const auto second = torch::randint(kNodes, {50}, torch::kLong);  // [E]
  const auto order = torch::randperm(kNodes, torch::kLong);        // [N]
  const auto graph = undirected_graph(kNodes, first, second);
  const auto moved_graph =
      undirected_graph(kNodes, order.index_select(0, first), order.index_select(0, second));
  const auto x = torch::randn({kNodes, 4}, torch::kDouble);         // [N, D]
  const auto moved = torch::empty_like(x).index_copy(0, order, x);  // [N, D]
  const auto rows = rows_of({3, 16, 0});
  for (const auto& [aggregate, whole] : kAggregates) {
    const auto plain = twice(aggregate, graph, sample_neighbours(graph, rows, {18, 18}, 1), x);
    const auto permuted =
        twice(aggregate, moved_graph,
              sample_neighbours(moved_graph, order.index_select(0, rows), {18, 18}, 1), moved);
    EXPECT_TRUE(torch::allclose(plain, permuted, 1e-5, 1e-7));
  }
}

TEST(NeighbourSampling, ANodeWithoutNeighboursHearsNobody) {
  const auto graph = undirected_graph(3, rows_of({0}), rows_of({1}));
  const auto sample = sample_neighbours(graph, rows_of({2}), {4, 4}, 1);
  EXPECT_EQ(sample.nodes.size(0), 1);
  const auto x = torch::ones({1, 2});  // [S, D]
  EXPECT_TRUE(torch::equal(mean_of_sample(graph, sample, 0, x), torch::zeros({1, 2})));
  EXPECT_TRUE(torch::equal(normalized_sum_of_sample(graph, sample, 0, x), torch::zeros({1, 2})));
}

TEST(NeighbourSampling, SelfLoopsStandOnceBehindTheOthers) {
  const auto lists = neighbour_lists(torch::tensor({0, 2, 4}, torch::kLong),
                                     torch::tensor({2, 0, 0, 2}, torch::kInt), 3);
  const auto with = with_self_loops(lists);
  EXPECT_TRUE(torch::equal(with.offsets, torch::tensor({0, 2, 5}, torch::kLong)));
  EXPECT_TRUE(torch::equal(with.senders, torch::tensor({2, 0, 0, 2, 1}, torch::kInt)));
  EXPECT_EQ(with.num_senders(), 3);
}

TEST(NeighbourSampling, RefusesWhatItCannotDraw) {
  const auto graph = star(4);
  EXPECT_THROW(sample_neighbours(graph, rows_of({0}), {}, 1), c10::Error);
  EXPECT_THROW(sample_neighbours(graph, rows_of({0}), {2, 0}, 1), c10::Error);
  EXPECT_THROW(sample_neighbours(graph, rows_of({5}), {2}, 1), c10::Error);
  EXPECT_THROW(sample_neighbours(graph, rows_of({-1}), {2}, 1), c10::Error);
  EXPECT_THROW(sample_neighbours(graph, rows_of({1, 1}), {2}, 1), c10::Error);
}

}  // namespace
}  // namespace reckon::neighbour_sampling_test
