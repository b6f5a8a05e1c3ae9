#pragma once

#include <torch/types.h>

#include <cstdint>

namespace reckon {

/// The part of the data that an interaction belongs to.
enum class Split : uint8_t { kTrain = 0, kValidation = 1, kTest = 2 };

/// Who did what and when: flat arrays ordered by user, then time, ties in file order.
///
/// Row r of user u satisfies user_offsets[u] <= r < user_offsets[u + 1].
/// Shapes   E interactions, U users. A tensor that the data does not have is undefined.
struct Interactions {
  int64_t num_users = 0;
  int64_t num_items = 0;
  int64_t time_scale = 1;  ///< 1 where all times are whole, else 10^3, 10^6 or 10^9.
  /// Users and items are the same: dense ids are shared, and (u, v) stands here where (v, u) does.
  bool mutual = false;
  torch::Tensor user_offsets;  // [U + 1] int64
  torch::Tensor items;         // [E] int32, dense item ids
  torch::Tensor labels;        // [E] float32, the ratings; implicit data has none
  torch::Tensor times;         // [E] int64; time_scale of them make a second, or a unit of the file
  torch::Tensor weights;       // [E] float32
  torch::Tensor events;        // [E] uint8, index into Dataset::event_names()

  int64_t size() const { return items.defined() ? items.size(0) : 0; }
};

/// The same interactions ordered by item: rows of item i are [offsets[i], offsets[i + 1]).
struct InteractionsByItem {
  torch::Tensor offsets;  // [I + 1] int64
  torch::Tensor users;    // [E] int32
  torch::Tensor rows;     // [E] int64, the row in Interactions
};

/// Orders by item; within an item by user, then by row.
InteractionsByItem by_item(const Interactions& interactions);

/// How often each item occurs.   Shapes  -> [I] int64
torch::Tensor item_counts(const Interactions& interactions);

}  // namespace reckon
