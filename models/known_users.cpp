#include "models/known_users.h"

#include "core/ids.h"

namespace reckon {

torch::Tensor users_with_rows(const Interactions* train, int64_t num_users) {
  if (train == nullptr) return torch::ones({num_users}, torch::kBool);
  TORCH_CHECK(train->num_users == num_users, "the model is made for ", num_users,
              " users, got training data of ", train->num_users);
  return train->user_offsets.diff().gt(0);  // [U]
}

torch::Tensor items_with_rows(const Interactions* train, int64_t num_items) {
  if (train == nullptr) return torch::ones({num_items}, torch::kBool);
  TORCH_CHECK(train->num_items == num_items, "the model is made for ", num_items,
              " items, got training data of ", train->num_items);
  return torch::bincount(train->items, {}, num_items).gt(0);  // [I]
}

torch::Tensor only_known(const torch::Tensor& users, const torch::Tensor& known) {
  const auto found = known.index_select(0, users.clamp_min(0)).logical_and(users.ge(0));  // [B]
  return users.masked_fill(found.logical_not(), kUnknownId);                              // [B]
}

}  // namespace reckon
