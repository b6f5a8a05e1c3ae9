#include "models/mhcn_propagation.h"

#include <gtest/gtest.h>

#include "tests/models/social_support.h"

namespace reckon::mhcn_propagation_test {
namespace {

using Options = MhcnPropagation::Options;

std::shared_ptr<Propagation> make(const Options& options, const Graph& graph, int64_t width) {
  return std::make_shared<MhcnPropagation>(options, deps_of(graph, width));
}

// Shapes   -> [U, U] for each channel
std::vector<torch::Tensor> dense_channels(const Options& options, const Graph& graph) {
  const auto social = social_graph(deps_of(graph, 1));
  const auto motifs =
      motif_channels(social.friends, social.interactions, graph.node_types[1].nodes.count,
                     {options.common_items, options.max_strangers});
  const int64_t num_users = graph.node_types[0].nodes.count;
  std::vector<torch::Tensor> out;
  for (const auto& matrix : {motifs.social, motifs.joint, motifs.purchase})
    out.push_back(rows_as_shares(dense_rows(matrix, num_users)));
  return out;
}

// Each user and each layer by itself, with dense matrices of shares.   Shapes   -> [U + I, D]
torch::Tensor by_matrices(const Options& options, const Propagation& model, const Graph& graph,
                          const torch::Tensor& users, const torch::Tensor& items) {
  const auto parameters = parameters_of(model);
  const auto channels = dense_channels(options, graph);
  const auto interactions = dense_of_kind(graph, EdgeKind::kInteractions);  // [U, I]
  const auto history = rows_as_shares(interactions);                        // [U, I]
  const auto audience = rows_as_shares(interactions.t());                   // [I, U]
  const auto gated = [&](int64_t gate) {
    const auto name = "gates." + std::to_string(gate);
    const auto x =
        users.matmul(parameters.at(name + ".weight").t()) + parameters.at(name + ".bias");
    return users / (1.0 + (-x).exp());  // [U, D]
  };
  const auto attended = [&](const std::vector<torch::Tensor>& x) {
    auto out = torch::zeros_like(users);  // [U, D]
    for (int64_t u = 0; u < users.size(0); ++u) {
      std::vector<double> worth;
      double total = 0.0;
      for (const auto& of_channel : x) {
        const auto moved = parameters.at("attention_map.weight").matmul(of_channel[u]);  // [D]
        worth.push_back(std::exp((moved * parameters.at("attention")).sum().item<double>()));
        total += worth.back();
      }
      for (size_t c = 0; c < x.size(); ++c) out[u] += worth[c] / total * x[c][u];
    }
    return out;
  };
  std::vector<std::vector<torch::Tensor>> layers{{gated(0), gated(1), gated(2)}};
  std::vector<torch::Tensor> plain{gated(3)}, of_items{items};
  for (int64_t l = 0; l < options.layers; ++l) {
    const auto told = attended(layers.back()) + plain.back() / 2.0;  // [U, D]
    std::vector<torch::Tensor> next;
    for (size_t c = 0; c < channels.size(); ++c)
      next.push_back(channels[c].matmul(layers.back()[c]));
    layers.push_back(next);
    plain.push_back(history.matmul(of_items.back()));
    of_items.push_back(audience.matmul(told));
  }
  std::vector<torch::Tensor> means;
  for (size_t c = 0; c < channels.size(); ++c) {
    std::vector<torch::Tensor> of_channel;
    for (const auto& layer : layers) of_channel.push_back(layer[c]);
    means.push_back(torch::stack(of_channel).mean(0));
  }
  return torch::cat({attended(means) + torch::stack(plain).mean(0) / 2.0,
                     torch::stack(of_items).mean(0)});  // [U + I, D]
}

TEST(MhcnPropagation, EqualsTheFormulaByMatrices) {
  torch::manual_seed(1);
  for (const auto& [users, items, friendships, interactions] :
       {std::tuple{1, 1, 0, 0}, {1, 1, 1, 1}, {5, 4, 12, 10}, {20, 15, 90, 120}})
    for (const bool is_weighted : {false, true})
      for (const Options& options :
           {Options{.layers = 1, .common_items = 1}, Options{.layers = 3, .max_strangers = 2}}) {
        const auto graph =
            random_social_graph(users, items, friendships, interactions, is_weighted);
        const auto model = make(options, graph, 6);
        const TypedInputs inputs(*model, graph, 6);
        const torch::NoGradGuard no_grad;
        const auto out =
            model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt);
        EXPECT_TRUE(torch::allclose(out.vectors,
                                    by_matrices(options, *model, graph, inputs.users, inputs.items),
                                    1e-5, 1e-6))
            << users << " users, " << options.layers << " layers";
        EXPECT_TRUE(torch::equal(out.origin, inputs.all));
      }
}

TEST(MhcnPropagation, HasTheValuesAndGradientsOfTheReference) {
  const auto graph = small_graph();
  expect_propagation_reference(*make({.layers = 2, .common_items = 1}, graph, 4), "mhcn");
}

TEST(MhcnPropagation, GradientsEqualDifferences) {
  torch::manual_seed(2);
  expect_gradients_of_propagation(
      [](const Graph& graph) { return make({.layers = 2, .common_items = 1}, graph, 4); }, 4);
}

TEST(MhcnPropagation, NumbersOfUsersAndItemsDoNotMatter) {
  torch::manual_seed(3);
  expect_that_names_of_nodes_do_not_matter(
      [](const Graph& graph) { return make({.layers = 2, .common_items = 1}, graph, 4); }, 4, 1e-6,
      1e-7);
}

TEST(MhcnPropagation, ItsChannelsAreTheMeansAlongItsMotifs) {
  torch::manual_seed(4);
  const auto graph = random_social_graph(12, 10, 60, 60);
  const Options options{.common_items = 1};
  const auto model = make(options, graph, 3);
  const auto channels = model->channels();
  const auto expected = dense_channels(options, graph);
  const auto x = torch::randn({12, 3}, torch::kDouble);  // [U, D]
  ASSERT_EQ(channels.size(), expected.size());
  for (size_t c = 0; c < channels.size(); ++c) {
    EXPECT_GT(expected[c].sum().item<double>(), 0.0) << "channel " << c << " is empty";
    EXPECT_TRUE(torch::allclose(channels[c](x), expected[c].matmul(x), 1e-6, 1e-6)) << c;
  }
}

TEST(MhcnPropagation, ServesNoNewUsersAndMakesNoViews) {
  const auto graph = small_graph();
  const auto model = make({}, graph, 4);
  EXPECT_FALSE(model->serves_new_users());
  EXPECT_FALSE(model->makes_views(ViewNeeds::Kind::kSvd));
  EXPECT_FALSE(parameters_of(*model).contains("others"));
}

}  // namespace
}  // namespace reckon::mhcn_propagation_test
