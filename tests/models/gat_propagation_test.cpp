#include "models/gat_propagation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "kernels/dropout.h"
#include "models/node_graph.h"
#include "tests/kernels/random_graph.h"
#include "tests/models/typed_graph.h"

namespace reckon::gat_propagation_test {
namespace {

using Options = GatPropagation::Options;

std::shared_ptr<Propagation> make(const Options& options, const Graph& graph, int64_t width) {
  return std::make_shared<GatPropagation>(options, deps_of(graph, width));
}

// By matrices of all pairs of nodes. Shapes   x [N, D] -> the outputs of layers 0 to L, [N, D]
std::vector<torch::Tensor> layers_by_matrices(const Options& options, const Propagation& model,
                                              const UndirectedGraph& graph, torch::Tensor x) {
  const int64_t num_nodes = graph.num_nodes();
  auto hears = dense_adjacency(graph).gt(0);  // [N, N]
  if (options.self_loops) hears = hears.logical_or(torch::eye(num_nodes).gt(0));
  const auto parameters = parameters_of(model);
  std::vector<torch::Tensor> outputs{x};
  for (int64_t k = 0; k < options.layers; ++k) {
    const bool is_last = k == options.layers - 1, averages = is_last && options.average_last;
    const auto number = std::to_string(k);
    const auto h = x.matmul(parameters.at("inputs." + number + ".weight").t());  // [N, H F]
    std::vector<torch::Tensor> heads;
    for (int64_t a = 0; a < options.num_heads; ++a) {
      const auto own = h.chunk(options.num_heads, 1)[static_cast<size_t>(a)];  // [N, F]
      const auto to = own.matmul(parameters.at("receivers_" + number)[a]);     // [N]
      const auto from = own.matmul(parameters.at("senders_" + number)[a]);     // [N]
      auto scores = to.unsqueeze(1) + from.unsqueeze(0);                       // [N, N]
      scores = torch::where(scores > 0, scores, options.negative_slope * scores);
      const auto weights = torch::where(hears, scores.exp(), torch::zeros_like(scores));
      const auto totals = weights.sum(1, true);  // [N, 1]
      heads.push_back((weights / torch::where(totals > 0, totals, torch::ones_like(totals)))
                          .matmul(own));  // [N, F]
    }
    x = averages ? torch::stack(heads).mean(0) : torch::cat(heads, 1);  // [N, D]
    if (!is_last) x = torch::where(x > 0, x, torch::expm1(x));          // [N, D]
    outputs.push_back(x);
  }
  return outputs;
}

TEST(GatPropagation, EqualsTheFormulaByMatricesOfAllPairs) {
  torch::manual_seed(1);
  for (const auto& [users, items, genres, edges] :
       {std::tuple{1, 1, 0, 1}, {1, 1, 0, 0}, {4, 5, 2, 8}, {20, 30, 3, 60}})
    for (const Options& options :
         {Options{.layers = 1, .num_heads = 1}, Options{.layers = 2, .num_heads = 2},
          Options{.layers = 2, .num_heads = 3, .negative_slope = 0.0, .self_loops = false},
          Options{.layers = 3, .num_heads = 2, .average_last = true}}) {
      const auto graph = random_typed_graph(users, items, genres, edges);
      const auto model = make(options, graph, 6);
      const TypedInputs inputs(*model, graph, 6);
      const auto out =
          model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
      const auto expected =
          layers_by_matrices(options, *model, node_graph(graph), inputs.all).back();
      EXPECT_TRUE(torch::allclose(out, expected, 1e-9, 1e-10))
          << users << " users, " << options.layers << " layers";
    }
}

TEST(GatPropagation, CombinesItsLayersAsAsked) {
  torch::manual_seed(2);
  const auto graph = small_graph();
  Options options{.layers = 2, .num_heads = 2};
  for (const auto combine :
       {GatPropagation::Combine::kConcatenate, GatPropagation::Combine::kMean}) {
    options.combine = combine;
    const auto model = make(options, graph, 6);
    const TypedInputs inputs(*model, graph, 6);
    const auto layers = layers_by_matrices(options, *model, node_graph(graph), inputs.all);
    const auto expected = combine == GatPropagation::Combine::kMean
                              ? torch::stack(layers).mean(0)
                              : torch::cat(layers, 1);  // [N, D']
    const auto out =
        model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
    EXPECT_EQ(model->output_width(), expected.size(1));
    EXPECT_TRUE(torch::allclose(out, expected, 1e-9, 1e-10));
  }
}

TEST(GatPropagation, HasTheValuesAndGradientsOfTheReference) {
  const auto graph = small_graph();
  Options options{.layers = 2, .num_heads = 2};
  expect_propagation_reference(*make(options, graph, 4), "gat");
  options.average_last = true;
  expect_propagation_reference(*make(options, graph, 4), "gat_average_last");
}

TEST(GatPropagation, GradientsEqualDifferences) {
  torch::manual_seed(3);
  for (const bool self_loops : {true, false})
    expect_gradients_of_propagation(
        [&](const Graph& graph) {
          return make({.layers = 2, .num_heads = 2, .self_loops = self_loops}, graph, 4);
        },
        4);
}

TEST(GatPropagation, NamesOfNodesDoNotMatter) {
  torch::manual_seed(4);
  expect_that_names_of_nodes_do_not_matter(
      [](const Graph& graph) { return make({.layers = 2, .num_heads = 2}, graph, 4); }, 4);
}

TEST(GatPropagation, RowsAreThoseOfAll) {
  torch::manual_seed(5);
  expect_that_rows_are_those_of_all(
      [](const Graph& graph) { return make({.layers = 2, .num_heads = 2}, graph, 4); }, 4);
}

TEST(GatPropagation, AViewIsTheGraphWithoutTheEdgesThatItDrops) {
  torch::manual_seed(6);
  const auto graph = random_typed_graph(20, 30, 3, 60);
  const Options options{.layers = 2, .num_heads = 2};
  const auto model = make(options, graph, 6);
  const TypedInputs inputs(*model, graph, 6);
  const GraphView view{.needs = {.kind = ViewNeeds::Kind::kEdgeDropout, .amount = 0.4}, .key = 7};
  ASSERT_TRUE(model->makes_views(view.needs.kind));
  EXPECT_FALSE(model->makes_views(ViewNeeds::Kind::kNoise));
  const auto out = model->forward(inputs.users, inputs.items, every_node(graph), view).vectors;
  const auto expected =
      layers_by_matrices(options, *model, drop_edges(node_graph(graph), 0.4, 7), inputs.all).back();
  EXPECT_TRUE(torch::allclose(out, expected, 1e-9, 1e-10));
  const auto whole =
      model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
  EXPECT_FALSE(torch::allclose(out, whole, 1e-2, 1e-3));
}

// Shares are positive and add up to one: heads of a constant are that constant.
TEST(GatPropagation, ANodeIsAMixtureOfWhatItHears) {
  torch::manual_seed(7);
  const auto graph = small_graph();
  const auto model = make({.layers = 1, .num_heads = 2}, graph, 4);
  const TypedInputs inputs(*model, graph, 4);
  const torch::NoGradGuard no_grad;
  const auto same = torch::randn({1, 4}, torch::kDouble);  // [1, D]
  parameters_of(*model).at("others").copy_(same.expand({2, 4}));
  const auto out =
      model->forward(same.expand({3, 4}), same.expand({4, 4}), every_node(graph), std::nullopt);
  const auto expected = same.matmul(parameters_of(*model).at("inputs.0.weight").t());  // [1, D]
  EXPECT_TRUE(torch::allclose(out.vectors, expected.expand({9, 4}), 1e-9, 1e-10));
}

TEST(GatPropagation, DropsSharesInTrainingAlone) {
  torch::manual_seed(8);
  const auto graph = random_typed_graph(20, 30, 3, 60);
  const auto model =
      make({.layers = 1, .num_heads = 2, .dropout = 0.0, .attention_dropout = 0.5}, graph, 6);
  const TypedInputs inputs(*model, graph, 6);
  const auto out = [&](int64_t step) {
    const DropoutScope scope(1, step, 0);
    return model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
  };
  const auto whole = out(0);
  EXPECT_TRUE(torch::equal(out(1), whole));
  model->train();
  EXPECT_FALSE(torch::allclose(out(0), whole, 1e-2, 1e-3));
  EXPECT_FALSE(torch::allclose(out(0), out(1), 1e-2, 1e-3));
  EXPECT_TRUE(torch::equal(out(0), out(0)));
  // The mean over many masks is what there is without: 4000 masks of .5 on at most a few shares.
  auto sum = torch::zeros_like(whole);  // [N, D]
  for (int64_t step = 0; step < 4000; ++step) sum += out(step);
  EXPECT_LT((sum / 4000 - whole).abs().max().item<double>(),
            0.12 * whole.abs().max().item<double>());
}

TEST(GatPropagation, RefusesHeadsThatDoNotDivideTheWidth) {
  const auto graph = small_graph();
  EXPECT_THAT([&] { make({.num_heads = 3}, graph, 16); },
              ::testing::ThrowsMessage<std::invalid_argument>(
                  "num_heads 3 does not divide the width 16"));
}

TEST(GatPropagation, ServesNoNewUsers) {
  const auto graph = small_graph();
  EXPECT_FALSE(make({}, graph, 4)->serves_new_users());
}

}  // namespace
}  // namespace reckon::gat_propagation_test
