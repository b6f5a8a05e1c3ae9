#include "models/kgin_propagation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/models/typed_graph.h"

namespace reckon::kgin_propagation_test {
namespace {

using Options = KginPropagation::Options;

std::shared_ptr<Propagation> make(const Options& options, const Graph& graph, int64_t width) {
  return std::make_shared<KginPropagation>(options, deps_of(graph, width));
}

torch::Tensor scaled(const torch::Tensor& v) {
  const auto length = v.square().sum().sqrt();  // []
  return length.item<double>() > 0.0 ? v / length : v;
}

// Node by node and edge by edge, along relation 0 for users and relations 2 and 3 for items and genres.
// Shapes   x [N, D] -> [N, D]
torch::Tensor one_by_one(const Options& options, const Propagation& model, const Graph& graph,
                         torch::Tensor x) {
  const auto parameters = parameters_of(model);
  const auto& relations = parameters.at("relations");                          // [relations, D]
  const auto intents = parameters.at("mixture").softmax(1).matmul(relations);  // [K, D]
  const auto tastes = dense_relation(graph, graph.relations[0]);               // [N, N]
  const std::vector<torch::Tensor> facts{dense_relation(graph, graph.relations[2]),
                                         dense_relation(graph, graph.relations[3])};
  const int64_t num_users = graph.node_types[0].nodes.count, num_nodes = x.size(0);
  auto sum = x;  // [N, D]
  for (int64_t k = 0; k < options.layers; ++k) {
    auto next = torch::zeros_like(x);  // [N, D]
    for (int64_t i = 0; i < num_nodes; ++i) {
      auto mixed = torch::zeros_like(x[i]);  // [D]
      if (i < num_users) {
        const auto shares = intents.matmul(x[i]).softmax(0);  // [K]
        const double total = tastes[i].sum().item<double>();
        for (int64_t p = 0; p < options.intents; ++p)
          for (int64_t j = 0; j < num_nodes && total > 0.0; ++j)
            mixed += shares[p] * intents[p] * x[j] * (tastes[i][j] / total);
      } else {
        const auto count = (facts[0][i].gt(0).sum() + facts[1][i].gt(0).sum()).item<double>();
        for (int64_t r = 0; r < 2; ++r)
          for (int64_t j = 0; j < num_nodes; ++j)
            if (facts[static_cast<size_t>(r)][i][j].item<double>() > 0.0)
              mixed += relations[r] * x[j] / count;
      }
      next[i] = options.normalize ? scaled(mixed) : mixed;
    }
    x = next;
    sum = sum + x;
  }
  return sum;
}

TEST(KginPropagation, EqualsTheFormulaNodeByNode) {
  torch::manual_seed(1);
  for (const auto& [users, items, genres, edges] :
       {std::tuple{1, 1, 1, 1}, {1, 1, 0, 0}, {4, 5, 2, 8}, {9, 11, 3, 30}})
    for (const Options& options : {Options{.layers = 1, .intents = 1, .normalize = false},
                                   Options{.layers = 2, .intents = 3}}) {
      const auto graph = random_typed_graph(users, items, genres, edges);
      const auto model = make(options, graph, 6);
      const TypedInputs inputs(*model, graph, 6);
      const torch::NoGradGuard no_grad;
      const auto out =
          model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
      EXPECT_TRUE(torch::allclose(out, one_by_one(options, *model, graph, inputs.all), 1e-5, 1e-6))
          << users << " users, " << options.intents << " intents";
    }
}

TEST(KginPropagation, HasTheValuesAndGradientsOfTheReference) {
  const auto graph = small_graph();
  expect_propagation_reference(*make({.layers = 2, .intents = 3}, graph, 4), "kgin");
}

TEST(KginPropagation, GradientsEqualDifferences) {
  torch::manual_seed(2);
  for (const bool normalize : {false, true})
    expect_gradients_of_propagation(
        [=](const Graph& graph) {
          return make({.layers = 2, .intents = 3, .normalize = normalize}, graph, 4);
        },
        4);
}

TEST(KginPropagation, NamesOfNodesDoNotMatter) {
  torch::manual_seed(3);
  expect_that_names_of_nodes_do_not_matter(
      [](const Graph& graph) { return make({.layers = 2}, graph, 4); }, 4);
}

TEST(KginPropagation, RowsAreThoseOfAll) {
  torch::manual_seed(4);
  expect_that_rows_are_those_of_all(
      [](const Graph& graph) { return make({.layers = 2}, graph, 4); }, 4);
}

TEST(KginPropagation, ItemsHearNoUsersAndUsersNoFriends) {
  torch::manual_seed(5);
  const auto graph = small_graph();
  const auto model = make({.layers = 3}, graph, 4);
  const TypedInputs inputs(*model, graph, 4);
  const torch::NoGradGuard no_grad;
  const auto out = [&](const torch::Tensor& users) {
    return model->forward(users, inputs.items, every_node(graph), std::nullopt).vectors;
  };
  auto moved = inputs.users.clone();  // [U, D]
  moved[1] += 1.0;
  const auto has_moved = (out(moved) - out(inputs.users)).abs().sum(1).gt(1e-9);  // [N]
  EXPECT_TRUE(torch::equal(has_moved, torch::arange(9).eq(1)));
}

TEST(KginPropagation, IntentsAreMixturesOfTheRelationsOfItems) {
  torch::manual_seed(6);
  const auto graph = small_graph();
  const auto model = make({.intents = 5}, graph, 4);
  const auto parameters = parameters_of(*model);
  ASSERT_EQ(parameters.at("relations").size(0), 2);  // genres, both ways; neither friends nor taste
  EXPECT_TRUE(torch::allclose(model->intents(),
                              parameters.at("mixture").exp().matmul(parameters.at("relations")) /
                                  parameters.at("mixture").exp().sum(1, true)));
}

TEST(KginPropagation, LeavesOutEdgesInTrainingAloneAndKeepsTheMean) {
  torch::manual_seed(7);
  const auto graph = small_graph();
  const auto model =
      make({.layers = 1, .dropout = 0.0, .edge_dropout = 0.5, .normalize = false}, graph, 4);
  const TypedInputs inputs(*model, graph, 4);
  const torch::NoGradGuard no_grad;
  const auto out = [&] {
    return model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
  };
  const auto whole = out();  // [N, D]
  EXPECT_TRUE(torch::equal(out(), whole));
  model->train();
  auto mean = torch::zeros_like(whole);  // [N, D]
  constexpr int64_t kTimes = 4000;
  for (int64_t i = 0; i < kTimes; ++i) mean += out() / kTimes;
  EXPECT_FALSE(torch::allclose(out(), whole, 1e-6, 1e-6));
  EXPECT_TRUE(torch::allclose(mean, whole, 0.0, 0.25));
}

TEST(KginPropagation, RefusesAGraphThatSaysNothingOfItems) {
  GraphBuilder builder(2, 3);
  builder.add_relation({.name = "interactions",
                        .kind = EdgeKind::kInteractions,
                        .sources = builder.users(),
                        .targets = builder.items()},
                       {{0, 1}, {1, 2}});
  const auto graph = builder.take();
  EXPECT_THAT([&] { make({}, graph, 4); },
              ::testing::ThrowsMessage<std::invalid_argument>(
                  "intents are mixtures of relations of items, and the graph has none; name edges "
                  "of type triples, or of an attribute of items, in data.graph"));
  const auto known = small_graph();
  EXPECT_THAT([&] { make({.relations = {"friends"}}, known, 4); },
              ::testing::ThrowsMessage<std::invalid_argument>(
                  ::testing::HasSubstr("and the graph has none of those named")));
}

TEST(KginPropagation, BuildsFromSizesAloneAndServesNoNewUsers) {
  const KginPropagation model({}, {.width = 4, .num_users = 2, .num_items = 3});
  EXPECT_EQ(model.output_width(), 4);
  EXPECT_TRUE(model.intents().defined());
  EXPECT_FALSE(model.serves_new_users());
}

}  // namespace
}  // namespace reckon::kgin_propagation_test
