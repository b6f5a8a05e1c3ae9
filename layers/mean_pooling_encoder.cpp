#include "layers/mean_pooling_encoder.h"

namespace reckon {

void MeanPoolingEncoder::Options::describe(Schema<Options>& schema) {
  schema.field("decay", &Options::decay)
      .positive()
      .at_most(1.0)
      .doc("Weight of an item relative to the one after it; 1 is the plain mean.");
}

torch::Tensor MeanPoolingEncoder::forward(const torch::Tensor& x, const torch::Tensor& valid) {
  TORCH_CHECK(x.dim() == 3 && x.size(2) == width_ && valid.dim() == 2,
              "MeanPoolingEncoder: expected x [B, T, ", width_, "] and valid [B, T], got ",
              x.sizes(), " and ", valid.sizes());
  const auto count = valid.to(torch::kLong).cumsum(1);  // [B, T]
  if (options_.decay == 1.0) {
    const auto sums = (x * valid.unsqueeze(-1)).cumsum(1);  // [B, T, D]
    return sums / count.clamp_min(1).unsqueeze(-1);         // [B, T, D]
  }
  const auto step = at::ones_like(valid, torch::kLong).cumsum(1);  // [B, T]
  const auto seen =
      step.unsqueeze(2).ge(step.unsqueeze(1)).logical_and(valid.unsqueeze(1));   // [B, T, T]
  const auto age = (count.unsqueeze(2) - count.unsqueeze(1)).clamp_min(0);       // [B, T, T]
  const auto weights = at::pow(options_.decay, age.to(x.scalar_type())) * seen;  // [B, T, T]
  // Where there is nothing to average the weights are zero; so is their sum, which must divide.
  const auto total = weights.sum(-1, /*keepdim=*/true).clamp_min(1e-30);  // [B, T, 1]
  return at::matmul(weights / total, x);                                  // [B, T, D]
}

torch::Tensor MeanPoolingEncoder::summands(const torch::Tensor&, const torch::Tensor& values,
                                           const torch::Tensor& valid) {
  auto weights = valid.to(values.scalar_type());  // [B, T]
  if (options_.decay != 1.0) {
    const auto count = valid.to(torch::kLong).cumsum(1);                        // [B, T]
    const auto age = count.slice(1, -1) - count;                                // [B, T]
    weights = at::pow(options_.decay, age.to(values.scalar_type())) * weights;  // [B, T]
  }
  const auto total = weights.sum(1, /*keepdim=*/true).clamp_min(1e-30);  // [B, 1]
  return values * (weights / total).unsqueeze(-1);                       // [B, T, D]
}

}  // namespace reckon
