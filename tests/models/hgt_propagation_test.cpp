#include "models/hgt_propagation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/models/typed_graph.h"

namespace reckon::hgt_propagation_test {
namespace {

using Options = HgtPropagation::Options;

std::shared_ptr<Propagation> make(const Options& options, const Graph& graph, int64_t width) {
  return std::make_shared<HgtPropagation>(options, deps_of(graph, width));
}

// Node by node and edge by edge.   Shapes   x [N, D] -> [N, D]
torch::Tensor one_by_one(const Options& options, const Propagation& model, const Graph& graph,
                         torch::Tensor x) {
  const auto parameters = parameters_of(model);
  const auto heads = options.num_heads, width = x.size(1), head_width = width / heads;
  std::vector<int64_t> type_of;
  for (size_t t = 0; t < graph.node_types.size(); ++t)
    type_of.insert(type_of.end(), static_cast<size_t>(graph.node_types[t].nodes.count),
                   static_cast<int64_t>(t));
  std::vector<torch::Tensor> dense;
  for (const auto& relation : graph.relations) dense.push_back(dense_relation(graph, relation));
  for (int64_t k = 0; k < options.layers; ++k) {
    const auto prefix = "layers." + std::to_string(k) + ".";
    const auto project = [&](const std::string& name, int64_t node, const torch::Tensor& vector) {
      const auto key =
          prefix + name + "." + std::to_string(type_of[static_cast<size_t>(node)]) + ".";
      const auto out = parameters.at(key + "weight").matmul(vector);  // [D]
      return name == "keys" ? out : out + parameters.at(key + "bias");
    };
    auto next = torch::empty_like(x);  // [N, D]
    for (int64_t i = 0; i < x.size(0); ++i) {
      const auto query = project("queries", i, x[i]).view({heads, head_width});  // [H, F]
      std::vector<torch::Tensor> scores, messages;                               // [H], [H, F]
      for (size_t r = 0; r < dense.size(); ++r)
        for (int64_t j = 0; j < x.size(0); ++j) {
          if (dense[r][i][j].item<double>() == 0.0) continue;
          const auto number = static_cast<int64_t>(r);
          const auto key = project("keys", j, x[j]).view({heads, 1, head_width});  // [H, 1, F]
          const auto sent = project("messages", j, x[j]).view({heads, 1, head_width});
          scores.push_back(
              (key.matmul(parameters.at(prefix + "key_maps")[number]).squeeze(1) * query).sum(1) *
              parameters.at(prefix + "priors")[number] / std::sqrt(head_width));  // [H]
          messages.push_back(
              sent.matmul(parameters.at(prefix + "message_maps")[number]).squeeze(1));  // [H, F]
        }
      auto heard = torch::zeros({heads, head_width}, torch::kDouble);  // [H, F]
      if (!scores.empty()) {
        const auto shares = torch::stack(scores).softmax(0).unsqueeze(-1);  // [E, H, 1]
        heard = (shares * torch::stack(messages)).sum(0);                   // [H, F]
      }
      const auto flat = heard.flatten();                                         // [D]
      const auto active = flat * 0.5 * (1 + torch::erf(flat / std::sqrt(2.0)));  // [D]
      const auto gate =
          torch::sigmoid(parameters.at(prefix + "gates")[type_of[static_cast<size_t>(i)]]);  // []
      next[i] = gate * project("outputs", i, active) + (1 - gate) * x[i];
    }
    x = next;
  }
  return x;
}

TEST(HgtPropagation, EqualsTheFormulaNodeByNode) {
  torch::manual_seed(1);
  for (const auto& [users, items, genres, edges] :
       {std::tuple{1, 1, 0, 1}, {1, 1, 0, 0}, {4, 5, 2, 8}, {9, 11, 3, 30}})
    for (const Options& options :
         {Options{.layers = 1, .num_heads = 1}, Options{.layers = 2, .num_heads = 3}}) {
      const auto graph = random_typed_graph(users, items, genres, edges);
      const auto model = make(options, graph, 6);
      const TypedInputs inputs(*model, graph, 6);
      const torch::NoGradGuard no_grad;
      const auto out =
          model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
      EXPECT_TRUE(torch::allclose(out, one_by_one(options, *model, graph, inputs.all), 1e-9, 1e-10))
          << users << " users, " << options.num_heads << " heads";
    }
}

TEST(HgtPropagation, HasTheValuesAndGradientsOfTheReference) {
  const auto graph = small_graph();
  expect_propagation_reference(*make({.layers = 2, .num_heads = 2}, graph, 4), "hgt");
}

TEST(HgtPropagation, GradientsEqualDifferences) {
  torch::manual_seed(2);
  expect_gradients_of_propagation(
      [](const Graph& graph) { return make({.layers = 2, .num_heads = 2}, graph, 4); }, 4);
}

TEST(HgtPropagation, NamesOfNodesDoNotMatter) {
  torch::manual_seed(3);
  expect_that_names_of_nodes_do_not_matter(
      [](const Graph& graph) { return make({.layers = 2, .num_heads = 2}, graph, 4); }, 4);
}

TEST(HgtPropagation, RowsAreThoseOfAll) {
  torch::manual_seed(4);
  expect_that_rows_are_those_of_all(
      [](const Graph& graph) { return make({.layers = 2, .num_heads = 2}, graph, 4); }, 4);
}

TEST(HgtPropagation, AClosedGateLeavesVectorsAsTheyAre) {
  torch::manual_seed(5);
  const auto graph = small_graph();
  const auto model = make({.layers = 2, .num_heads = 2}, graph, 4);
  const TypedInputs inputs(*model, graph, 4);
  const torch::NoGradGuard no_grad;
  for (const auto& [key, value] : parameters_of(*model)) {
    auto gates = value;
    if (key.ends_with("gates")) gates.fill_(-1e3);
  }
  const auto out =
      model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
  EXPECT_TRUE(torch::allclose(out, inputs.all, 1e-12, 1e-12));
}

// A row for each node that sends along a relation, and not for each edge.
TEST(RelationRows, HoldEachSenderOfARelationOnce) {
  const auto graph = small_graph();
  const auto edges = typed_edges(deps_of(graph, 4));
  const auto rows = relation_rows(edges);
  // Four items are rated by three users, four items have two genres, and two users are friends.
  EXPECT_EQ(rows.counts, (std::vector<int64_t>{4, 3, 2, 4, 2}));
  EXPECT_EQ(rows.heard.num_senders(), 15);
  EXPECT_EQ(rows.heard.num_edges(), edges.senders.size(0));
  // The node behind what is heard along each edge is its sender.
  EXPECT_TRUE(torch::equal(rows.nodes.senders.index_select(0, rows.heard.senders), edges.senders));
}

TEST(HgtPropagation, RefusesHeadsThatDoNotDivideTheWidth) {
  const auto graph = small_graph();
  EXPECT_THAT([&] { make({.num_heads = 3}, graph, 16); },
              ::testing::ThrowsMessage<std::invalid_argument>(
                  "num_heads 3 does not divide the width 16"));
}

TEST(HgtPropagation, ServesNoNewUsersAndMakesNoViews) {
  const auto graph = small_graph();
  const auto model = make({}, graph, 4);
  EXPECT_FALSE(model->serves_new_users());
  EXPECT_FALSE(model->makes_views(ViewNeeds::Kind::kEdgeDropout));
}

}  // namespace
}  // namespace reckon::hgt_propagation_test
