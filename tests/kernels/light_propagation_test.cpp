#include "kernels/light_propagation.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "tests/kernels/every_simd.h"
#include "tests/kernels/random_graph.h"
#include "tests/support/gradients.h"

namespace reckon::light_propagation_test {
namespace {

struct Tables {
  std::vector<torch::Tensor> all;

  Tables(int64_t users, int64_t items, int64_t others, int64_t width, torch::ScalarType type) {
    all = {torch::randn({users, width}, type), torch::randn({items, width}, type)};
    if (others > 0) all.push_back(torch::randn({others, width}, type));
  }
  int64_t height() const {
    int64_t total = 0;
    for (const auto& table : all) total += table.size(0);
    return total;
  }
};

// The formula, with a dense matrix and all rows of every layer.
LightPropagation by_dense_matrix(const UndirectedGraph& graph,
                                 const std::vector<torch::Tensor>& tables,
                                 const torch::Tensor& rows, const std::vector<double>& weights) {
  const auto all = torch::cat(tables);                                  // [N, D]
  const auto adjacency = dense_adjacency(graph).to(all.scalar_type());  // [N, N]
  const auto degrees = adjacency.sum(1);                                // [N]
  const auto root = torch::where(degrees > 0, degrees.rsqrt(), torch::zeros_like(degrees));  // [N]
  const auto normalized = root.unsqueeze(1) * adjacency * root;  // [N, N]
  auto layer = all;                                              // [N, D]
  auto sum = weights[0] * all;                                   // [N, D]
  for (size_t k = 1; k < weights.size(); ++k) {
    layer = normalized.matmul(layer);
    sum = sum + weights[k] * layer;
  }
  return {sum.index_select(0, rows), all.index_select(0, rows)};
}

const std::vector<std::vector<double>> kLayerWeights = {{1.0},
                                                        {0.5, 0.5},
                                                        {0.0, 1.0},
                                                        {0.2, 0.3, 0.5},
                                                        {0.25, 0.25, 0.25, 0.25},
                                                        {0.1, 0, 0.4, 0, 0.5}};

TEST(LightPropagation, EqualsTheFormulaWithADenseMatrix) {
  torch::manual_seed(1);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const auto& weights : kLayerWeights)
      for (const bool is_weighted : {false, true})
        for (const int64_t others : {0, 4}) {
          const Tables tables(13, 9, others, 24, torch::kFloat);
          const auto graph = random_graph(tables.height(), 60, is_weighted);
          const auto rows = torch::tensor({20, 3, 0, 14, 21}, torch::kLong);  // [R]
          const auto got = light_propagation(graph, tables.all, rows, weights);
          const auto expected = by_dense_matrix(graph, tables.all, rows, weights);
          EXPECT_TRUE(torch::allclose(got.vectors, expected.vectors, 1e-4, 1e-5))
              << weights.size() << " layers, " << simd_name(simd);
          EXPECT_TRUE(torch::equal(got.origin, expected.origin));
        }
  }
}

TEST(LightPropagation, GradientsOfARowsLossEqualThoseOfFullPropagation) {
  torch::manual_seed(2);
  for (const auto& weights : kLayerWeights)
    for (const int64_t others : {0, 3}) {
      const Tables tables(11, 8, others, 6, torch::kDouble);
      const auto graph = random_graph(tables.height(), 50, others > 0);
      const auto rows = torch::tensor({5, 18, 0, 11}, torch::kLong);  // [R]
      const auto mix = torch::randn({2, 4, 6}, torch::kDouble);       // [2, R, D]
      const auto gradients = [&](const auto& propagate) {
        std::vector<torch::Tensor> leaves;
        for (const auto& table : tables.all) leaves.push_back(table.clone().requires_grad_());
        const auto out = propagate(graph, leaves, rows, weights);
        const auto loss = (out.vectors.square() * mix[0] + out.origin * mix[1]).sum();  // []
        return torch::autograd::grad({loss}, leaves);
      };
      const auto got = gradients([](auto&&... in) { return light_propagation(in...); });
      const auto expected = gradients([](auto&&... in) { return by_dense_matrix(in...); });
      for (size_t t = 0; t < got.size(); ++t)
        EXPECT_TRUE(torch::allclose(got[t], expected[t], 1e-5, 1e-7))  // degrees are float32
            << weights.size() << " layers, table " << t;
    }
}

TEST(LightPropagation, GradientsEqualDifferences) {
  torch::manual_seed(3);
  const Tables tables(4, 5, 2, 3, torch::kDouble);
  const auto graph = random_graph(tables.height(), 18, true);
  const auto rows = torch::tensor({2, 10, 4}, torch::kLong);  // [R]
  const auto mix = torch::randn({2, 3, 3}, torch::kDouble);   // [2, R, D]
  expect_gradients(
      [&](const auto& in) {
        const auto out = light_propagation(graph, in, rows, {0.1, 0.2, 0.3, 0.4});
        return (out.vectors.square() * mix[0]).sum() + (out.origin.square() * mix[1]).sum();
      },
      tables.all);
}

TEST(LightPropagation, PermutingNodesPermutesResults) {
  torch::manual_seed(4);
  const int64_t users = 12, items = 7, nodes = users + items;
  const auto first = torch::randint(users, {40}, torch::kLong);                             // [E]
  const auto second = users + torch::randint(items, {40}, torch::kLong);                    // [E]
  const auto order = torch::cat({torch::randperm(users), users + torch::randperm(items)});  // [N]
  const Tables tables(users, items, 0, 16, torch::kFloat);
  const auto all = torch::cat(tables.all);                              // [N, D]
  const auto moved = torch::empty_like(all).index_copy(0, order, all);  // [N, D]
  const auto graph = undirected_graph(nodes, first, second);
  const auto moved_graph =
      undirected_graph(nodes, order.index_select(0, first), order.index_select(0, second));
  const auto rows = torch::arange(nodes);  // [N]
  const std::vector<double> weights = {0.25, 0.25, 0.5};
  const auto plain = light_propagation(graph, tables.all, rows, weights).vectors;  // [N, D]
  const auto permuted =
      light_propagation(moved_graph, {moved.slice(0, 0, users), moved.slice(0, users)}, rows,
                        weights)
          .vectors;
  EXPECT_TRUE(torch::allclose(permuted.index_select(0, order), plain, 1e-4, 1e-5));
}

TEST(LightPropagation, NoiseMovesEachLayerByItsLengthAndKeepsEverySign) {
  torch::manual_seed(5);
  const Tables tables(30, 20, 0, 32, torch::kFloat);
  const auto graph = random_graph(50, 300, false);
  const auto rows = torch::arange(50);  // [N]
  const auto shift_of = [&](double scale, uint64_t key) {
    const std::vector<double> last = {0.0, 1.0};
    return light_propagation(graph, tables.all, rows, last, LayerNoise{scale, key}).vectors -
           light_propagation(graph, tables.all, rows, last).vectors;  // [N, D]
  };
  const auto plain = light_propagation(graph, tables.all, rows, {0.0, 1.0}).vectors;  // [N, D]
  const auto shift = shift_of(0.1, 7);
  EXPECT_TRUE(torch::allclose(shift.norm(2, 1), torch::full({50}, 0.1F), 1e-3, 1e-4));
  EXPECT_TRUE((shift * plain).ge(-1e-6).all().item<bool>());
  EXPECT_TRUE(torch::equal(shift, shift_of(0.1, 7)));
  EXPECT_FALSE(torch::allclose(shift, shift_of(0.1, 8), 1e-2, 1e-3));
  // Node by node another direction.
  EXPECT_FALSE(torch::allclose(shift[0].abs(), shift[1].abs(), 1e-2, 1e-3));
  // Rows alone are moved as all rows together are.
  const auto some = torch::tensor({17, 3}, torch::kLong);  // [R]
  const std::vector<double> weights = {0.0, 0.5, 0.5};
  EXPECT_TRUE(torch::allclose(
      light_propagation(graph, tables.all, some, weights, LayerNoise{0.1, 7}).vectors,
      light_propagation(graph, tables.all, rows, weights, LayerNoise{0.1, 7})
          .vectors.index_select(0, some),
      1e-5, 1e-6));
}

}  // namespace
}  // namespace reckon::light_propagation_test
