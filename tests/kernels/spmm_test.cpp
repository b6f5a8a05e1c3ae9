#include "kernels/spmm.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <set>

#include "kernels/kernel_threads.h"
#include "tests/kernels/every_simd.h"
#include "tests/kernels/random_graph.h"
#include "tests/support/gradients.h"

namespace reckon::spmm_test {
namespace {

torch::Tensor product_one_by_one(const UndirectedGraph& graph, const torch::Tensor& x) {
  return dense_adjacency(graph).to(x.scalar_type()).matmul(x);  // [N, D]
}

TEST(Spmm, EqualsTheDenseProductAtEveryWidthAndInstructionSet) {
  torch::manual_seed(1);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const bool is_weighted : {false, true})
      for (const auto& [nodes, edges] :
           {std::pair<int64_t, int64_t>{1, 0}, {1, 1}, {7, 9}, {300, 2000}})
        for (const int64_t width : {1, 3, 16, 20, 64, 80, 131}) {
          const auto graph = random_graph(nodes, edges, is_weighted);
          const auto x = torch::randn({nodes, width});  // [N, D]
          EXPECT_TRUE(torch::allclose(spmm(graph, x), product_one_by_one(graph, x), 1e-4, 1e-5))
              << simd_name(simd) << " " << nodes << " x " << width;
        }
  }
}

TEST(Spmm, DoesOnItsWayWhatTheOptionsSay) {
  torch::manual_seed(2);
  const int64_t nodes = 40, width = 35;
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const bool is_weighted : {false, true}) {
      const auto graph = random_graph(nodes, 150, is_weighted);
      // Node 3 k stands in row k of what is given; the others are zero.
      const auto rows_of_x = torch::arange(0, nodes, 3);                             // [R]
      const auto few = torch::randn({rows_of_x.size(0), width});                     // [R, D]
      const auto full = torch::zeros({nodes, width}).index_copy(0, rows_of_x, few);  // [N, D]
      const auto scale = torch::rand({nodes}), add_scale = torch::rand({nodes});     // [N], [N]
      const auto wanted = torch::tensor({5, 39, 0, 12}, torch::kLong);               // [R']
      const SpmmOptions options{.rows = wanted,
                                .x_index = row_index(rows_of_x, nodes),
                                .row_scale = scale,
                                .add = few,
                                .add_scale = add_scale,
                                .add_index = row_index(rows_of_x, nodes),
                                .add_factor = 0.75};
      const auto expected = (product_one_by_one(graph, full) * scale.unsqueeze(1) +
                             0.75 * add_scale.unsqueeze(1) * full)
                                .index_select(0, wanted);  // [R', D]
      EXPECT_TRUE(torch::allclose(spmm(graph, few, options), expected, 1e-4, 1e-5))
          << simd_name(simd);
      EXPECT_TRUE(torch::allclose(spmm_by_aten(graph, few, options), expected, 1e-4, 1e-5));
    }
  }
}

TEST(Spmm, IsTheSameOnAnyNumberOfThreads) {
  torch::manual_seed(3);
  const auto graph = random_graph(5000, 40000, true);
  const auto x = torch::randn({5000, 64});  // [N, D]
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = spmm(graph, x);
  {
    const KernelThreads threads(3);
    EXPECT_TRUE(torch::equal(spmm(graph, x), alone));
    EXPECT_EQ(at::get_num_threads(), 1);
  }
  at::set_num_threads(before);
}

TEST(Spmm, GradientsOfNormalizedSumsEqualDifferences) {
  torch::manual_seed(4);
  for (const bool is_weighted : {false, true}) {
    const auto graph = random_graph(9, 20, is_weighted);
    const auto x = torch::randn({9, 5}, torch::kDouble);    // [N, D]
    const auto mix = torch::randn({9, 5}, torch::kDouble);  // [N, D]
    expect_gradients([&](const auto& in) { return (normalized_spmm(graph, in[0]) * mix).sum(); },
                     {x});
    const auto rows = torch::tensor({4, 0, 7}, torch::kLong);  // [R]
    expect_gradients(
        [&](const auto& in) {
          return (normalized_spmm(graph, in[0], rows) * mix.slice(0, 0, 3)).sum();
        },
        {x});
  }
}

TEST(Spmm, RowsThatAreNoneOfTheGraphAreRefused) {
  const auto graph = random_graph(5, 6, false);
  EXPECT_THROW(spmm(graph, torch::ones({5, 4}), {.rows = torch::tensor({5}, torch::kLong)}),
               c10::Error);
  EXPECT_THROW(spmm(graph, torch::ones({6, 4})), c10::Error);
}

TEST(UndirectedGraph, IsTheSymmetricUnionOfItsEdges) {
  torch::manual_seed(5);
  const auto first = torch::randint(30, {200}, torch::kLong);   // [E]
  const auto second = torch::randint(30, {200}, torch::kLong);  // [E]
  std::set<std::pair<int64_t, int64_t>> expected;
  for (int64_t e = 0; e < 200; ++e) {
    const auto a = first[e].item<int64_t>(), b = second[e].item<int64_t>();
    expected.insert({a, b});
    expected.insert({b, a});
  }
  const auto graph = undirected_graph(30, first, second);
  std::vector<std::pair<int64_t, int64_t>> held;
  for (int64_t n = 0; n < 30; ++n)
    for (int64_t e = graph.offsets[n].item<int64_t>(); e < graph.offsets[n + 1].item<int64_t>();
         ++e)
      held.emplace_back(n, graph.ends[e].item<int64_t>());
  // In order and without repetition, so equal to the set as a list.
  EXPECT_EQ(held, std::vector(expected.begin(), expected.end()));
}

TEST(UndirectedGraph, WeightsOfOneEdgeAddUpAndDegreesAreTheirSums) {
  const auto graph =
      undirected_graph(3, torch::tensor({0, 1, 2}, torch::kLong),
                       torch::tensor({1, 0, 2}, torch::kLong), torch::tensor({0.5F, 1.5F, 4.0F}));
  EXPECT_TRUE(
      torch::equal(dense_adjacency(graph),
                   torch::tensor({{0.0F, 2.0F, 0.0F}, {2.0F, 0.0F, 0.0F}, {0.0F, 0.0F, 4.0F}})));
  EXPECT_TRUE(torch::equal(graph.inverse_degree, torch::tensor({0.5F, 0.5F, 0.25F})));
  EXPECT_TRUE(torch::allclose(graph.inverse_root_degree.square(), graph.inverse_degree));
}

TEST(UndirectedGraph, ANodeWithoutEdgesHasNoDegreeAndNoNeighbours) {
  const auto graph =
      undirected_graph(2, torch::empty({0}, torch::kLong), torch::empty({0}, torch::kLong));
  EXPECT_TRUE(torch::equal(graph.inverse_degree, torch::zeros({2})));
  EXPECT_TRUE(torch::equal(spmm(graph, torch::ones({2, 3})), torch::zeros({2, 3})));
}

TEST(UndirectedGraph, RefusesEdgesThatEndNowhereAndWeightsThatAreNone) {
  const auto zero = torch::zeros({1}, torch::kLong);
  const auto message_of = [&](const torch::Tensor& second, const torch::Tensor& weights) {
    try {
      undirected_graph(2, zero, second, weights);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message_of(torch::full({1}, 2, torch::kLong), {}),
            "an edge ends at node 2, and the graph has nodes 0 to 1");
  EXPECT_THAT(message_of(zero, torch::full({1}, -1.0F)),
              ::testing::HasSubstr("weighs -1.000000; expected a finite number"));
  EXPECT_THAT(message_of(zero, torch::full({1}, NAN)), ::testing::HasSubstr("weighs nan"));
}

TEST(DropEdges, LeavesOutEdgesBothWaysAndAboutAsManyAsAsked) {
  const auto graph = random_graph(400, 8000, true);
  const auto dropped = drop_edges(graph, 0.3, 11);
  const auto before = dense_adjacency(graph), after = dense_adjacency(dropped);  // [N, N]
  EXPECT_TRUE(torch::equal(after, after.t()));
  EXPECT_TRUE(torch::equal(after, before * after.ne(0)));  // what is left is as it was
  const double kept = after.count_nonzero().item<double>() / before.count_nonzero().item<double>();
  // 8,000 edges: five standard deviations are .026.
  EXPECT_NEAR(kept, 0.7, 0.026);
  const auto degrees = after.sum(1);  // [N]
  EXPECT_TRUE(torch::allclose(dropped.inverse_degree * degrees, degrees.ne(0).to(torch::kFloat)));
  EXPECT_TRUE(torch::equal(dense_adjacency(drop_edges(graph, 0.3, 11)), after));
  EXPECT_FALSE(torch::equal(dense_adjacency(drop_edges(graph, 0.3, 12)), after));
  EXPECT_TRUE(torch::equal(dense_adjacency(drop_edges(graph, 0.0, 12)), before));
}

}  // namespace
}  // namespace reckon::spmm_test
