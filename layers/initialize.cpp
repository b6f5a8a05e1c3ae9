#include "layers/initialize.h"

#include <cmath>

namespace reckon {

void xavier_uniform(const torch::nn::Linear& linear, int64_t parts) {
  torch::NoGradGuard no_grad;
  const auto fan_out = static_cast<double>(linear->weight.size(0) / parts);
  const auto fan_in = static_cast<double>(linear->weight.size(1));
  const double bound = std::sqrt(6.0 / (fan_in + fan_out));
  linear->weight.uniform_(-bound, bound);
  if (linear->bias.defined()) linear->bias.zero_();
}

torch::nn::Linear xavier_linear(int64_t from, int64_t to, bool has_bias) {
  torch::nn::Linear linear(torch::nn::LinearOptions(from, to).bias(has_bias));
  xavier_uniform(linear);
  return linear;
}

torch::Tensor xavier_table(int64_t rows, int64_t columns, int64_t parts) {
  const double bound = std::sqrt(6.0 / static_cast<double>(rows + columns / parts));
  return torch::empty({rows, columns}).uniform_(-bound, bound);  // [rows, columns]
}

}  // namespace reckon
