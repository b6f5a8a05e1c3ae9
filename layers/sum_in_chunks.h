#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace reckon {

/// A sum over rows whose terms need much memory on the way to them.
struct ChunkedSum {
  std::vector<torch::Tensor> rows;        ///< Cut along dimension 0, [P, ...] each.
  std::vector<torch::Tensor> whole;       ///< Given to every chunk as they are.
  std::vector<torch::Tensor> parameters;  ///< What `part` reads besides; it gets gradients too.
  /// The sum over rows [begin, begin + rows[0].size(0)), differentiable.   Shapes   -> []
  std::function<torch::Tensor(const std::vector<torch::Tensor>& rows,
                              const std::vector<torch::Tensor>& whole, int64_t begin)>
      part;
};

/// Makes the sum chunk by chunk, each with its gradients, so that memory is what one chunk and the
/// gradients need; nothing is computed twice.
///
/// Differentiable once; with no more than one chunk, as often as `part` is.
/// Shapes   -> []
torch::Tensor sum_in_chunks(const ChunkedSum& sum, int64_t rows_per_chunk);

}  // namespace reckon
