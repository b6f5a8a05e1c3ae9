#pragma once

#include "kernels/sparse_rows.h"
#include "models/propagation.h"

namespace reckon {

/// What a graph says of users: whom each of them knows, and which items each had in training.
struct SocialGraph {
  SparseRows friends;  ///< [U, U]: row u holds whom u names; in one direction where data says so.
  SparseRows interactions;  ///< [U, I]
};

/// A relation as a matrix, sources by targets; edges without weights are 1. Columns of a row ascend.
SparseRows relation_matrix(const Relation& relation);

/// Both without elements while only sizes are known.
/// Throws   std::invalid_argument with a sentence when the graph has no friends.
SocialGraph social_graph(const Propagation::Deps& deps);

}  // namespace reckon
