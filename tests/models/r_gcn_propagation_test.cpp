#include "models/r_gcn_propagation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/models/typed_graph.h"

namespace reckon::r_gcn_propagation_test {
namespace {

using Options = RGcnPropagation::Options;
using ::testing::ElementsAre;

std::shared_ptr<Propagation> make(const Options& options, const Graph& graph, int64_t width) {
  return std::make_shared<RGcnPropagation>(options, deps_of(graph, width));
}

// A matrix of all pairs of nodes for each relation, and a matrix of weights of its own.
// Shapes   x [N, D] -> [N, D]
torch::Tensor by_matrices(const Options& options, const Propagation& model, const Graph& graph,
                          torch::Tensor x) {
  const auto parameters = parameters_of(model);
  for (int64_t k = 0; k < options.layers; ++k) {
    const auto number = std::to_string(k);
    auto mixed = x.matmul(parameters.at("own." + number + ".weight").t());  // [N, D]
    const auto bases = parameters.at("bases." + number + ".weight").chunk(options.bases, 1);
    for (size_t r = 0; r < graph.relations.size(); ++r) {
      auto means = dense_relation(graph, graph.relations[r]);  // [N, N]
      const auto totals = means.sum(1, true);                  // [N, 1]
      means = means / torch::where(totals > 0, totals, torch::ones_like(totals));
      auto matrix = torch::zeros_like(bases[0]);  // [D, D]
      for (int64_t b = 0; b < options.bases; ++b)
        matrix += parameters.at("coefficients_" + number)[static_cast<int64_t>(r)][b] *
                  bases[static_cast<size_t>(b)];
      mixed = mixed + means.matmul(x).matmul(matrix.t());
    }
    x = k == options.layers - 1 ? mixed : mixed.clamp_min(0);
  }
  return x;
}

TEST(RGcnPropagation, EqualsTheFormulaByMatricesOfEachRelation) {
  torch::manual_seed(1);
  for (const auto& [users, items, genres, edges] :
       {std::tuple{1, 1, 0, 1}, {1, 1, 0, 0}, {4, 5, 2, 8}, {20, 30, 3, 60}})
    for (const Options& options :
         {Options{.layers = 1, .bases = 1}, Options{.layers = 2, .bases = 2},
          Options{.layers = 3, .bases = 5}}) {
      const auto graph = random_typed_graph(users, items, genres, edges);
      const auto model = make(options, graph, 6);
      const TypedInputs inputs(*model, graph, 6);
      const auto out =
          model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
      EXPECT_TRUE(torch::allclose(out, by_matrices(options, *model, graph, inputs.all), 1e-6, 1e-6))
          << users << " users, " << options.bases << " bases";
    }
}

TEST(RGcnPropagation, HasTheValuesAndGradientsOfTheReference) {
  const auto graph = small_graph();
  expect_propagation_reference(*make({.layers = 2, .bases = 2}, graph, 4), "r_gcn");
}

TEST(RGcnPropagation, GradientsEqualDifferences) {
  torch::manual_seed(2);
  expect_gradients_of_propagation(
      [](const Graph& graph) { return make({.layers = 2, .bases = 3}, graph, 4); }, 4);
}

TEST(RGcnPropagation, NamesOfNodesDoNotMatter) {
  torch::manual_seed(3);
  expect_that_names_of_nodes_do_not_matter(
      [](const Graph& graph) { return make({.layers = 2}, graph, 4); }, 4);
}

TEST(RGcnPropagation, RowsAreThoseOfAll) {
  torch::manual_seed(4);
  expect_that_rows_are_those_of_all(
      [](const Graph& graph) { return make({.layers = 2}, graph, 4); }, 4);
}

// What a relation says changes with its coefficients and with nothing that another relation has.
TEST(RGcnPropagation, EachDirectionOfARelationHasAMatrixOfItsOwn) {
  torch::manual_seed(5);
  const auto graph = small_graph();
  const auto model = make({.layers = 1}, graph, 4);
  const TypedInputs inputs(*model, graph, 4);
  const torch::NoGradGuard no_grad;
  const auto out = [&] {
    return model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
  };
  const auto before = out();
  // Users alone hear along interactions, items and genres along others.
  parameters_of(*model).at("coefficients_0")[0].add_(1.0);
  const auto moved = (out() - before).abs().sum(1).gt(1e-6);  // [N]
  EXPECT_TRUE(torch::equal(moved, torch::arange(9).lt(3)));
}

TEST(TypedEdges, KeepEachDirectionThatTheGraphHoldsAndTheMeansOfItsWeights) {
  const auto graph = small_graph();
  const auto edges = typed_edges(deps_of(graph, 4));
  EXPECT_THAT(edges.relations, ElementsAre("interactions", "rev_interactions", "item.genre",
                                           "rev_item.genre", "friends"));
  // User 0 rates item 0 with 1 and item 2 with 3, and has user 1 for a friend.
  EXPECT_TRUE(torch::equal(edges.senders.slice(0, 0, 3), torch::tensor({3, 5, 1}, torch::kInt)));
  EXPECT_TRUE(torch::equal(edges.types.slice(0, 0, 3), torch::tensor({0, 0, 4}, torch::kInt)));
  EXPECT_TRUE(torch::equal(edges.means.slice(0, 0, 3), torch::tensor({0.25F, 0.75F, 1.0F})));
  EXPECT_EQ(edges.offsets[9].item<int64_t>(), 24);
  const auto some = typed_edges(deps_of(graph, 4), {"item.genre"});
  EXPECT_THAT(some.relations, ElementsAre("item.genre", "rev_item.genre"));
  EXPECT_EQ(some.senders.size(0), 10);
}

TEST(TypedEdges, RefuseARelationThatTheGraphHasNot) {
  const auto graph = small_graph();
  EXPECT_THAT([&] { typed_edges(deps_of(graph, 4), {"item.genres"}); },
              ::testing::ThrowsMessage<std::invalid_argument>(
                  "the graph has no relation 'item.genres'; did you mean 'item.genre'?"));
}

TEST(TypedEdges, OfSizesAloneAreInteractionsBothWays) {
  const auto edges = typed_edges({.width = 4, .num_users = 2, .num_items = 3});
  EXPECT_EQ(edges.num_nodes(), 5);
  EXPECT_THAT(edges.relations, ElementsAre("interactions", "rev_interactions"));
}

TEST(InteractionGraph, HoldsInteractionsBothWays) {
  Interactions train;
  train.num_users = 2;
  train.num_items = 3;
  train.user_offsets = torch::tensor({0, 2, 3}, torch::kLong);  // [U + 1]
  train.items = torch::tensor({2, 0, 2}, torch::kInt);          // [E]
  const auto graph = interaction_graph(train);
  ASSERT_EQ(graph.relations.size(), 2U);
  EXPECT_EQ(graph.relations[1].reverse_of, 0);
  EXPECT_TRUE(torch::equal(dense_relation(graph, graph.relations[1]),
                           dense_relation(graph, graph.relations[0]).t()));
  EXPECT_EQ(dense_relation(graph, graph.relations[0]).sum().item<double>(), 3.0);
}

TEST(RGcnPropagation, ServesNoNewUsersAndMakesNoViews) {
  const auto graph = small_graph();
  const auto model = make({}, graph, 4);
  EXPECT_FALSE(model->serves_new_users());
  EXPECT_FALSE(model->makes_views(ViewNeeds::Kind::kEdgeDropout));
}

}  // namespace
}  // namespace reckon::r_gcn_propagation_test
