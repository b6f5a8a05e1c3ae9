#include "layers/sequence_encoder.h"

namespace reckon {

torch::Tensor SequenceEncoder::summands(const torch::Tensor&, const torch::Tensor&,
                                        const torch::Tensor&) {
  TORCH_CHECK(false, name(), ": its states are no sums of steps; ask is_sum_of_steps() first");
}

torch::Tensor SequenceEncoder::from_sum(const torch::Tensor&, const torch::Tensor&) {
  TORCH_CHECK(false, name(), ": its states are made of no sum; ask adds_up() first");
}

}  // namespace reckon
