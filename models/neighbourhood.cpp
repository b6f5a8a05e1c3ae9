#include "models/neighbourhood.h"

#include <utility>

namespace reckon {

torch::Tensor rows_or_all(const torch::Tensor& x, const torch::Tensor& rows) {
  return rows.defined() ? x.index_select(0, rows) : x;  // [R, ...]
}

Neighbourhood::Neighbourhood(const UndirectedGraph& graph, torch::Tensor rows)
    : graph_(&graph), rows_(std::move(rows)) {}

Neighbourhood::Neighbourhood(const UndirectedGraph& graph, const NeighbourSample& sample,
                             size_t hop)
    : graph_(&graph), sample_(&sample), hop_(hop) {}

const SampledHop* Neighbourhood::drawn() const {
  return sample_ == nullptr ? nullptr : &sample_->hops.at(hop_);
}

torch::Tensor Neighbourhood::own(const torch::Tensor& x) const {
  const auto* hop = drawn();
  return hop == nullptr ? rows_or_all(x, rows_)
                        : x.narrow(0, 0, hop->lists.num_receivers());  // [R, ...]
}

torch::Tensor Neighbourhood::mean(const torch::Tensor& x) const {
  return sample_ == nullptr ? mean_of_neighbours(*graph_, x, rows_)
                            : mean_of_sample(*graph_, *sample_, hop_, x);  // [R, D]
}

torch::Tensor Neighbourhood::normalized_sum(const torch::Tensor& x) const {
  return sample_ == nullptr ? normalized_spmm(*graph_, x, rows_)
                            : normalized_sum_of_sample(*graph_, *sample_, hop_, x);  // [R, D]
}

}  // namespace reckon
