#include "models/typed_propagation.h"

namespace reckon {

TypedPropagation::TypedPropagation(int64_t num_layers, Combine combine, const Deps& deps)
    : NodeVectors(deps), num_layers_(num_layers), combine_(combine) {}

int64_t TypedPropagation::output_width() const {
  return combined_width(combine_, num_layers_, width());
}

Propagated TypedPropagation::forward(const torch::Tensor& users, const torch::Tensor& items,
                                     const torch::Tensor& rows,
                                     const std::optional<GraphView>& view) {
  TORCH_CHECK(!view, "propagation: views of typed edges are not made");
  return through_layers(
      node_vectors(users, items), rows, num_layers_, combine_,
      [&](int64_t k, const torch::Tensor& x, const torch::Tensor& some) {
        return layer(k, x, some);
      },
      [](const torch::Tensor& output) { return output; });
}

}  // namespace reckon
