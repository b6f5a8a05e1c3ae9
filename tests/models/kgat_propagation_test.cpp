#include "models/kgat_propagation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/relation_rows.h"
#include "tests/models/typed_graph.h"

namespace reckon::kgat_propagation_test {
namespace {

using Options = KgatPropagation::Options;

std::shared_ptr<Propagation> make(const Options& options, const Graph& graph, int64_t width) {
  return std::make_shared<KgatPropagation>(options, deps_of(graph, width));
}

// Node by node and edge by edge.   Shapes   x [N, D] -> [N, (L + 1) D]
torch::Tensor one_by_one(const Options& options, const Propagation& model, const Graph& graph,
                         torch::Tensor x) {
  const auto parameters = parameters_of(model);
  const auto& matrices = parameters.at("scorer.matrices");
  const auto& vectors = parameters.at("scorer.relations");
  const int64_t num_nodes = x.size(0);
  auto attention = torch::zeros({num_nodes, num_nodes}, torch::kDouble);  // [N, N], sums of shares
  for (int64_t h = 0; h < num_nodes; ++h) {
    std::vector<torch::Tensor> scores;  // [] each
    std::vector<int64_t> heard;
    for (size_t r = 0; r < graph.relations.size(); ++r) {
      const auto number = static_cast<int64_t>(r);
      const auto edges = dense_relation(graph, graph.relations[r]);                     // [N, N]
      const auto asked = torch::tanh(x[h].matmul(matrices[number]) + vectors[number]);  // [K]
      for (int64_t t = 0; t < num_nodes; ++t) {
        if (edges[h][t].item<double>() == 0.0) continue;
        scores.push_back(x[t].matmul(matrices[number]).dot(asked));
        heard.push_back(t);
      }
    }
    if (scores.empty()) continue;
    const auto shares = torch::stack(scores).softmax(0);  // [.]
    for (size_t e = 0; e < heard.size(); ++e)
      attention[h][heard[e]] += shares[static_cast<int64_t>(e)];
  }
  std::vector<torch::Tensor> shown{x};
  const auto bent = [](const torch::Tensor& v) { return torch::where(v > 0, v, 0.2 * v); };
  for (int64_t k = 0; k < options.layers; ++k) {
    const auto linear = [&](const std::string& name, const torch::Tensor& v) {
      const auto at = name + "." + std::to_string(k) + ".";
      return v.matmul(parameters.at(at + "weight").t()) + parameters.at(at + "bias");
    };
    const auto heard = attention.matmul(x);                                     // [N, D]
    x = bent(linear("sums", x + heard)) + bent(linear("products", x * heard));  // [N, D]
    shown.push_back(x / x.square().sum(1, true).sqrt());                        // [N, D]
  }
  return torch::cat(shown, 1);  // [N, (L + 1) D]
}

TEST(KgatPropagation, EqualsTheFormulaNodeByNode) {
  torch::manual_seed(1);
  for (const auto& [users, items, genres, edges] :
       {std::tuple{1, 1, 0, 1}, {1, 1, 0, 0}, {4, 5, 2, 8}, {9, 11, 3, 30}})
    for (const Options& options : {Options{.layers = 1, .relation_dim = 3},
                                   Options{.layers = 3, .attention_gradient = false}}) {
      const auto graph = random_typed_graph(users, items, genres, edges);
      const auto model = make(options, graph, 6);
      const TypedInputs inputs(*model, graph, 6);
      const torch::NoGradGuard no_grad;
      const auto out =
          model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
      EXPECT_EQ(out.size(1), model->output_width());
      EXPECT_TRUE(torch::allclose(out, one_by_one(options, *model, graph, inputs.all), 1e-9, 1e-10))
          << users << " users, " << options.layers << " layers";
    }
}

TEST(KgatPropagation, HasTheValuesAndGradientsOfTheReference) {
  const auto graph = small_graph();
  expect_propagation_reference(*make({.layers = 2}, graph, 4), "kgat");
}

TEST(KgatPropagation, GradientsEqualDifferences) {
  torch::manual_seed(2);
  expect_gradients_of_propagation(
      [](const Graph& graph) { return make({.layers = 2, .relation_dim = 3}, graph, 4); }, 4);
}

TEST(KgatPropagation, NamesOfNodesDoNotMatter) {
  torch::manual_seed(3);
  expect_that_names_of_nodes_do_not_matter(
      [](const Graph& graph) { return make({.layers = 2}, graph, 4); }, 4);
}

TEST(KgatPropagation, RowsAreThoseOfAll) {
  torch::manual_seed(4);
  expect_that_rows_are_those_of_all(
      [](const Graph& graph) { return make({.layers = 2}, graph, 4); }, 4);
}

// With the same numbers everything else learns as if attention were given.
TEST(KgatPropagation, AttentionThatIsConstantTeachesNoRelationAndChangesNoValue) {
  torch::manual_seed(5);
  const auto graph = small_graph();
  const auto learning = make({.layers = 2}, graph, 4);
  const auto constant = make({.layers = 2, .attention_gradient = false}, graph, 4);
  const TypedInputs inputs(*learning, graph, 4);
  constant->to(torch::kDouble);
  constant->eval();
  const auto parameters = parameters_of(*learning), others = parameters_of(*constant);
  for (const auto& [key, value] : others) {
    const torch::NoGradGuard no_grad;
    auto to_value = value;
    to_value.copy_(parameters.at(key));
  }
  const auto outcome = [&](Propagation& model) {
    return model.forward(inputs.users, inputs.items, every_node(graph), std::nullopt).vectors;
  };
  const auto out = outcome(*constant);  // [N, 3 D]
  EXPECT_TRUE(torch::equal(out, outcome(*learning)));
  const auto gradients = dense_gradients(out.square().sum(), {others.at("scorer.matrices"),
                                                              others.at("scorer.relations"),
                                                              others.at("sums.0.weight")});
  EXPECT_FALSE(gradients[0].defined());
  EXPECT_FALSE(gradients[1].defined());
  EXPECT_TRUE(gradients[2].ne(0).any().item<bool>());
}

TEST(KgatPropagation, ItsFactsAreTheEdgesThatItHearsInTheOrderOfRelations) {
  const auto graph = small_graph();
  const auto model = make({}, graph, 4);
  const auto facts = model->facts();
  ASSERT_TRUE(facts.triples && facts.scorer);
  const auto& triples = *facts.triples;
  EXPECT_EQ(triples.num_entities, 9);
  EXPECT_EQ(triples.num_relations, 5);
  ASSERT_EQ(triples.size(), 24);
  int64_t place = 0;
  for (size_t r = 0; r < graph.relations.size(); ++r) {
    const auto ends = dense_relation(graph, graph.relations[r]).nonzero();  // [E_r, 2]
    for (int64_t e = 0; e < ends.size(0); ++e, ++place) {
      EXPECT_EQ(triples.relations[place].item<int64_t>(), static_cast<int64_t>(r));
      EXPECT_EQ(triples.heads[place].item<int64_t>(), ends[e][0].item<int64_t>());
      EXPECT_EQ(triples.tails[place].item<int64_t>(), ends[e][1].item<int64_t>());
    }
  }
  const auto some = make({.relations = {"item.genre"}}, graph, 4)->facts();
  EXPECT_EQ(some.triples->num_relations, 2);
  EXPECT_EQ(some.triples->size(), 10);
}

TEST(KgatPropagation, GivesTheVectorsOfAllNodesAsTheyAreTrained) {
  torch::manual_seed(6);
  const auto graph = small_graph();
  const auto model = make({}, graph, 4);
  const TypedInputs inputs(*model, graph, 4);
  EXPECT_TRUE(torch::equal(model->node_vectors(inputs.users, inputs.items), inputs.all));
}

TEST(HearingPairs, HoldEachRelationThatANodeHearsAlongOnce) {
  const auto graph = small_graph();
  const auto edges = typed_edges(deps_of(graph, 4));
  const auto pairs = hearing_pairs(edges);
  // Three users rate and two of them have friends; four items are rated and have genres; so have genres items.
  EXPECT_EQ(pairs.num_pairs(), 3 + 2 + 4 + 4 + 2);
  ASSERT_EQ(pairs.first.size(0), 10);
  ASSERT_EQ(pairs.offsets.size(0), pairs.num_pairs() + 1);
  for (int64_t node = 0; node < 9; ++node) {
    const auto begin = pairs.first[node].item<int64_t>(),
               end = pairs.first[node + 1].item<int64_t>();
    for (auto pair = begin; pair < end; ++pair) {
      EXPECT_EQ(pairs.nodes[pair].item<int64_t>(), node);
      const auto type = pairs.types[pair].item<int32_t>();
      if (pair > begin) {
        EXPECT_LT(pairs.types[pair - 1].item<int32_t>(), type);
      }
      const auto own = edges.types.slice(0, pairs.offsets[pair].item<int64_t>(),
                                         pairs.offsets[pair + 1].item<int64_t>());  // [E_q]
      EXPECT_GT(own.size(0), 0);
      EXPECT_TRUE(own.eq(type).all().item<bool>());
    }
    EXPECT_EQ(begin < end ? pairs.offsets[begin].item<int64_t>() : 0,
              begin < end ? edges.offsets[node].item<int64_t>() : 0);
  }
  EXPECT_EQ(pairs.offsets[pairs.num_pairs()].item<int64_t>(), edges.senders.size(0));
}

TEST(KgatPropagation, ServesNoNewUsersAndMakesNoViews) {
  const auto graph = small_graph();
  const auto model = make({}, graph, 4);
  EXPECT_FALSE(model->serves_new_users());
  EXPECT_FALSE(model->makes_views(ViewNeeds::Kind::kEdgeDropout));
}

TEST(KgatPropagation, BuildsFromSizesAloneAndRefusesARelationThatIsNotThere) {
  const KgatPropagation model({}, {.width = 4, .num_users = 2, .num_items = 3});
  EXPECT_EQ(model.output_width(), 16);
  EXPECT_FALSE(model.facts().triples);
  const auto graph = small_graph();
  EXPECT_THAT([&] { make({.relations = {"item.genres"}}, graph, 4); },
              ::testing::ThrowsMessage<std::invalid_argument>(
                  "the graph has no relation 'item.genres'; did you mean 'item.genre'?"));
}

}  // namespace
}  // namespace reckon::kgat_propagation_test
