#include "models/diffnet_propagation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/models/social_support.h"

namespace reckon::diffnet_propagation_test {
namespace {

using Options = DiffnetPropagation::Options;

std::shared_ptr<Propagation> make(const Options& options, const Graph& graph, int64_t width) {
  return std::make_shared<DiffnetPropagation>(options, deps_of(graph, width));
}

// Shapes   users [U, D], items [I, D] -> [U + I, D]
torch::Tensor by_matrices(const Options& options, const Propagation& model, const Graph& graph,
                          const torch::Tensor& users, const torch::Tensor& items) {
  const auto parameters = parameters_of(model);
  auto friends = dense_of_kind(graph, EdgeKind::kFriends);  // [U, U]
  for (int64_t u = 0; u < friends.size(0); ++u)
    if (friends[u].sum().item<double>() == 0.0) friends[u][u] = 1.0;
  auto spread = users;  // [U, D]
  for (int64_t k = 0; k < options.layers; ++k) {
    const auto name = "layers." + std::to_string(k);
    const auto both = torch::cat({rows_as_shares(friends).matmul(spread), spread}, 1);  // [U, 2D]
    spread = both.matmul(parameters.at(name + ".weight").t()) + parameters.at(name + ".bias");
    if (options.activation == Activation::kRelu) spread = spread.clamp_min(0);
    if (options.activation == Activation::kTanh) spread = spread.tanh();
  }
  const auto history = rows_as_shares(dense_of_kind(graph, EdgeKind::kInteractions));  // [U, I]
  return torch::cat({spread + history.matmul(items), items});                          // [U + I, D]
}

TEST(DiffnetPropagation, EqualsTheFormulaByMatrices) {
  torch::manual_seed(1);
  for (const auto& [users, items, friendships, interactions] :
       {std::tuple{1, 1, 0, 0}, {1, 1, 1, 1}, {5, 4, 6, 8}, {20, 30, 30, 60}})
    for (const bool is_weighted : {false, true})
      for (const Options& options :
           {Options{.layers = 1, .activation = Activation::kIdentity}, Options{.layers = 2},
            Options{.layers = 3, .activation = Activation::kTanh}}) {
        const auto graph =
            random_social_graph(users, items, friendships, interactions, is_weighted);
        const auto model = make(options, graph, 6);
        const TypedInputs inputs(*model, graph, 6);
        const torch::NoGradGuard no_grad;
        const auto out =
            model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt);
        EXPECT_TRUE(torch::allclose(out.vectors,
                                    by_matrices(options, *model, graph, inputs.users, inputs.items),
                                    1e-6, 1e-6))
            << users << " users, " << options.layers << " layers";
        EXPECT_TRUE(torch::equal(out.origin, inputs.all));
      }
}

TEST(DiffnetPropagation, HasTheValuesAndGradientsOfTheReference) {
  const auto graph = small_graph();
  expect_propagation_reference(*make({.layers = 2}, graph, 4), "diffnet");
}

TEST(DiffnetPropagation, GradientsEqualDifferences) {
  torch::manual_seed(2);
  expect_gradients_of_propagation(
      [](const Graph& graph) {
        return make({.layers = 2, .activation = Activation::kTanh}, graph, 4);
      },
      4);
}

TEST(DiffnetPropagation, NumbersOfUsersAndItemsDoNotMatter) {
  torch::manual_seed(3);
  expect_that_names_of_nodes_do_not_matter(
      [](const Graph& graph) { return make({.layers = 2}, graph, 4); }, 4, 1e-6, 1e-7);
}

// Whom user 2 knows nothing of spreads nothing to it.
TEST(DiffnetPropagation, AUserWithoutFriendsHearsItselfAlone) {
  torch::manual_seed(4);
  const auto graph = small_graph();
  const auto model = make({.layers = 2, .activation = Activation::kTanh}, graph, 4);
  const TypedInputs inputs(*model, graph, 4);
  const torch::NoGradGuard no_grad;
  const auto out_of = [&](const torch::Tensor& users) {
    return model->forward(users, inputs.items, torch::arange(3), std::nullopt).vectors;  // [U, D]
  };
  const auto before = out_of(inputs.users);
  for (int64_t moved = 0; moved < 3; ++moved) {
    auto users = inputs.users.clone();  // [U, D]
    users[moved] += 1.0;
    const auto differs = (out_of(users) - before).abs().sum(1).gt(1e-9);  // [U]
    EXPECT_TRUE(torch::equal(differs, torch::tensor({moved < 2, moved < 2, moved == 2}))) << moved;
  }
}

TEST(DiffnetPropagation, TellsNewUsersTheMeanOfTheirItemsAndKnownOnesTheirShares) {
  torch::manual_seed(5);
  const auto graph = small_graph();
  const auto model = make({.layers = 1}, graph, 4);
  const TypedInputs inputs(*model, graph, 4);
  ASSERT_TRUE(model->serves_new_users() && model->is_sum_of_messages());
  EXPECT_EQ(model->message_exponent(), -1.0);
  EXPECT_TRUE(torch::equal(model->messages(inputs.users, inputs.items), inputs.items));
  const auto edges = model->user_edges();
  EXPECT_TRUE(torch::equal(edges.offsets, torch::tensor({0, 2, 4, 6}, torch::kLong)));
  EXPECT_TRUE(torch::equal(edges.items, torch::tensor({0, 2, 1, 2, 0, 3}, torch::kInt)));
  EXPECT_TRUE(torch::allclose(edges.weights * edges.scale.repeat_interleave(2),
                              torch::tensor({0.25F, 0.75F, 0.5F, 0.5F, 5.0F / 6, 1.0F / 6})));
}

TEST(SocialGraph, RefusesAGraphWithoutFriendsAndKnowsNothingOfSizesAlone) {
  const auto graph = random_typed_graph(3, 4, 0, 5);
  EXPECT_THAT([&] { social_graph(deps_of(graph, 4)); },
              ::testing::ThrowsMessage<std::invalid_argument>(::testing::HasSubstr(
                  "learns from who knows whom, and the data does not say it")));
  const auto nothing = social_graph({.width = 4, .num_users = 2, .num_items = 3});
  EXPECT_EQ(nothing.friends.num_rows(), 2);
  EXPECT_EQ(nothing.friends.columns.numel() + nothing.interactions.columns.numel(), 0);
}

TEST(NeighbourMeans, RefuseValuesOfWhichAMeanWouldSayNothing) {
  SparseRows matrix{torch::tensor({0, 2}, torch::kLong), torch::tensor({0, 1}, torch::kInt),
                    torch::tensor({3.0F, 1.0F})};
  EXPECT_NO_THROW(NeighbourMeans(matrix, 2));
  for (const float bad : {-1.0F, std::numeric_limits<float>::quiet_NaN()}) {
    matrix.values = torch::tensor({3.0F, bad});
    EXPECT_THAT([&] { NeighbourMeans(matrix, 2); },
                ::testing::ThrowsMessage<std::invalid_argument>(
                    ::testing::HasSubstr("has one that is negative or no number")));
  }
}

TEST(DiffnetPropagation, MakesNoViewsAndKeepsNoVectorsOfOtherNodes) {
  const auto graph = small_graph();
  const auto model = make({}, graph, 4);
  EXPECT_FALSE(model->makes_views(ViewNeeds::Kind::kEdgeDropout));
  EXPECT_TRUE(model->channels().empty());
  EXPECT_FALSE(parameters_of(*model).contains("others"));
}

}  // namespace
}  // namespace reckon::diffnet_propagation_test
