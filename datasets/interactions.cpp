#include "datasets/interactions.h"

namespace reckon {

InteractionsByItem by_item(const Interactions& interactions) {
  const auto num_rows = interactions.size();
  auto offsets = torch::zeros({interactions.num_items + 1}, torch::kLong);  // [I + 1]
  auto users = torch::empty({num_rows}, torch::kInt);                       // [E]
  auto rows = torch::empty({num_rows}, torch::kLong);                       // [E]
  if (num_rows == 0) return {offsets, users, rows};

  const auto* items = interactions.items.data_ptr<int32_t>();
  const auto* user_offsets = interactions.user_offsets.data_ptr<int64_t>();
  auto* begin = offsets.data_ptr<int64_t>();
  for (int64_t row = 0; row < num_rows; ++row) ++begin[items[row] + 1];
  for (int64_t item = 0; item < interactions.num_items; ++item) begin[item + 1] += begin[item];

  // `next` walks through each item's range; rows come in user order, so ranges end up ordered too.
  auto next_of = offsets.slice(0, 0, interactions.num_items).clone();  // [I]
  auto* next = next_of.data_ptr<int64_t>();
  auto* user_of = users.data_ptr<int32_t>();
  auto* row_of = rows.data_ptr<int64_t>();
  for (int64_t user = 0; user < interactions.num_users; ++user)
    for (int64_t row = user_offsets[user]; row < user_offsets[user + 1]; ++row) {
      const auto place = next[items[row]]++;
      user_of[place] = static_cast<int32_t>(user);
      row_of[place] = row;
    }
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
