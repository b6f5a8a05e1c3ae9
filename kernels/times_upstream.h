#pragma once

#include <torch/types.h>

#include <vector>

namespace reckon {

/// What an own autograd function returns for its first inputs whose gradients it made beside a sum: these times
/// the gradient of that sum. They are themselves where that is one, as it is for a loss that nothing is done with
/// but adding: a pass over a whole table is saved.
///
/// Shapes   gradients [...] each or undefined, upstream [] -> `num_inputs` alike, the others undefined
inline std::vector<torch::Tensor> times_upstream(std::vector<torch::Tensor> gradients,
                                                 const torch::Tensor& upstream, size_t num_inputs) {
  // Elsewhere it would have to be waited for.
  const bool is_one = upstream.is_cpu() && upstream.item<double>() == 1.0;
  for (auto& gradient : gradients)
    if (!is_one && gradient.defined()) gradient = gradient * upstream;
  gradients.resize(num_inputs);
  return gradients;
}

}  // namespace reckon
