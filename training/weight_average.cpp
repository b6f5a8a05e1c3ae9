#include "training/weight_average.h"

#include <torch/utils.h>

#include <algorithm>
#include <stdexcept>

namespace reckon {

namespace {

constexpr const char* kAverage = "average/";
constexpr const char* kWeight = "weight/";

}  // namespace

WeightAverage::WeightAverage(double decay, const std::vector<OptimizedParameter>& parameters)
    : decay_(decay), parameters_(parameters) {
  TORCH_CHECK(decay > 0.0 && decay < 1.0, "WeightAverage: expected a decay in (0, 1), got ", decay);
  for (const auto& parameter : parameters_)
    averages_.push_back(parameter.tensor.detach().clone());  // [...]
}

void WeightAverage::update(int64_t num_steps) {
  const torch::NoGradGuard no_grad;
  const auto n = static_cast<double>(num_steps);
  const double decay = std::min(decay_, (1.0 + n) / (10.0 + n));
  for (size_t i = 0; i < averages_.size(); ++i)
    averages_[i].lerp_(parameters_[i].tensor.detach(), 1.0 - decay);
}

void WeightAverage::exchange() {
  const torch::NoGradGuard no_grad;
  // Content and not tensors: whoever keeps what follows from weights sees by their version that they changed.
  for (size_t i = 0; i < averages_.size(); ++i) {
    auto& weight = parameters_[i].tensor;
    const auto kept = weight.detach().clone();  // [...]
    weight.copy_(averages_[i]);
    averages_[i].copy_(kept);
  }
}

std::map<std::string, torch::Tensor> WeightAverage::state() const {
  std::map<std::string, torch::Tensor> state;
  for (size_t i = 0; i < averages_.size(); ++i) {
    state[kAverage + parameters_[i].name] = averages_[i].clone();
    state[kWeight + parameters_[i].name] = parameters_[i].tensor.detach().clone();
  }
  return state;
}

bool WeightAverage::owns(const std::string& name) {
  return name.starts_with(kAverage) || name.starts_with(kWeight);
}

void WeightAverage::load(const std::map<std::string, torch::Tensor>& state) {
  const auto found = [&](const std::string& name, const torch::Tensor& like) {
    const auto entry = state.find(name);
    if (entry == state.end())
      throw std::invalid_argument("the moving average of the weights has no `" + name + "`");
    if (entry->second.sizes() != like.sizes() || entry->second.scalar_type() != like.scalar_type())
      throw std::invalid_argument(
          "the moving average of the weights has another shape or type of `" + name + "`");
    return entry->second;
  };
  std::vector<torch::Tensor> averages, weights;
  for (const auto& parameter : parameters_) {
    averages.push_back(found(kAverage + parameter.name, parameter.tensor));
    weights.push_back(found(kWeight + parameter.name, parameter.tensor));
  }
  if (state.size() != averages.size() + weights.size())
    throw std::invalid_argument("the moving average of the weights is of other weights than these");
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < averages_.size(); ++i) {
    averages_[i].copy_(averages[i]);
    parameters_[i].tensor.copy_(weights[i]);
  }
}

}  // namespace reckon
