#include "datasets/interactions.h"

#include <ATen/Parallel.h>

#include "core/grouping.h"

namespace reckon {

InteractionsByItem by_item(const Interactions& interactions) {
  const auto num_rows = interactions.size();
  auto offsets = torch::zeros({interactions.num_items + 1}, torch::kLong);  // [I + 1]
  auto users = torch::empty({num_rows}, torch::kInt);                       // [E]
  auto rows = torch::empty({num_rows}, torch::kLong);                       // [E]
  if (num_rows == 0) return {offsets, users, rows};

  auto* user_of = users.data_ptr<int32_t>();
  auto* row_of = rows.data_ptr<int64_t>();
  // Rows come in user order, and so do those of each item.
  turn_lists(interactions.num_users, interactions.user_offsets.data_ptr<int64_t>(),
             interactions.items.data_ptr<int32_t>(), interactions.num_items,
             offsets.data_ptr<int64_t>(), at::get_num_threads(),
             [&](int64_t place, int32_t user, int64_t row) {
               user_of[place] = user;
               row_of[place] = row;
             });
  return {offsets, users, rows};
}

torch::Tensor item_counts(const Interactions& interactions) {
  auto counts = torch::zeros({interactions.num_items}, torch::kLong);  // [I]
  if (interactions.size() == 0) return counts;
  auto* count = counts.data_ptr<int64_t>();
  const auto* items = interactions.items.data_ptr<int32_t>();
  for (int64_t row = 0; row < interactions.size(); ++row) ++count[items[row]];
  return counts;
}

}  // namespace reckon
