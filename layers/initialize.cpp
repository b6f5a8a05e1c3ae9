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

}  // namespace reckon
