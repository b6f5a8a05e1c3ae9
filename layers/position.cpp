#include "layers/position.h"

#include "kernels/tracing.h"

namespace reckon {

torch::Tensor add_positions(const torch::Tensor& x, const torch::Tensor& table, const char* name) {
  TORCH_CHECK(x.dim() == 3, name, ": expected [B, T, D], got ", x.sizes());
  if (!is_tracing())
    TORCH_CHECK(x.size(1) <= table.size(0) && x.size(2) == table.size(1), name,
                ": expected [B, T <= ", table.size(0), ", ", table.size(1), "], got ", x.sizes());
  // Made from x by tensor operations, for T must not enter a trace as a number. The sum only drops
  // the batch dimension, also of an empty batch.
  const auto steps = at::ones_like(x.detach().select(-1, 0).sum(0), torch::kLong);  // [T]
  const auto distances = steps.cumsum(0).flip(0) - 1;                               // [T]
  return x + at::embedding(table, distances);                                       // [B, T, D]
}

}  // namespace reckon
