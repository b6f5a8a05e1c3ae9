#pragma once

#include "kernels/sparse_rows.h"
#include "layers/objective.h"

namespace reckon {

/// The `count` items closest to each by the users that they have in common, the closest first.
///
/// `users` are users by items, ones.
ItemNeighbours item_neighbours(const SparseRows& users, int64_t num_items, int64_t count);

}  // namespace reckon
