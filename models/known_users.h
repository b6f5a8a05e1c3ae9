#pragma once

#include "datasets/interactions.h"

namespace reckon {

/// Who has at least one interaction; everybody while only sizes are known.   Shapes  -> [U] bool
/// Throws   c10::Error when the data is of another number of users.
torch::Tensor users_with_rows(const Interactions* train, int64_t num_users);

/// Which items have at least one interaction; all while only sizes are known.   Shapes  -> [I] bool
/// Throws   c10::Error when the data is of another number of items.
torch::Tensor items_with_rows(const Interactions* train, int64_t num_items);

/// The users that are known, kUnknownId in place of all others.
/// Shapes   users [B] int64, known [U] bool -> [B] int64
torch::Tensor only_known(const torch::Tensor& users, const torch::Tensor& known);

}  // namespace reckon
