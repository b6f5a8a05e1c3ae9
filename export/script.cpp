#include "export/script.h"

#include <c10/core/ScalarType.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/csrc/jit/ir/ir.h>

#include <map>

namespace reckon {
namespace {

namespace jit = torch::jit;

class TorchNames : public jit::BuiltinModule {
 public:
  TorchNames() : jit::BuiltinModule("aten") {}

  std::shared_ptr<jit::SugaredValue> attr(const jit::SourceRange& place, jit::GraphFunction& method,
                                          const std::string& name) override {
    static const std::map<std::string, c10::ScalarType> types = {{"long", c10::ScalarType::Long},
                                                                 {"int", c10::ScalarType::Int},
                                                                 {"double",
                                                                  c10::ScalarType::Double},
                                                                 {"float", c10::ScalarType::Float}};
    const auto type = types.find(name);
    if (type == types.end()) return jit::BuiltinModule::attr(place, method, name);
    auto* code = method.graph()->insertConstant(static_cast<int64_t>(type->second), place);
    return std::make_shared<jit::SimpleValue>(code);
  }
};

class ScriptNames : public jit::Resolver {
 public:
  std::shared_ptr<jit::SugaredValue> resolveValue(const std::string& name, jit::GraphFunction&,
                                                  const jit::SourceRange&) override {
    if (name == "torch") return std::make_shared<TorchNames>();
    if (name == "ValueError" || name == "RuntimeError")
      return std::make_shared<jit::ExceptionValue>(name);
    return nullptr;
  }
  c10::TypePtr resolveType(const std::string&, const jit::SourceRange&) override { return nullptr; }
};

}  // namespace

void define_methods(torch::jit::Module& module, const std::string& source) {
  module.define(source, std::make_shared<ScriptNames>());
}

std::string replaced(std::string text, const std::string& name, const std::string& value) {
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size()))
    text.replace(at, name.size(), value);
  return text;
}

}  // namespace reckon
