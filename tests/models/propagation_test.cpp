#include "models/propagation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <cmath>
#include <map>
#include <set>

#include "core/ids.h"
#include "kernels/dropout.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/node_graph.h"
#include "models/retrieval.h"
#include "tests/kernels/random_graph.h"
#include "tests/support/gradients.h"

namespace reckon::propagation_test {
namespace {

constexpr int64_t kUsers = 9, kItems = 14;

// User u did items u, 3 u + 1 and 5 u + 2 (modulo 13), and user 8 nothing; item 13 nobody.
Interactions train_data() {
  Interactions train;
  train.num_users = kUsers;
  train.num_items = kItems;
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> items;
  for (int32_t u = 0; u < kUsers; ++u) {
    if (u < kUsers - 1)
      for (const int32_t item : {u, 3 * u + 1, 5 * u + 2}) items.push_back(item % (kItems - 1));
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  train.user_offsets = torch::tensor(offsets, torch::kLong);  // [U + 1]
  train.items = torch::tensor(items, torch::kInt);            // [E]
  return train;
}

// The interactions, weighted, and some friends among the users.
Graph with_friends() {
  auto graph = interaction_graph(train_data());
  auto& interactions = graph.relations[0];
  torch::manual_seed(12);
  interactions.weights = torch::rand({interactions.num_edges()}) + 0.5;
  graph.relations.push_back({.name = "friends",
                             .sources = {0, kUsers},
                             .targets = {0, kUsers},
                             .offsets = torch::tensor({0, 2, 2, 3, 3, 3, 3, 3, 3, 3}, torch::kLong),
                             .ends = torch::tensor({1, 2, 4}, torch::kInt),
                             .weights = torch::tensor({1.0F, 0.5F, 2.0F}),
                             .kind = EdgeKind::kFriends});
  return graph;
}

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

std::shared_ptr<Model> make(const std::string& propagation,
                            const std::string& objectives = "[{type: bpr, l2: 0.01}]",
                            const Graph* graph = nullptr) {
  static const auto catalog = [] {
    Catalog catalog;
    add_layers(catalog);
    add_models(catalog);
    return catalog;
  }();
  static const auto train = train_data();
  const auto text =
      "model: {family: retrieval, dim: 6, user: {id: {}}, propagation: " + propagation +
      ", objectives: " + objectives + "}\n";
  const auto slot = read_config<Slot>(parse_yaml(text, "test.yaml"), catalog);
  // What learns from friends is given some.
  static const auto friends = with_friends();
  const bool of_friends = propagation.find("diffnet") != std::string::npos ||
                          propagation.find("mhcn") != std::string::npos;
  torch::manual_seed(3);
  auto model = slot.model.build({.num_users = kUsers,
                                 .num_items = kItems,
                                 .train = &train,
                                 .graph = graph == nullptr && of_friends ? &friends : graph});
  const torch::NoGradGuard no_grad;
  for (auto& parameter : model->parameters())
    if (parameter.dim() == 2 && parameter.size(0) > 2)
      parameter.narrow(0, 2, parameter.size(0) - 2).normal_(0, 0.5);
  return model;
}

Batch batch_of(const std::vector<int64_t>& users, const std::vector<int64_t>& targets,
               const std::vector<int64_t>& negatives) {
  Batch batch(static_cast<int64_t>(users.size()));
  batch.set(batch_key::kUsers, torch::tensor(users, torch::kLong));
  batch.set(batch_key::kTargets, torch::tensor(targets, torch::kLong));
  batch.set(batch_key::kNegatives, torch::tensor(negatives, torch::kLong).unsqueeze(1));
  return batch;
}

// The interactions, and for each item one of two genres.
Graph with_genres() {
  auto graph = interaction_graph(train_data());
  const NodeRange genres{kUsers + kItems, 2};
  graph.node_types.push_back({"genre", genres});
  graph.relations.push_back(
      {.name = "genre",
       .sources = {kUsers, kItems},
       .targets = genres,
       .offsets = torch::arange(kItems + 1, torch::kLong),
       .ends = torch::arange(kItems, torch::kInt).remainder(2).to(torch::kInt),
       .kind = EdgeKind::kAttribute});
  return graph;
}

// What cannot do without knowledge of items has some.
std::shared_ptr<Model> make_with_its_graph(const std::string& propagation) {
  static const auto genres = with_genres();
  const bool needs_more = propagation.find("kgin") != std::string::npos;
  return make(propagation, "[{type: bpr, l2: 0.01}]", needs_more ? &genres : nullptr);
}

const char* const kEvery[] = {"{type: lightgcn, layers: 3}",
                              "{type: lightgcn, layers: 0}",
                              "{type: appnp, layers: 4, restart: 0.2}",
                              "{type: ngcf, layers: 2, dropout: 0.0}",
                              "{type: graphsage, layers: 2, combine: mean}",
                              "{type: gat, num_heads: 2, dropout: 0.0, attention_dropout: 0.0}",
                              "{type: r_gcn, dropout: 0.0}",
                              "{type: hgt, num_heads: 2, dropout: 0.0}",
                              "{type: lightgcn, layers: 2, fanouts: [2, 1]}",
                              "{type: graphsage, layers: 2, combine: mean, fanouts: [1, 2]}",
                              "{type: gat, num_heads: 2, dropout: 0.0, attention_dropout: 0.0, "
                              "fanouts: [2, 2]}",
                              "{type: diffnet, layers: 2}",
                              "{type: mhcn, layers: 2, common_items: 1}",
                              "{type: kgat, layers: 2, dropout: 0.0}",
                              "{type: kgat, layers: 1, dropout: 0.0, attention_gradient: false}",
                              "{type: kgin, layers: 2, dropout: 0.0, edge_dropout: 0.0}"};

class EveryPropagation : public ::testing::TestWithParam<const char*> {};

// A step that asks for one node more must give the others what it gave before.
TEST_P(EveryPropagation, LossAndGradientsDependOnNoRowThatTheStepDoesNotName) {
  const auto model = make_with_its_graph(GetParam());
  auto* learnable = model->learnable();
  model->train();
  const auto asked = batch_of({2, 0, 2}, {7, 1, 3}, {5, 9, 0});
  const auto everything = batch_of({0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0},
                                   {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13},
                                   {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13});
  const auto outcome = [&](const Batch& step_batch) {
    const DropoutScope scope(1, 0, 0);
    const Batch* const step[] = {&step_batch};
    const auto shared = learnable->shared(step);
    const auto parts = learnable->loss(learnable->represent(asked, shared), shared, 0);
    return std::pair{parts.sum.item<double>(), dense_gradients(parts.sum, model->parameters())};
  };
  const auto [rows_loss, rows_gradients] = outcome(asked);
  const auto [full_loss, full_gradients] = outcome(everything);
  EXPECT_NEAR(rows_loss, full_loss, 1e-5);
  for (size_t i = 0; i < rows_gradients.size(); ++i) {
    ASSERT_EQ(rows_gradients[i].defined(), full_gradients[i].defined());
    if (rows_gradients[i].defined()) {
      EXPECT_TRUE(torch::allclose(rows_gradients[i], full_gradients[i], 1e-4, 1e-6)) << i;
    }
  }
}

TEST_P(EveryPropagation, AFoldedModelScoresAsBeforeAndForgetsWhenUnfolded) {
  const auto model = make_with_its_graph(GetParam());
  model->eval();
  const torch::NoGradGuard no_grad;
  Batch request(3);
  request.set(batch_key::kUsers, torch::tensor({0, 4, 7}, torch::kLong));
  if (model->request_needs().max_length > 0)
    request.set(batch_key::kHistory, torch::tensor({{1, 2}, {3, 4}, {5, 6}}, torch::kLong));
  const auto candidates = torch::arange(kItems).expand({3, kItems});  // [B, C]
  const auto scores = [&] { return model->score(model->encode(request), candidates); };
  const auto before = scores();
  model->fold(true);
  EXPECT_TRUE(torch::equal(scores(), before));
  for (auto& parameter : model->parameters()) parameter.mul_(2.0);
  EXPECT_TRUE(torch::equal(scores(), before));  // folded: weights are not read
  model->fold(false);
  EXPECT_FALSE(torch::allclose(scores(), before));
  int64_t held = 0;
  for (const auto& buffer : model->named_buffers())
    if (buffer.key().starts_with("folded")) held += buffer.value().numel();
  EXPECT_EQ(held, 0);
}

INSTANTIATE_TEST_SUITE_P(Propagation, EveryPropagation, ::testing::ValuesIn(kEvery));

struct Dense {
  torch::Tensor normalized, root, origin;  // [N, N], [N], [N, D]

  explicit Dense(const Model& model) {
    const auto adjacency = dense_adjacency(node_graph(interaction_graph(train_data())));  // [N, N]
    const auto degrees = adjacency.sum(1);                                                // [N]
    root = torch::where(degrees > 0, degrees.rsqrt(), torch::zeros_like(degrees));        // [N]
    normalized = root.unsqueeze(1) * adjacency * root;                                    // [N, N]
    std::map<std::string, torch::Tensor> weights;
    for (const auto& item : model.named_parameters()) weights[item.key()] = item.value().detach();
    origin = torch::cat({weights.at("users.weight").slice(0, 2),
                         weights.at("items.weight").slice(0, 2)});  // [N, D]
  }
};

// By the matrix: D^(-1/2) A D^(-1/2), of which L2 punishes the vectors of layer 0.
TEST(Propagation, LossOfLightgcnEqualsTheFormulaWithADenseMatrix) {
  const auto model = make("{type: lightgcn, layers: 2}");
  auto* learnable = model->learnable();
  model->eval();
  const Dense dense(*model);
  const auto& origin = dense.origin;                                             // [N, D]
  const auto first = dense.normalized.matmul(origin);                            // [N, D]
  const auto vectors = (origin + first + dense.normalized.matmul(first)) / 3.0;  // [N, D]
  const std::vector<int64_t> users{2, 0, 8}, targets{7, 1, 13}, negatives{5, 9, 0};
  const auto batch = batch_of(users, targets, negatives);
  double expected = 0.0;
  for (size_t p = 0; p < users.size(); ++p) {
    const auto row = [&](const torch::Tensor& table, int64_t node) { return table[node]; };
    const auto u = row(vectors, users[p]), i = row(vectors, kUsers + targets[p]),
               j = row(vectors, kUsers + negatives[p]);  // [D] each
    expected += torch::softplus(-(u * (i - j)).sum()).item<double>();
    for (const auto node : {users[p], kUsers + targets[p], kUsers + negatives[p]})
      expected += 0.005 * row(origin, node).square().sum().item<double>();
  }
  const Batch* const step[] = {&batch};
  const auto shared = learnable->shared(step);
  const auto parts = learnable->loss(learnable->represent(batch, shared), shared, 0);
  EXPECT_NEAR(parts.sum.item<double>(), expected, 1e-5);
}

TEST(Propagation, ANewUserIsTheSumOfTheLayersOfItsItemsOneStepLater) {
  const auto model = make("{type: lightgcn, layers: 3, layer_weights: [0.1, 0.2, 0.3, 0.4]}");
  model->eval();
  const torch::NoGradGuard no_grad;
  ASSERT_TRUE(model->contract().new_user_with_history);
  const Dense dense(*model);
  const auto once = dense.normalized.matmul(dense.origin), twice = dense.normalized.matmul(once);
  const auto layers = 0.2 * dense.origin + 0.3 * once + 0.4 * twice;  // [N, D]
  const std::vector<int64_t> items{3, 0, 12};
  auto expected = torch::zeros({6});  // [D]
  for (const auto item : items)
    expected += dense.root[kUsers + item] * layers[kUsers + item] / std::sqrt(3.0);
  Batch request(1);
  request.set(batch_key::kUsers, torch::tensor({kUnknownId}, torch::kLong));
  request.set(batch_key::kHistory, torch::tensor(items, torch::kLong).unsqueeze(0));
  EXPECT_TRUE(torch::allclose(model->encode(request).tensors[0][0], expected, 1e-5, 1e-6));
  // An item twice says no more than once, and an unknown one nothing.
  request.set(batch_key::kHistory,
              torch::tensor({{int64_t{3}, kUnknownId, int64_t{0}, int64_t{12}, int64_t{3}}},
                            torch::kLong));
  EXPECT_TRUE(torch::allclose(model->encode(request).tensors[0][0], expected, 1e-5, 1e-6));
}

// With one layer such a user is one of the graph whose own vector is zero.
TEST(Propagation, ANewUserEqualsAKnownOneOfTheSameItemsWhoStartsFromZero) {
  const auto model = make("{type: lightgcn, layers: 1}");
  model->eval();
  const torch::NoGradGuard no_grad;
  for (auto& item : model->named_parameters())
    if (item.key() == "users.weight") item.value()[2 + 4].zero_();
  const auto items = train_data().items.slice(0, 12, 15).to(torch::kLong);  // those of user 4
  Batch request(2);
  request.set(batch_key::kUsers, torch::tensor({int64_t{4}, kUnknownId}, torch::kLong));
  request.set(batch_key::kHistory, torch::stack({items, items}));
  const auto states = model->encode(request).tensors[0];  // [2, D]
  EXPECT_TRUE(torch::allclose(states[0], states[1], 1e-5, 1e-6));
}

TEST(Propagation, NodesBesideUsersAndItemsAreTrainedAndCarryMessages) {
  const auto graph = with_genres();
  const auto model = make("{type: lightgcn, layers: 2}", "[{type: bpr}]", &graph);
  auto* learnable = model->learnable();
  const auto batch = batch_of({2}, {7}, {6});
  const Batch* const step[] = {&batch};
  const auto shared = learnable->shared(step);
  const auto loss = learnable->loss(learnable->represent(batch, shared), shared, 0).sum;  // []
  const auto named = model->named_parameters();
  ASSERT_TRUE(named.contains("propagation.others"));
  const auto gradient = torch::autograd::grad({loss}, {named["propagation.others"]})[0];  // [2, D]
  EXPECT_TRUE(gradient.abs().sum(1).gt(0).all().item<bool>());
  EXPECT_THAT([&] { make("{type: lightgcn, relations: [genres]}", "[{type: bpr}]", &graph); },
              ::testing::Throws<ConfigError>(::testing::Property(
                  &ConfigError::what,
                  ::testing::HasSubstr("the graph has no relation 'genres'; did you "
                                       "mean 'genre'?"))));
}

// The sum of layers 1 to L before their last step, by the matrix: what a node tells whoever is next
// to it.
torch::Tensor told(const torch::Tensor& normalized, const torch::Tensor& origin,
                   const std::vector<double>& weights) {
  auto layer = origin, sum = torch::zeros_like(origin);  // [N, D]
  for (size_t k = 1; k < weights.size(); ++k) {
    sum = sum + weights[k] * layer;
    layer = normalized.matmul(layer);
  }
  return sum;  // [N, D]
}

// A view of everybody, as a step makes it whose batch names all users and items.
torch::Tensor view_of_all(Model& model) {
  auto* learnable = model.learnable();
  const auto everything = batch_of({0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0},
                                   {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13},
                                   {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13});
  const Batch* const step[] = {&everything};
  return learnable->shared(step).back();  // [N, D]
}

torch::Tensor normalized_of(const Graph& graph) {
  const auto adjacency = dense_adjacency(node_graph(graph)).to(torch::kDouble);  // [N, N]
  const auto degrees = adjacency.sum(1);                                         // [N]
  const auto root = torch::where(degrees > 0, degrees.rsqrt(), torch::zeros_like(degrees));  // [N]
  return root.unsqueeze(1) * adjacency * root;  // [N, N]
}

constexpr const char* kWeightedLayers =
    "{type: lightgcn, layers: 3, layer_weights: [0.1, 0.2, 0.3, 0.4]}";

std::string svd_objective(int64_t rank) {
  return "[{type: bpr}, {type: graph_contrastive, view: svd, rank: " + std::to_string(rank) + "}]";
}

// Shapes   low_rank [N, N], normalized [N, N], origin [N, D] -> [N, D]
torch::Tensor along(const torch::Tensor& low_rank, const torch::Tensor& normalized,
                    const torch::Tensor& origin) {
  auto layer = origin, sum = 0.1 * origin;  // [N, D]
  for (const double weight : {0.2, 0.3, 0.4}) {
    sum = sum + weight * low_rank.matmul(layer);
    layer = normalized.matmul(layer);
  }
  return sum;
}

TEST(Propagation, TheViewSvdGoesTheLastStepAlongTheLargestSingularValuesOfUsersByItems) {
  const torch::NoGradGuard no_grad;
  const auto model = make(kWeightedLayers, svd_objective(3));
  const auto normalized = normalized_of(interaction_graph(train_data()));  // [N, N]
  const auto of_users = normalized.slice(0, 0, kUsers).slice(1, kUsers);   // [U, I]
  const auto [left, values, right] = at::linalg_svd(of_users, false);
  const auto kept = (left.slice(1, 0, 3) * values.slice(0, 0, 3)).matmul(right.slice(0, 0, 3));
  auto low_rank = torch::zeros_like(normalized);  // [N, N]
  low_rank.slice(0, 0, kUsers).slice(1, kUsers).copy_(kept);
  low_rank.slice(0, kUsers).slice(1, 0, kUsers).copy_(kept.t());
  const auto origin = Dense(*model).origin.to(torch::kDouble);  // [N, D]
  const auto expected = along(low_rank, normalized, origin);    // [N, D]
  EXPECT_TRUE(torch::allclose(view_of_all(*model).to(torch::kDouble), expected, 1e-3, 1e-4));
  EXPECT_FALSE(torch::allclose(along(normalized, normalized, origin), expected, 1e-1, 1e-2))
      << "nothing is left out";
}

TEST(Propagation, TheViewSvdOfAGraphWithFriendsKeepsTheLargestOfAll) {
  const torch::NoGradGuard no_grad;
  auto graph = with_friends();
  graph.relations[0].weights = torch::Tensor();
  const auto model = make(kWeightedLayers, svd_objective(2), &graph);
  const auto normalized = normalized_of(graph);                                   // [N, N]
  const auto [values, vectors] = at::linalg_eigh(normalized);                     // [N], [N, N]
  const auto order = values.abs().argsort(0, true).slice(0, 0, 4);                // [2q]
  const auto kept = vectors.index_select(1, order);                               // [N, 2q]
  const auto low_rank = (kept * values.index_select(0, order)).matmul(kept.t());  // [N, N]
  const auto expected =
      along(low_rank, normalized, Dense(*model).origin.to(torch::kDouble));  // [N, D]
  EXPECT_TRUE(torch::allclose(view_of_all(*model).to(torch::kDouble), expected, 1e-3, 1e-4));
}

TEST(Propagation, TheViewSvdOfAGraphWithoutEdgesIsTheOwnPartAlone) {
  const torch::NoGradGuard no_grad;
  Graph graph = interaction_graph(train_data());
  for (auto& relation : graph.relations) {
    relation.offsets = torch::zeros_like(relation.offsets);
    relation.ends = torch::Tensor();
  }
  const auto model = make(kWeightedLayers, svd_objective(2), &graph);
  EXPECT_TRUE(torch::allclose(view_of_all(*model), 0.1 * Dense(*model).origin));
}

TEST(Propagation, LightgcnLeavesOutOtherEdgesInEachStepOfTrainingAndNoneElsewhere) {
  const torch::NoGradGuard no_grad;
  const auto dropping = make("{type: lightgcn, edge_dropout: 0.5}");
  const auto whole = make("{type: lightgcn}");
  const auto vectors_of = [](Model& model, int64_t number) {
    const DropoutScope scope(1, number, 0);
    const auto batch = batch_of({2, 3, 4, 5}, {7, 1, 2, 3}, {6, 5, 9, 11});
    const Batch* const step[] = {&batch};
    return model.learnable()->shared(step).at(0);  // [R, D]
  };
  dropping->train();
  whole->train();
  const auto all = vectors_of(*whole, 0);
  EXPECT_FALSE(torch::allclose(vectors_of(*dropping, 0), all, 1e-3, 1e-4));
  EXPECT_FALSE(torch::allclose(vectors_of(*dropping, 0), vectors_of(*dropping, 1), 1e-3, 1e-4));
  EXPECT_TRUE(torch::equal(vectors_of(*dropping, 0), vectors_of(*dropping, 0)));
  dropping->eval();
  EXPECT_TRUE(torch::equal(vectors_of(*dropping, 0), all));
}

TEST(Propagation, ANewUserOfDiffnetIsTheMeanOfTheItemsWhateverStandsTwice) {
  const torch::NoGradGuard no_grad;
  const auto model = make("{type: diffnet, layers: 2}");
  model->eval();
  ASSERT_TRUE(model->contract().new_user_with_history);
  const auto items = Dense(*model).origin.slice(0, kUsers);  // [I, D]
  Batch request(1);
  request.set(batch_key::kUsers, torch::tensor({kUnknownId}, torch::kLong));
  request.set(batch_key::kHistory, torch::tensor({{3, 0, 12, 3}}, torch::kLong));
  EXPECT_TRUE(torch::allclose(model->encode(request).tensors[0][0],
                              (items[3] + items[0] + items[12]) / 3.0, 1e-5, 1e-6));
}

TEST(Explanation, AnItemOfADiffnetUserBringsItsShareOfTheMeanAndWhatFriendsSpreadIsTheRest) {
  const torch::NoGradGuard no_grad;
  const auto graph = with_friends();
  const auto model = make("{type: diffnet, layers: 2}", "[{type: bpr}]", &graph);
  model->eval();
  ASSERT_TRUE(model->explains() && model->explains()->reads_training);
  const auto items = Dense(*model).origin.slice(0, kUsers);  // [I, D]
  const auto& taste = graph.relations[0];
  Batch request(kUsers);
  request.set(batch_key::kUsers, torch::arange(kUsers));
  request.set(batch_key::kHistory, torch::full({kUsers, 2}, int64_t{1}, torch::kLong));
  const int64_t item = 4;
  const auto got = model->contributions(request, torch::full({kUsers}, item, torch::kLong));
  const auto scores =
      model->score(model->encode(request), torch::full({kUsers, 1}, item, torch::kLong));
  for (int64_t u = 0; u < kUsers - 1; ++u) {  // user 8 did nothing and is a new one
    const auto first = taste.offsets[u].item<int64_t>(),
               last = taste.offsets[u + 1].item<int64_t>();
    const auto own = taste.weights.slice(0, first, last);  // [E]
    std::map<int64_t, double> expected;
    for (int64_t e = first; e < last; ++e) {
      const auto j = taste.ends[e].item<int64_t>();
      expected[j] = ((items[j] * items[item]).sum() * taste.weights[e] / own.sum()).item<double>();
    }
    double sum = 0.0;
    size_t num_sources = 0;
    for (int64_t p = 0; p < got.sources.size(1); ++p) {
      const auto j = got.sources[u][p].item<int64_t>();
      if (j < 0) continue;
      ++num_sources;
      ASSERT_TRUE(expected.contains(j)) << u << " did not choose " << j;
      EXPECT_NEAR(got.contributions[u][p].item<double>(), expected[j], 1e-5);
      sum += expected[j];
    }
    EXPECT_EQ(num_sources, expected.size());
    EXPECT_NEAR(got.rest[u].item<double>(), scores[u].item<double>() - sum, 1e-5);
  }
}

TEST(Explanation, AnItemNextToAUserBringsItsMessageAndTheOwnVectorIsTheRest) {
  const torch::NoGradGuard no_grad;
  const auto plain = interaction_graph(train_data());
  const auto friends = with_friends();
  const std::vector<std::pair<std::string, std::vector<double>>> kinds = {
      {"{type: lightgcn, layers: 2, layer_weights: [0.2, 0.3, 0.5]}", {0.2, 0.3, 0.5}},
      {"{type: appnp, layers: 2, restart: 0.4}", {0.4, 0.24, 0.36}},
      {"{type: lightgcn, layers: 0}", {1.0}}};
  for (const auto* graph : {&plain, &friends})
    for (const auto& [propagation, weights] : kinds) {
      const auto model = make(propagation, "[{type: bpr}]", graph);
      model->eval();
      ASSERT_TRUE(model->explains() && model->explains()->reads_training);
      const auto adjacency = dense_adjacency(node_graph(*graph));  // [N, N]
      const auto degrees = adjacency.sum(1);                       // [N]
      const auto root = torch::where(degrees > 0, degrees.rsqrt(), torch::zeros_like(degrees));
      const auto normalized = root.unsqueeze(1) * adjacency * root;           // [N, N]
      const auto origin = Dense(*model).origin;                               // [N, D]
      const auto message = told(normalized, origin, weights);                 // [N, D]
      const auto vectors = weights[0] * origin + normalized.matmul(message);  // [N, D]
      Batch request(kUsers);
      request.set(batch_key::kUsers, torch::arange(kUsers));
      // Known users are explained by what they did in training, whatever the request sends.
      request.set(batch_key::kHistory, torch::full({kUsers, 2}, int64_t{1}, torch::kLong));
      const int64_t item = 4;
      const auto got = model->contributions(request, torch::full({kUsers}, item, torch::kLong));
      const auto scores =
          model->score(model->encode(request), torch::full({kUsers, 1}, item, torch::kLong));
      const auto of_item = vectors[kUsers + item];  // [D]
      for (int64_t u = 0; u < kUsers - 1; ++u) {    // user 8 did nothing and is a new one
        double sum = 0.0;
        int64_t num_sources = 0;
        for (int64_t p = 0; p < got.sources.size(1); ++p) {
          const auto j = got.sources[u][p].item<int64_t>();
          if (j < 0) continue;
          ++num_sources;
          const auto share = (message[kUsers + j] * of_item).sum() * normalized[u][kUsers + j];
          EXPECT_NEAR(got.contributions[u][p].item<double>(), share.item<double>(), 1e-5);
          sum += share.item<double>();
        }
        EXPECT_EQ(num_sources,
                  adjacency[u].slice(0, kUsers, kUsers + kItems).gt(0).sum().item<int64_t>());
        const auto of_friends =
            normalized[u].slice(0, 0, kUsers).matmul(message.slice(0, 0, kUsers));  // [D]
        const auto rest = ((weights[0] * origin[u] + of_friends) * of_item).sum().item<double>();
        EXPECT_NEAR(got.rest[u].item<double>(), rest, 1e-5) << propagation << " " << u;
        EXPECT_NEAR(sum + rest, scores[u].item<double>(), 1e-5);
      }
    }
}

TEST(Explanation, AnItemOfANewUserOfAGraphBringsItsPartOfWhatItScoresAlone) {
  const torch::NoGradGuard no_grad;
  for (const auto* propagation : {"{type: lightgcn, layers: 3}", "{type: appnp, layers: 4}"}) {
    const auto model = make(propagation);
    model->eval();
    const auto of = [&](const std::vector<int64_t>& items) {
      Batch request(1);
      request.set(batch_key::kHistory, torch::tensor(items, torch::kLong).unsqueeze(0));
      return request;
    };
    const auto item = torch::tensor({int64_t{5}});
    const auto got = model->contributions(of({3, 0, 12, 3}), item);
    int64_t num_sources = 0;
    for (int64_t p = 0; p < got.sources.size(1); ++p) {
      const auto source = got.sources[0][p].item<int64_t>();
      if (source < 0) continue;
      ++num_sources;
      auto alone = of({source});
      alone.set(batch_key::kUsers, torch::tensor({kUnknownId}, torch::kLong));
      const auto score = model->score(model->encode(alone), item.unsqueeze(0)).item<double>();
      EXPECT_NEAR(got.contributions[0][p].item<double>(), score / std::sqrt(3.0), 1e-5);
    }
    EXPECT_EQ(num_sources, 3);
    EXPECT_EQ(got.rest[0].item<double>(), 0.0);
  }
}

TEST(Explanation, OfAFoldedGraphIsTheSameAndNoCheckpointHoldsWhatItReads) {
  const torch::NoGradGuard no_grad;
  const auto friends = with_friends();
  const auto model = make("{type: lightgcn, layers: 2}", "[{type: bpr}]", &friends);
  model->eval();
  const auto names = [&] {
    std::vector<std::string> out;
    for (const auto& buffer : model->named_buffers()) out.push_back(buffer.key());
    return out;
  };
  const auto before = names();
  Batch request(3);
  request.set(batch_key::kUsers, torch::tensor({int64_t{0}, int64_t{8}, kUnknownId}, torch::kLong));
  request.set(batch_key::kHistory, torch::tensor({{1, 2}, {3, 4}, {5, 6}}, torch::kLong));
  const auto items = torch::tensor({4, 5, 6}, torch::kLong);
  const auto expected = model->contributions(request, items);
  model->fold(true);
  EXPECT_THAT(names(), ::testing::Contains("folded_edges.items"));
  model->fold(true);  // again: what was there goes
  const auto got = model->contributions(request, items);
  EXPECT_TRUE(torch::equal(got.sources, expected.sources));
  EXPECT_TRUE(torch::equal(got.contributions, expected.contributions));
  EXPECT_TRUE(torch::equal(got.rest, expected.rest));
  model->fold(false);
  EXPECT_EQ(names(), before);
}

TEST(Explanation, IsNotOfferedAlongLayersThatBend) {
  for (const auto* propagation : {"{type: ngcf, layers: 2}", "{type: graphsage, layers: 1}"}) {
    EXPECT_FALSE(make(propagation)->explains().has_value()) << propagation;
  }
}

TEST(Propagation, ViewsOfAGraphNeedOne) {
  const auto message_of = [](const std::string& propagation) {
    try {
      make(propagation, "[{type: bpr}, {type: graph_contrastive, view: noise}]");
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message_of("{type: ngcf}"), ::testing::HasSubstr("compares views of a graph, which "
                                                               "model.propagation at test.yaml:1"));
  EXPECT_EQ(message_of("{type: lightgcn}"), "");
}

struct Outcome {
  double loss = 0.0;
  std::vector<torch::Tensor> gradients;  // by parameter
};

Outcome outcome_of(Model& model, const Batch& batch, int64_t step_number = 0) {
  const DropoutScope scope(1, step_number, 0);
  auto* learnable = model.learnable();
  const Batch* const step[] = {&batch};
  const auto shared = learnable->shared(step);
  const auto parts = learnable->loss(learnable->represent(batch, shared), shared, 0);
  return {parts.sum.item<double>(), dense_gradients(parts.sum, model.parameters())};
}

void expect_same(const Outcome& got, const Outcome& expected) {
  EXPECT_NEAR(got.loss, expected.loss, 1e-5);
  ASSERT_EQ(got.gradients.size(), expected.gradients.size());
  for (size_t i = 0; i < got.gradients.size(); ++i) {
    ASSERT_EQ(got.gradients[i].defined(), expected.gradients[i].defined()) << i;
    if (got.gradients[i].defined()) {
      EXPECT_TRUE(torch::allclose(got.gradients[i], expected.gradients[i], 1e-4, 1e-5)) << i;
    }
  }
}

// A propagation of two layers that may draw neighbours, with more options inside the braces.
const char* const kSampling[] = {"type: lightgcn, layers: 2", "type: graphsage, combine: mean",
                                 "type: gat, num_heads: 2, dropout: 0.0, attention_dropout: 0.0",
                                 "type: gat, num_heads: 2, dropout: 0.0, attention_dropout: 0.0, "
                                 "self_loops: false"};

class SampledPropagation : public ::testing::TestWithParam<const char*> {
 protected:
  static std::shared_ptr<Model> with(const std::string& more, const Graph* graph = nullptr) {
    return make("{" + std::string(GetParam()) + more + "}", "[{type: bpr, l2: 0.01}]", graph);
  }
  const Batch batch_ = batch_of({2, 0, 2}, {7, 1, 3}, {5, 9, 0});
};

TEST_P(SampledPropagation, FanOutsThatLeaveNobodyOutGiveTheFullLossAndGradients) {
  const auto friends = with_friends();
  const Graph* const graphs[] = {nullptr, &friends};
  for (const auto* graph : graphs) {
    const auto full = with("", graph), sampled = with(", fanouts: [30, 30]", graph);
    full->train();
    sampled->train();
    expect_same(outcome_of(*sampled, batch_), outcome_of(*full, batch_));
  }
}

TEST_P(SampledPropagation, DrawsAreThoseOfTheStep) {
  const auto model = with(", fanouts: [1, 1]");
  model->train();
  const auto first = outcome_of(*model, batch_, 0);
  expect_same(outcome_of(*model, batch_, 0), first);
  std::set<double> losses;
  for (int64_t step = 0; step < 8; ++step) losses.insert(outcome_of(*model, batch_, step).loss);
  EXPECT_GT(losses.size(), 1U);
}

TEST_P(SampledPropagation, ScoringHearsEveryNeighbour) {
  const auto full = with(""), sampled = with(", fanouts: [1, 1]");
  full->eval();
  sampled->eval();
  expect_same(outcome_of(*sampled, batch_), outcome_of(*full, batch_));
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(*sampled->item_vectors(), *full->item_vectors()));
  EXPECT_TRUE(torch::equal(*sampled->user_vectors(), *full->user_vectors()));
}

INSTANTIATE_TEST_SUITE_P(Propagation, SampledPropagation, ::testing::ValuesIn(kSampling));

TEST(Propagation, OnlyRowsThatASampleReachesGetAGradient) {
  const auto model = make("{type: lightgcn, layers: 1, fanouts: [1]}");
  model->train();
  auto* learnable = model->learnable();
  const auto batch = batch_of({2}, {7}, {5});
  const Batch* const step[] = {&batch};
  const DropoutScope scope(1, 0, 0);
  const auto shared = learnable->shared(step);
  const auto loss = learnable->loss(learnable->represent(batch, shared), shared, 0).sum;  // []
  const auto named = model->named_parameters();
  for (const auto* name : {"users.weight", "items.weight"}) {
    const auto gradient =
        torch::autograd::grad({loss}, {named[name]}, {}, /*retain_graph=*/true)[0];
    ASSERT_TRUE(gradient.is_sparse()) << name;
    const auto rows = std::get<0>(at::_unique(gradient._indices().flatten()));  // [n]
    // The user and an item of it; two items and a user of each.
    EXPECT_LE(rows.size(0), 3) << name;
    EXPECT_GE(rows.size(0), 1) << name;
  }
}

TEST(Propagation, WhatDrawsNeighboursMakesNoViews) {
  EXPECT_THAT(
      [] {
        make("{type: lightgcn, layers: 1, fanouts: [2]}",
             "[{type: bpr}, {type: graph_contrastive, view: noise}]");
      },
      ::testing::Throws<ConfigError>(
          ::testing::Property(&ConfigError::what, ::testing::HasSubstr("does not make"))));
}

TEST(Propagation, FriendsAndChannelsMustBeThereForWhatLearnsFromThem) {
  const auto graph = interaction_graph(train_data());
  for (const auto* propagation : {"{type: diffnet}", "{type: mhcn}"})
    EXPECT_THAT([&] { make(propagation, "[{type: bpr}]", &graph); },
                ::testing::Throws<ConfigError>(::testing::Property(
                    &ConfigError::what, ::testing::HasSubstr("learns from who knows whom"))));
  const std::string objectives = "[{type: bpr}, {type: mutual_information}]";
  EXPECT_THAT([&] { make("{type: diffnet}", objectives); },
              ::testing::Throws<ConfigError>(::testing::Property(
                  &ConfigError::what,
                  ::testing::HasSubstr("model.objectives[1]: compares channels in which users hear "
                                       "each other, which model.propagation at test.yaml:1"))));
  EXPECT_NO_THROW(make("{type: mhcn}", objectives));
}

TEST(Propagation, FactsAndIntentsAreAskedOfThoseThatHaveThem) {
  const auto genres = with_genres();
  const auto message_of = [&](const std::string& propagation, const std::string& objective) {
    try {
      make(propagation, "[{type: bpr}, {type: " + objective + "}]", &genres);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message_of("{type: kgin}", "graph_triples"),
              ::testing::HasSubstr("model.objectives[1]: learns edges by the relations of a "
                                   "propagation, and model.propagation at test.yaml:1"));
  EXPECT_THAT(message_of("{type: kgat}", "independence"),
              ::testing::HasSubstr("model.objectives[1]: tells intents of a propagation apart, and "
                                   "model.propagation at test.yaml:1"));
  EXPECT_EQ(message_of("{type: kgat}", "graph_triples"), "");
  EXPECT_EQ(message_of("{type: kgin}", "independence"), "");
}

// The relations stand once among the parameters, and both attention and facts move them.
TEST(Propagation, FactsOfAGraphTeachTheRelationsThatAttentionReads) {
  const auto genres = with_genres();
  const auto model = make("{type: kgat, layers: 1, dropout: 0.0, attention_gradient: false}",
                          "[{type: bpr}, {type: graph_triples}]", &genres);
  auto* learnable = model->learnable();
  const auto batch = batch_of({2, 0, 2}, {7, 1, 3}, {5, 9, 0});
  const Batch* const step[] = {&batch};
  const auto shared = learnable->shared(step);
  const auto loss = learnable->loss(learnable->represent(batch, shared), shared, 0).sum;  // []
  int64_t num_relation_vectors = 0;
  std::vector<torch::Tensor> relations;
  for (const auto& item : model->named_parameters()) {
    if (!item.key().ends_with("relations")) continue;
    EXPECT_EQ(item.key(), "propagation.scorer.relations");
    ++num_relation_vectors;
    relations.push_back(item.value());
  }
  ASSERT_EQ(num_relation_vectors, 1);
  EXPECT_TRUE(dense_gradients(loss, relations)[0].ne(0).any().item<bool>());
}

TEST(Propagation, ViewsOfAStepDifferAndAreTheSameForTheSameScope) {
  const auto model =
      make("{type: lightgcn}",
           "[{type: bpr}, {type: graph_contrastive, view: edge_dropout, amount: 0.4}]");
  auto* learnable = model->learnable();
  const auto batch = batch_of({2, 3, 4, 5}, {7, 1, 2, 3}, {6, 5, 9, 11});
  const Batch* const step[] = {&batch};
  const auto views_of = [&](int64_t number) {
    const DropoutScope scope(1, number, 0);
    const auto shared = learnable->shared(step);
    return std::pair{shared.at(shared.size() - 2), shared.back()};  // [R, D], [R, D]
  };
  const auto [first, second] = views_of(0);
  EXPECT_FALSE(torch::allclose(first, second, 1e-3, 1e-4));
  EXPECT_TRUE(torch::equal(views_of(0).first, first));
  EXPECT_FALSE(torch::allclose(views_of(1).first, first, 1e-3, 1e-4));
}

}  // namespace
}  // namespace reckon::propagation_test
