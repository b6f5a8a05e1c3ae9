#include "datasets/batch.h"

#include <c10/util/Exception.h>

namespace reckon {

std::string batch_key::of_stream(const char* name, size_t stream) {
  return stream == 0 ? name : std::string(name) + "_" + std::to_string(stream);
}

const torch::Tensor& Batch::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) return found->second;
  std::string held;
  for (const auto& [key, tensor] : tensors_) held += (held.empty() ? "" : ", ") + key;
  TORCH_CHECK(false, "batch: no '", name, "', it holds: ", held.empty() ? "nothing" : held);
}

torch::Tensor Batch::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? torch::Tensor() : found->second;
}

Batch Batch::to(const torch::Device& device) const {
  Batch moved(size_);
  for (const auto& [name, tensor] : tensors_) moved.tensors_[name] = tensor.to(device);
  return moved;
}

}  // namespace reckon
