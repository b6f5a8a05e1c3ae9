#include "layers/rotate_scorer.h"

#include <numbers>
#include <stdexcept>

namespace reckon {

RotateScorer::RotateScorer(const Options&, const Deps& deps) {
  if (deps.width % 2 != 0)
    throw std::invalid_argument(
        "rotate takes vectors as pairs of real and imaginary parts: their "
        "width must be even, got " +
        std::to_string(deps.width));
  phases_ = register_parameter("phases", torch::empty({deps.num_relations, deps.width / 2})
                                             .uniform_(-std::numbers::pi, std::numbers::pi));
}

torch::Tensor RotateScorer::forward(const torch::Tensor& heads, const torch::Tensor& relations,
                                    const torch::Tensor& tails) {
  const auto h = heads.chunk(2, -1);                                    // two of [n, M, D / 2]
  const auto t = tails.chunk(2, -1);                                    // two of [n, M, D / 2]
  const auto phases = phases_.index_select(0, relations).unsqueeze(1);  // [n, 1, D / 2]
  const auto cosine = phases.cos(), sine = phases.sin();                // [n, 1, D / 2]
  const auto real = h[0] * cosine - h[1] * sine - t[0];                 // [n, M, D / 2]
  const auto imaginary = h[0] * sine + h[1] * cosine - t[1];            // [n, M, D / 2]
  // The length of nothing has no direction: its gradient is to be zero and not a NaN.
  constexpr double kSmallest = 1e-24;
  const auto squares = real * real + imaginary * imaginary;  // [n, M, D / 2]
  return -squares.clamp_min(kSmallest).sqrt().sum(-1);       // [n, M]
}

}  // namespace reckon
