#include "models/layered_propagation.h"

namespace reckon {

namespace {

// The outputs of layers as one, the trained vectors being the first.   Shapes   [R, D] each -> [R, D']
torch::Tensor combined(LayeredPropagation::Combine combine,
                       const std::vector<torch::Tensor>& outputs) {
  switch (combine) {
    case LayeredPropagation::Combine::kConcatenate:
      return at::cat(outputs, 1);  // [R, (L + 1) D]
    case LayeredPropagation::Combine::kMean:
      return at::stack(outputs).mean(0);  // [R, D]
    case LayeredPropagation::Combine::kLast:
      break;
  }
  return outputs.back();  // [R, D]
}

}  // namespace

int64_t combined_width(LayeredPropagation::Combine combine, int64_t num_layers, int64_t width) {
  return combine == LayeredPropagation::Combine::kConcatenate ? (num_layers + 1) * width : width;
}

Propagated through_layers(const torch::Tensor& x, const torch::Tensor& rows, int64_t num_layers,
                          LayeredPropagation::Combine combine,
                          const std::function<torch::Tensor(int64_t k, const torch::Tensor& x,
                                                            const torch::Tensor& rows)>& layer,
                          const std::function<torch::Tensor(const torch::Tensor&)>& shown) {
  const auto origin = x.index_select(0, rows);  // [R, D]
  auto last = x;                                // [N, D]
  std::vector<torch::Tensor> outputs{origin};   // [R, D] each
  for (int64_t k = 0; k < num_layers; ++k) {
    const bool is_last = k == num_layers - 1;
    last = layer(k, last, is_last ? rows : torch::Tensor());  // [N, D], at last [R, D]
    outputs.push_back(shown(is_last ? last : last.index_select(0, rows)));
  }
  return {combined(combine, outputs), origin};  // [R, D'], [R, D]
}

LayeredPropagation::LayeredPropagation(int64_t num_layers, Combine combine,
                                       const std::vector<std::string>& relations,
                                       std::vector<int64_t> fanouts, const Deps& deps)
    : NodePropagation(relations, std::move(fanouts), deps),
      num_layers_(num_layers),
      combine_(combine) {}

int64_t LayeredPropagation::output_width() const {
  return combined_width(combine_, num_layers_, width());
}

Propagated LayeredPropagation::forward(const torch::Tensor& users, const torch::Tensor& items,
                                       const torch::Tensor& rows,
                                       const std::optional<GraphView>& view) {
  const auto seen = view ? drop_edges(graph(), view->needs.amount, view->key) : graph();
  return through_layers(
      node_vectors(users, items), rows, num_layers_, combine_,
      [&](int64_t k, const torch::Tensor& x, const torch::Tensor& some) {
        return layer(k, Neighbourhood(seen, some), x);
      },
      [&](const torch::Tensor& output) { return shown(output); });
}

Propagated LayeredPropagation::forward_over(const NeighbourSample& sample, const torch::Tensor& x) {
  const auto origin = sample.rows_of(x);       // [R, D]
  auto last = x;                               // [S, D]
  std::vector<torch::Tensor> outputs{origin};  // [R, D] each
  for (int64_t k = 0; k < num_layers_; ++k) {
    const auto hop = static_cast<size_t>(num_layers_ - 1 - k);
    last = layer(k, Neighbourhood(graph(), sample, hop), last);  // [., D]
    outputs.push_back(shown(sample.rows_of(last)));
  }
  return {combined(combine_, outputs), origin};  // [R, D'], [R, D]
}

}  // namespace reckon
