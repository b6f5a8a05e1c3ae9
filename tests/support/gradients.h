#pragma once

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <functional>
#include <vector>

namespace reckon {

/// The gradients of `loss` as plain tensors, those of rows too; undefined where it depends on nothing.
inline std::vector<torch::Tensor> dense_gradients(const torch::Tensor& loss,
                                                  const std::vector<torch::Tensor>& inputs) {
  auto gradients = torch::autograd::grad({loss}, inputs, {}, std::nullopt, false, true);
  for (auto& gradient : gradients)
    if (gradient.defined()) gradient = gradient.to_dense();
  return gradients;
}

/// Compares autograd with central differences, element by element, in float64.
///
/// `function` gives a scalar of `inputs`; it must be the same function at every call.
inline void expect_gradients(
    const std::function<torch::Tensor(const std::vector<torch::Tensor>&)>& function,
    const std::vector<torch::Tensor>& inputs, double step = 1e-6, double tolerance = 1e-6) {
  std::vector<torch::Tensor> leaves;
  for (const auto& input : inputs) {
    ASSERT_EQ(input.scalar_type(), torch::kDouble);
    leaves.push_back(input.detach().clone().requires_grad_());
  }
  const auto analytic = torch::autograd::grad({function(leaves)}, leaves, {}, std::nullopt, false,
                                              /*allow_unused=*/true);
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < leaves.size(); ++i) {
    auto flat = leaves[i].detach().view(-1);
    for (int64_t j = 0; j < flat.numel(); ++j) {
      const double at = flat[j].item<double>();
      flat[j] = at + step;
      const double above = function(leaves).item<double>();
      flat[j] = at - step;
      const double below = function(leaves).item<double>();
      flat[j] = at;
      const double numeric = (above - below) / (2.0 * step);
      const double exact =
          analytic[i].defined() ? analytic[i].contiguous().view(-1)[j].item<double>() : 0.0;
      EXPECT_NEAR(exact, numeric, tolerance * std::max(1.0, std::abs(numeric)))
          << "input " << i << ", element " << j;
    }
  }
}

/// Each parameter's gradient of a scalar against central differences at up to `samples` elements.
/// The module must already be in float64.
template <class Module>
void expect_parameter_gradients(Module& module, const std::function<torch::Tensor()>& function,
                                int64_t samples = 4, double step = 1e-6, double tolerance = 1e-5) {
  const auto named = module.named_parameters();
  std::vector<torch::Tensor> parameters;
  for (const auto& item : named) parameters.push_back(item.value());
  const auto analytic = torch::autograd::grad({function()}, parameters, {}, std::nullopt, false,
                                              /*allow_unused=*/true);
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters.size(); ++i) {
    ASSERT_TRUE(analytic[i].defined()) << named[i].key() << " has no gradient";
    auto flat = parameters[i].detach().view(-1);
    const int64_t stride = std::max<int64_t>(1, flat.numel() / samples);
    for (int64_t j = 0; j < flat.numel(); j += stride) {
      const double at = flat[j].item<double>();
      flat[j] = at + step;
      const double above = function().template item<double>();
      flat[j] = at - step;
      const double below = function().template item<double>();
      flat[j] = at;
      const double numeric = (above - below) / (2.0 * step);
      EXPECT_NEAR(analytic[i].contiguous().view(-1)[j].template item<double>(), numeric,
                  tolerance * std::max(1.0, std::abs(numeric)))
          << named[i].key() << "[" << j << "]";
    }
  }
}

}  // namespace reckon
