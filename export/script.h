#pragma once

#include <torch/csrc/jit/api/module.h>

#include <string>

namespace reckon {

/// Adds the methods of a TorchScript source to `module`.
///
/// Module::define alone resolves nothing but operators; here `torch.long`, `torch.int`, `torch.float`, `torch.double`,
/// `ValueError` and `RuntimeError` mean what they do in Python.
void define_methods(torch::jit::Module& module, const std::string& source);

/// Every `name` in `text` replaced by `value`.
std::string replaced(std::string text, const std::string& name, const std::string& value);

}  // namespace reckon
