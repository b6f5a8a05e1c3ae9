#include "models/neighbour_means.h"

#include <stdexcept>

namespace reckon {

NeighbourMeans::NeighbourMeans(const SparseRows& matrix, int64_t num_senders)
    : lists_(neighbour_lists(matrix.offsets, matrix.columns, num_senders)) {
  if (!matrix.values.ge(0).all().item<bool>())  // false of what is no number
    throw std::invalid_argument(
        "takes means by the weights of edges, and the graph has one that is negative or no number");
  const auto receivers = torch::repeat_interleave(matrix.offsets.diff());  // [E]
  const auto values = matrix.values.to(torch::kDouble);                    // [E]
  const auto sums =
      torch::zeros({matrix.num_rows()}, torch::kDouble).index_add(0, receivers, values);  // [R]
  const auto of_row = sums.index_select(0, receivers);                                    // [E]
  shares_ = at::where(of_row > 0, values / of_row, torch::zeros_like(values))
                .to(torch::kFloat)
                .unsqueeze(1);  // [E, 1]
}

torch::Tensor NeighbourMeans::of(const torch::Tensor& x) const {
  return weighted_neighbours(lists_, shares_.to(x.scalar_type()), x).flatten(1);  // [R, D]
}

NeighbourMeans NeighbourMeans::to(const torch::Device& device) const {
  NeighbourMeans out;
  out.lists_ = lists_.to(device);
  out.shares_ = shares_.to(device);
  return out;
}

}  // namespace reckon
