#include "models/social_propagation.h"

namespace reckon {

Propagated SocialPropagation::forward(const torch::Tensor& users, const torch::Tensor& items,
                                      const torch::Tensor& rows,
                                      const std::optional<GraphView>& view) {
  TORCH_CHECK(!view, "propagation: views of friends are not made");
  const auto [of_users, of_items] = mixed(users, items);        // [U, D], [I, D]
  return {at::cat({of_users, of_items}).index_select(0, rows),  // [R, D]
          at::cat({users, items}).index_select(0, rows)};       // [R, D]
}

}  // namespace reckon
