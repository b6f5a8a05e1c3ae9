#include "models/social_graph.h"

#include <stdexcept>

namespace reckon {

SparseRows relation_matrix(const Relation& relation) {
  SparseRows matrix;
  matrix.offsets = relation.offsets;  // [R + 1]
  matrix.columns =
      relation.num_edges() > 0 ? relation.ends : torch::empty({0}, torch::kInt);  // [E]
  matrix.values =
      relation.weights.defined() ? relation.weights : torch::ones({relation.num_edges()});  // [E]
  return matrix;
}

SocialGraph social_graph(const Propagation::Deps& deps) {
  Relation nothing;
  nothing.offsets = torch::zeros({deps.num_users + 1}, torch::kLong);  // [U + 1]
  const Relation *friends = nullptr, *interactions = nullptr;
  if (deps.graph == nullptr) {
    friends = interactions = &nothing;
  } else {
    interactions = &deps.graph->relations.front();
    for (const auto& relation : deps.graph->relations)
      if (relation.kind == EdgeKind::kFriends && relation.reverse_of < 0) friends = &relation;
    if (friends == nullptr)
      throw std::invalid_argument(
          "learns from who knows whom, and the data does not say it; name a file of pairs in "
          "data.files.friends, and edges of type friends in data.graph");
  }
  return {relation_matrix(*friends), relation_matrix(*interactions)};
}

}  // namespace reckon
