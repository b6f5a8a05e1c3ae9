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
  builder.add_relation({.name = "interactions",
                        .kind = EdgeKind::kInteractions,
                        .sources = users,
                        .targets = items,
                        .is_weighted = is_weighted},
                       random_edges(users, items, num_interactions));
  // Directed, so that there is a relation for the other direction, which nobody is to read.
  builder.add_relation({.name = "friends",
                        .kind = EdgeKind::kFriends,
                        .sources = users,
                        .targets = users,
                        .is_weighted = is_weighted},
                       random_edges(users, users, num_friendships));
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

}  // namespace reckon
