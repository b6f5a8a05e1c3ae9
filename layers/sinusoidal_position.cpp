#include "layers/sinusoidal_position.h"

#include <cmath>

namespace reckon {

void SinusoidalPosition::Options::describe(Schema<Options>& schema) {
  schema.field("scale", &Options::scale)
      .positive()
      .doc("Amplitude of the waves; they are not trained.");
}

SinusoidalPosition::SinusoidalPosition(const Options& options, const Deps& deps) {
  const int64_t num_pairs = (deps.width + 1) / 2;
  const auto pair = torch::arange(num_pairs, torch::kDouble);  // [D / 2]
  const auto frequency = (pair * (-2.0 * std::log(1e4) / static_cast<double>(deps.width))).exp();
  const auto distance = torch::arange(deps.max_length, torch::kDouble).unsqueeze(1);  // [L, 1]
  const auto angle = distance * frequency;                                            // [L, D / 2]
  const auto waves = at::stack({angle.sin(), angle.cos()}, 2).flatten(1);  // [L, D or D + 1]
  table_ = register_buffer(
      "table",
      (waves.slice(1, 0, deps.width) * options.scale).to(torch::kFloat).contiguous());  // [L, D]
}

torch::Tensor SinusoidalPosition::forward(const torch::Tensor& x) {
  return add_positions(x, table_, "SinusoidalPosition");  // [B, T, D]
}

}  // namespace reckon
