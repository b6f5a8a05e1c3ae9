#include "models/layered_propagation.h"

namespace reckon {

torch::Tensor rows_or_all(const torch::Tensor& x, const torch::Tensor& rows) {
  return rows.defined() ? x.index_select(0, rows) : x;  // [R, D]
}

int64_t combined_width(LayeredPropagation::Combine combine, int64_t num_layers, int64_t width) {
  return combine == LayeredPropagation::Combine::kConcatenate ? (num_layers + 1) * width : width;
}

Propagated through_layers(const torch::Tensor& x, const torch::Tensor& rows, int64_t num_layers,
                          LayeredPropagation::Combine combine,
                          const std::function<torch::Tensor(int64_t k, const torch::Tensor& x,
                                                            const torch::Tensor& rows)>& layer,
                          const std::function<torch::Tensor(const torch::Tensor&)>& shown) {
  using Combine = LayeredPropagation::Combine;
  const auto origin = x.index_select(0, rows);  // [R, D]
  auto last = x;                                // [N, D]
  std::vector<torch::Tensor> outputs{origin};   // [R, D] each
  for (int64_t k = 0; k < num_layers; ++k) {
    const bool is_last = k == num_layers - 1;
    last = layer(k, last, is_last ? rows : torch::Tensor());  // [N, D], at last [R, D]
    outputs.push_back(shown(is_last ? last : last.index_select(0, rows)));
  }
  switch (combine) {
    case Combine::kConcatenate:
      return {at::cat(outputs, 1), origin};  // [R, (L + 1) D]
    case Combine::kMean:
      return {at::stack(outputs).mean(0), origin};  // [R, D]
    case Combine::kLast:
      break;
  }
  return {outputs.back(), origin};  // [R, D]
}

LayeredPropagation::LayeredPropagation(int64_t num_layers, Combine combine,
                                       const std::vector<std::string>& relations, const Deps& deps)
    : NodePropagation(relations, deps), num_layers_(num_layers), combine_(combine) {}

int64_t LayeredPropagation::output_width() const {
  return combined_width(combine_, num_layers_, width());
}

Propagated LayeredPropagation::forward(const torch::Tensor& users, const torch::Tensor& items,
                                       const torch::Tensor& rows,
                                       const std::optional<GraphView>& view) {
  const auto seen = view ? drop_edges(graph(), view->needs.amount, view->key) : graph();
  return through_layers(
      at::cat(tables(users, items)), rows, num_layers_, combine_,
      [&](int64_t k, const torch::Tensor& x, const torch::Tensor& some) {
        return layer(k, seen, x, some);
      },
      [&](const torch::Tensor& output) { return shown(output); });
}

}  // namespace reckon
