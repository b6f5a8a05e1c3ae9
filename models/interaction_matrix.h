#pragma once

#include "datasets/interactions.h"
#include "kernels/sparse_rows.h"

namespace reckon {

/// What an element of interaction_matrix() says of a user and an item.
enum class Worth {
  kOne,      ///< That there is an interaction.
  kCount,    ///< How many there are; with weights, their sum.
  kRating,   ///< The rating of the latest one.
  kRatings,  ///< The sum of their ratings.
};

/// Users by items, an element for each pair that has an interaction; the columns of a row ascend.
///
/// Throws   std::invalid_argument when ratings are asked for and the data has none.
SparseRows interaction_matrix(const Interactions& train, Worth worth = Worth::kOne);

/// The items of a history, each once, in ascending order; what is left over, and ids of no item, are
/// padding in front. Traceable.
/// Shapes   history [B, T] -> [B, T]
torch::Tensor distinct_items(const torch::Tensor& history);

/// The sum of the vectors of a history's items, of which negative ids have none. Traceable.
/// Shapes   vectors [I, D], items [B, T] -> [B, D]
torch::Tensor sum_of_vectors(const torch::Tensor& vectors, const torch::Tensor& items);

}  // namespace reckon
