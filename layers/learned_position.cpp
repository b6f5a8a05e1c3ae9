#include "layers/learned_position.h"

namespace reckon {

void LearnedPosition::Options::describe(Schema<Options>& schema) {
  schema.field("init", &Options::init).doc("How the vectors are drawn.");
}

LearnedPosition::LearnedPosition(const Options& options, const Deps& deps) {
  auto weight = torch::empty({deps.max_length, deps.width});  // [max_length, D]
  draw_rows(weight, options.init, deps.max_length);
  weight_ = register_parameter("weight", weight);  // [max_length, D]
}

torch::Tensor LearnedPosition::forward(const torch::Tensor& x) {
  return add_positions(x, weight_, "LearnedPosition");  // [B, T, D]
}

}  // namespace reckon
