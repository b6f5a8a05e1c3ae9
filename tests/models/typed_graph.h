#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "datasets/graph_builder.h"
#include "models/propagation.h"
#include "tests/support/gradients.h"
#include "tests/support/reference.h"

namespace reckon {

/// Which number each node of small_graph() has instead of its own.
struct Renaming {
  std::vector<int32_t> users = {0, 1, 2}, items = {0, 1, 2, 3}, genres = {0, 1};

  /// Where each node went.   Shapes   -> [N] int64
  torch::Tensor places() const {
    std::vector<int64_t> places;
    for (const auto user : users) places.push_back(user);
    for (const auto item : items) places.push_back(3 + item);
    for (const auto genre : genres) places.push_back(7 + genre);
    return torch::tensor(places, torch::kLong);
  }
};

/// Three users, four items, two genres: ratings, genres and friends. The same as in
/// tests/references/propagation_reference.py.
inline Graph small_graph(const Renaming& to = {}) {
  GraphBuilder builder(3, 4);
  const auto users = builder.users(), items = builder.items();
  const auto genres = builder.add_nodes("item.genre", 2);
  using Edge = GraphBuilder::Edge;
  std::vector<Edge> ratings, of_genres, friends;
  for (const auto& [user, item, weight] : {std::tuple{0, 0, 1.0F},
                                           {0, 2, 3.0F},
                                           {1, 1, 2.0F},
                                           {1, 2, 2.0F},
                                           {2, 0, 5.0F},
                                           {2, 3, 1.0F}})
    ratings.push_back({to.users[user], to.items[item], weight});
  for (const auto& [item, genre] : {std::pair{0, 0}, {1, 0}, {2, 1}, {3, 0}, {3, 1}})
    of_genres.push_back({to.items[item], to.genres[genre]});
  for (const auto& [a, b] : {std::pair{0, 1}, {1, 0}})
    friends.push_back({to.users[a], to.users[b]});
  builder.add_relation({.name = "interactions",
                        .kind = EdgeKind::kInteractions,
                        .sources = users,
                        .targets = items,
                        .is_weighted = true},
                       ratings);
  builder.add_relation(
      {.name = "item.genre", .kind = EdgeKind::kAttribute, .sources = items, .targets = genres},
      of_genres);
  builder.add_relation({.name = "friends",
                        .kind = EdgeKind::kFriends,
                        .sources = users,
                        .targets = users,
                        .reverse = false},
                       friends);
  return builder.take();
}

/// Edges between random nodes, with random weights; none where there are no targets.
inline std::vector<GraphBuilder::Edge> random_edges(NodeRange sources, NodeRange targets,
                                                    int64_t count) {
  std::vector<GraphBuilder::Edge> out;
  for (int64_t e = 0; e < count && targets.count > 0; ++e)
    out.push_back({torch::randint(sources.count, {1}, torch::kInt).item<int32_t>(),
                   torch::randint(targets.count, {1}, torch::kInt).item<int32_t>(),
                   torch::rand({1}).item<float>() + 0.1F});
  return out;
}

/// Users, items and genres with random edges; some nodes have none.
inline Graph random_typed_graph(int64_t num_users, int64_t num_items, int64_t num_genres,
                                int64_t num_edges) {
  GraphBuilder builder(num_users, num_items);
  const auto users = builder.users(), items = builder.items();
  const auto genres = builder.add_nodes("item.genre", num_genres);
  builder.add_relation({.name = "interactions",
                        .kind = EdgeKind::kInteractions,
                        .sources = users,
                        .targets = items,
                        .is_weighted = true},
                       random_edges(users, items, num_edges));
  builder.add_relation(
      {.name = "item.genre", .kind = EdgeKind::kAttribute, .sources = items, .targets = genres},
      random_edges(items, genres, num_edges));
  return builder.take();
}

inline Propagation::Deps deps_of(const Graph& graph, int64_t width) {
  return {.width = width,
          .num_users = graph.node_types[0].nodes.count,
          .num_items = graph.node_types[1].nodes.count,
          .graph = &graph};
}

/// The weights of a relation's edges, sources by rows.   Shapes   -> [N, N] double
inline torch::Tensor dense_relation(const Graph& graph, const Relation& relation) {
  auto out = torch::zeros({graph.num_nodes(), graph.num_nodes()}, torch::kDouble);  // [N, N]
  for (int64_t s = 0; s < relation.sources.count; ++s)
    for (int64_t e = relation.offsets[s].item<int64_t>();
         e < relation.offsets[s + 1].item<int64_t>(); ++e)
      out[relation.sources.first + s][relation.targets.first + relation.ends[e].item<int64_t>()] =
          relation.weights.defined() ? relation.weights[e].item<float>() : 1.0F;
  return out;
}

/// Parameters by name.
inline std::map<std::string, torch::Tensor> parameters_of(const torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> out;
  for (const auto& item : module.named_parameters()) out[item.key()] = item.value();
  return out;
}

/// Random parameters and vectors in float64, and the vectors of all nodes.
struct TypedInputs {
  torch::Tensor users, items, all;  // [U, D], [I, D], [N, D]

  TypedInputs(Propagation& model, const Graph& graph, int64_t width) {
    model.to(torch::kDouble);
    model.eval();
    const torch::NoGradGuard no_grad;
    for (auto& parameter : model.parameters()) parameter.normal_(0, 0.7);
    const auto double_type = torch::TensorOptions(torch::kDouble);
    users = torch::randn({graph.node_types[0].nodes.count, width}, double_type);  // [U, D]
    items = torch::randn({graph.node_types[1].nodes.count, width}, double_type);  // [I, D]
    std::vector<torch::Tensor> tables{users, items};
    const auto parameters = parameters_of(model);
    if (parameters.contains("others")) tables.push_back(parameters.at("others").detach());
    all = torch::cat(tables);  // [N, D]
  }
};

inline torch::Tensor every_node(const Graph& graph) {
  return torch::arange(graph.num_nodes(), torch::kLong);  // [N]
}

/// Compares outputs and gradients with the case of that name in propagation_reference.json.
inline void expect_propagation_reference(Propagation& model, const std::string& name) {
  const auto reference = read_reference("propagation");
  const auto& expected = reference.at(name);
  model.to(torch::kDouble);
  model.eval();
  const auto parameters = parameters_of(model);
  ASSERT_EQ(parameters.size(), expected.at("salts").size()) << name;
  const auto users = fill({3, 4}, 1).requires_grad_(), items = fill({4, 4}, 2).requires_grad_();
  std::vector<std::string> names{"users", "items"};
  std::vector<torch::Tensor> leaves{users, items};
  for (const auto& [key, value] : parameters) {
    ASSERT_TRUE(expected.at("salts").contains(key)) << key;
    const torch::NoGradGuard no_grad;
    auto leaf = value;
    leaf.copy_(fill(value.sizes(), expected.at("salts").at(key).get<int64_t>()));
    names.push_back(key);
    leaves.push_back(value);
  }
  const auto rows = torch::tensor(reference.at("rows").get<std::vector<int64_t>>(), torch::kLong);
  const auto out = model.forward(users, items, rows, std::nullopt).vectors;  // [R, D]
  expect_numbers(out, expected.at("output"), name + ".output");
  const auto gradients =
      dense_gradients((out * fill({rows.size(0), out.size(1)}, 3)).sum(), leaves);
  for (size_t i = 0; i < leaves.size(); ++i) {
    ASSERT_TRUE(gradients[i].defined()) << names[i];
    expect_numbers(gradients[i], expected.at("gradients").at(names[i]),
                   name + ".gradients." + names[i]);
  }
}

/// A node's vector is a function of whom it hears, and of no number that a node has.
template <class Make>
void expect_that_names_of_nodes_do_not_matter(const Make& make, int64_t width,
                                              double relative = 1e-10, double absolute = 1e-12) {
  const auto graph = small_graph();
  const Renaming to{.users = {2, 0, 1}, .items = {1, 3, 0, 2}, .genres = {1, 0}};
  const auto renamed_graph = small_graph(to);
  const auto model = make(graph), renamed = make(renamed_graph);
  const TypedInputs inputs(*model, graph, width);
  // Where others have no part there are vectors of users and items alone.
  const auto num_nodes = inputs.all.size(0);
  const auto places = to.places().slice(0, 0, num_nodes);    // [N]
  const auto rows = torch::arange(num_nodes, torch::kLong);  // [N]
  renamed->to(torch::kDouble);
  renamed->eval();
  const torch::NoGradGuard no_grad;
  const auto parameters = parameters_of(*model);
  for (const auto& [key, value] : parameters_of(*renamed)) {
    auto to_value = value;
    to_value.copy_(parameters.at(key));
  }
  const auto turned = torch::empty_like(inputs.all).index_copy(0, places, inputs.all);  // [N, D]
  if (num_nodes > 7) parameters_of(*renamed).at("others").copy_(turned.slice(0, 7));
  const auto out = model->forward(inputs.users, inputs.items, rows, std::nullopt);
  const auto renamed_out =
      renamed->forward(turned.slice(0, 0, 3), turned.slice(0, 3, 7), rows, std::nullopt);
  EXPECT_TRUE(torch::allclose(renamed_out.vectors.index_select(0, places), out.vectors, relative,
                              absolute));
  EXPECT_FALSE(torch::allclose(renamed_out.vectors, out.vectors, 1e-2, 1e-3));
}

/// Some rows, in any order, are those of all.
template <class Make>
void expect_that_rows_are_those_of_all(const Make& make, int64_t width) {
  const auto graph = small_graph();
  const auto model = make(graph);
  const TypedInputs inputs(*model, graph, width);
  const torch::NoGradGuard no_grad;
  const auto all =
      model->forward(inputs.users, inputs.items, every_node(graph), std::nullopt);  // [N, D]
  for (const std::vector<int64_t>& asked :
       {std::vector<int64_t>{4}, {5, 0, 3}, {8, 1, 6, 2}, {0, 1, 2, 3, 4, 5, 6}}) {
    const auto rows = torch::tensor(asked, torch::kLong);  // [R]
    const auto some = model->forward(inputs.users, inputs.items, rows, std::nullopt);
    EXPECT_TRUE(torch::allclose(some.vectors, all.vectors.index_select(0, rows), 1e-10, 1e-12));
    EXPECT_TRUE(torch::equal(some.origin, inputs.all.index_select(0, rows)));
  }
}

/// Gradients of parameters and vectors, with rows of the last layer that are not all.
template <class Make>
void expect_gradients_of_propagation(const Make& make, int64_t width) {
  const auto graph = small_graph();
  const auto model = make(graph);
  const TypedInputs inputs(*model, graph, width);
  const auto rows = torch::tensor({6, 0, 3, 1}, torch::kLong);                           // [R]
  const auto mix = torch::randn({rows.size(0), model->output_width()}, torch::kDouble);  // [R, D']
  const auto loss = [&](const torch::Tensor& users, const torch::Tensor& items) {
    return (model->forward(users, items, rows, std::nullopt).vectors * mix).sum();  // []
  };
  expect_gradients([&](const auto& in) { return loss(in[0], in[1]); },
                   {inputs.users, inputs.items});
  expect_parameter_gradients(*model, [&] { return loss(inputs.users, inputs.items); });
}

}  // namespace reckon
