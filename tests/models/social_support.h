#pragma once

#include <torch/types.h>

#include <vector>

#include "datasets/graph_builder.h"
#include "kernels/sparse_rows.h"
#include "tests/models/typed_graph.h"

namespace reckon {

/// Users who name some of each other, and what they chose; some have nobody and nothing.
inline Graph random_social_graph(int64_t num_users, int64_t num_items, int64_t num_friendships,
                                 int64_t num_interactions, bool is_weighted = false) {
  GraphBuilder builder(num_users, num_items);
  const auto users = builder.users(), items = builder.items();
  const auto edges = [&](NodeRange targets, int64_t count) {
    std::vector<GraphBuilder::Edge> out;
    for (int64_t e = 0; e < count; ++e)
      out.push_back({torch::randint(num_users, {1}, torch::kInt).item<int32_t>(),
                     torch::randint(targets.count, {1}, torch::kInt).item<int32_t>(),
                     torch::rand({1}).item<float>() + 0.1F});
    return out;
  };
  builder.add_relation({.name = "interactions",
                        .kind = EdgeKind::kInteractions,
                        .sources = users,
                        .targets = items,
                        .is_weighted = is_weighted},
                       edges(items, num_interactions));
  // Directed, so that there is a relation for the other direction, which nobody is to read.
  builder.add_relation(
      {.name = "friends", .kind = EdgeKind::kFriends, .sources = users, .targets = users},
      edges(users, num_friendships));
  return builder.take();
}

/// The relation of that kind by its elements, sources by targets.   Shapes   -> [R, C] double
inline torch::Tensor dense_of_kind(const Graph& graph, EdgeKind kind) {
  for (const auto& relation : graph.relations)
    if (relation.kind == kind && relation.reverse_of < 0)
      return dense_relation(graph, relation)
          .slice(0, relation.sources.first, relation.sources.first + relation.sources.count)
          .slice(1, relation.targets.first, relation.targets.first + relation.targets.count)
          .contiguous();
  return {};
}

/// Rows that add up to one, but for those of zeros.   Shapes   matrix [R, C] -> [R, C]
inline torch::Tensor rows_as_shares(const torch::Tensor& matrix) {
  const auto totals = matrix.sum(1, true);  // [R, 1]
  return matrix / torch::where(totals > 0, totals, torch::ones_like(totals));
}

/// Shapes   -> [R, num_columns] double
inline torch::Tensor dense_rows(const SparseRows& matrix, int64_t num_columns) {
  auto out = torch::zeros({matrix.num_rows(), num_columns}, torch::kDouble);  // [R, C]
  for (int64_t r = 0; r < matrix.num_rows(); ++r)
    for (int64_t e = matrix.offsets[r].item<int64_t>(); e < matrix.offsets[r + 1].item<int64_t>();
         ++e)
      out[r][matrix.columns[e].item<int64_t>()] = matrix.values[e].item<float>();
  return out;
}

/// A user's vector is a function of friends and items, and of no number that a user or an item has.
template <class Make>
void expect_that_numbers_of_people_do_not_matter(const Make& make, int64_t width) {
  const auto graph = small_graph();
  const Renaming to{.users = {2, 0, 1}, .items = {1, 3, 0, 2}, .genres = {0, 1}};
  const auto renamed_graph = small_graph(to);
  const auto places = to.places().slice(0, 0, 7);  // [U + I]
  const auto model = make(graph), renamed = make(renamed_graph);
  const TypedInputs inputs(*model, graph, width);
  renamed->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  const auto parameters = parameters_of(*model);
  for (const auto& [key, value] : parameters_of(*renamed)) {
    auto to_value = value;
    to_value.copy_(parameters.at(key));
  }
  const auto turned = torch::empty_like(inputs.all).index_copy(0, places, inputs.all);  // [N, D]
  const auto rows = torch::arange(7, torch::kLong);                                     // [N]
  const auto out = model->forward(inputs.users, inputs.items, rows, std::nullopt).vectors;
  const auto renamed_out =
      renamed->forward(turned.slice(0, 0, 3), turned.slice(0, 3, 7), rows, std::nullopt).vectors;
  EXPECT_TRUE(torch::allclose(renamed_out.index_select(0, places), out, 1e-6, 1e-7));
  EXPECT_FALSE(torch::allclose(renamed_out, out, 1e-2, 1e-3));
}

}  // namespace reckon
