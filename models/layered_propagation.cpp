#include "models/layered_propagation.h"

namespace reckon {

torch::Tensor rows_or_all(const torch::Tensor& x, const torch::Tensor& rows) {
  return rows.defined() ? x.index_select(0, rows) : x;  // [R, D]
}

LayeredPropagation::LayeredPropagation(int64_t num_layers, Combine combine,
                                       const std::vector<std::string>& relations, const Deps& deps)
    : NodePropagation(relations, deps), num_layers_(num_layers), combine_(combine) {}

int64_t LayeredPropagation::output_width() const {
  return combine_ == Combine::kConcatenate ? (num_layers_ + 1) * width() : width();
}

Propagated LayeredPropagation::forward(const torch::Tensor& users, const torch::Tensor& items,
                                       const torch::Tensor& rows,
                                       const std::optional<GraphView>& view) {
  const auto seen = view ? drop_edges(graph(), view->needs.amount, view->key) : graph();
  auto x = at::cat(tables(users, items));       // [N, D]
  const auto origin = x.index_select(0, rows);  // [R, D]
  std::vector<torch::Tensor> outputs{origin};   // [R, D] each
  for (int64_t k = 0; k < num_layers_; ++k) {
    const bool is_last = k == num_layers_ - 1;
    x = layer(k, seen, x, is_last ? rows : torch::Tensor());  // [N, D], at last [R, D]
    outputs.push_back(shown(is_last ? x : x.index_select(0, rows)));
  }
  switch (combine_) {
    case Combine::kConcatenate:
      return {at::cat(outputs, 1), origin};  // [R, (L + 1) D]
    case Combine::kMean:
      return {at::stack(outputs).mean(0), origin};  // [R, D]
    case Combine::kLast:
      break;
  }
  return {outputs.back(), origin};  // [R, D]
}

}  // namespace reckon
