#pragma once

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/nn/module.h>

#include <functional>
#include <vector>

namespace reckon {

using TensorFunction = std::function<torch::Tensor(const std::vector<torch::Tensor>&)>;

/// Records `function` at `example` and gives what was recorded, to be run at other sizes. The
/// parameters of `module` become constants of the recording.
inline TensorFunction record(torch::nn::Module& module, const std::vector<torch::Tensor>& example,
                             const TensorFunction& function) {
  module.eval();
  for (auto& parameter : module.parameters()) parameter.set_requires_grad(false);
  torch::jit::Stack inputs(example.begin(), example.end());
  const auto traced = torch::jit::tracer::trace(
      inputs,
      [&](torch::jit::Stack stack) -> torch::jit::Stack {
        std::vector<torch::Tensor> tensors;
        for (const auto& value : stack) tensors.push_back(value.toTensor());
        return {function(tensors)};
      },
      [](const torch::autograd::Variable&) { return std::string(); });
  auto recorded =
      std::make_shared<torch::jit::GraphFunction>("recorded", traced.first->graph, nullptr);
  return [recorded](const std::vector<torch::Tensor>& tensors) {
    torch::jit::Stack stack(tensors.begin(), tensors.end());
    recorded->run(stack);
    return stack.back().toTensor();
  };
}

}  // namespace reckon
