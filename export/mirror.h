#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace reckon {

/// A TorchScript module with the parameters, buffers and children of `module`, under the same names.
///
/// Tensors are shared, not copied. The mirror has no methods yet. Python can make one with
/// torch.jit.script; the C++ frontend has no counterpart (pytorch issues #14811, #125293).
torch::jit::Module mirror(const torch::nn::Module& module, const std::string& class_name,
                          std::shared_ptr<torch::jit::CompilationUnit> unit);

/// Runs `function` once on `examples`, records its tensor operations, and adds them to `mirror` as
/// the method `name`, which takes as many tensors and returns a tensor, or for several results a
/// tuple of them.
///
/// Operations on tensors of the mirrored module become reads of the mirror's attributes. A size that
/// was taken from an example as a C++ integer is fixed in the record: callers must compare the method
/// with the function at other sizes.
void trace_method(
    torch::jit::Module& mirror, const std::string& name, const std::vector<torch::Tensor>& examples,
    const std::function<std::vector<torch::Tensor>(const std::vector<torch::Tensor>&)>& function);

/// Empties the parameters and buffers of `mirror` that none of its methods reads, so that a file holds
/// what answers requests and no more. The mirrored module keeps its own.
void drop_unread(torch::jit::Module& mirror);

/// While it lives, a module is in evaluation mode and its parameters ask for no gradient; what was
/// before comes back after it. Tensors that ask for gradients could not be saved as plain weights.
class InferenceScope {
 public:
  explicit InferenceScope(torch::nn::Module& module);
  ~InferenceScope();
  InferenceScope(const InferenceScope&) = delete;
  InferenceScope& operator=(const InferenceScope&) = delete;

 private:
  torch::nn::Module* self_;
  bool self_training_;
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> training_;
  std::vector<std::pair<torch::Tensor, bool>> requires_grad_;
};

}  // namespace reckon
