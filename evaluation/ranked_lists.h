#pragma once

#include <torch/types.h>

#include <cstdint>

namespace reckon {

/// What was recommended to whom: lists of dense item ids, best first, as a ragged array.
///
/// An item id below 0 is a place taken by something that the catalogue does not know.
/// Shapes   V users, N places
struct RankedLists {
  torch::Tensor users;    // [V] int64, dense ids, distinct
  torch::Tensor offsets;  // [V + 1] int64
  torch::Tensor items;    // [N] int64
  torch::Tensor scores;   // [N] float32, not rising within a list

  int64_t num_users() const { return users.defined() ? users.size(0) : 0; }
  int64_t size() const { return items.defined() ? items.size(0) : 0; }
};

}  // namespace reckon
