#include "export/mirror.h"

#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/utils.h>

#include <map>
#include <set>

namespace reckon {

torch::jit::Module mirror(const torch::nn::Module& module, const std::string& class_name,
                          std::shared_ptr<torch::jit::CompilationUnit> unit) {
  torch::jit::Module out(c10::QualifiedName(class_name), unit, /*shouldMangle=*/true);
  out.register_attribute("training", c10::BoolType::get(), false);
  for (const auto& entry : module.named_parameters(/*recurse=*/false))
    out.register_parameter(entry.key(), entry.value(), /*is_buffer=*/false);
  for (const auto& entry : module.named_buffers(/*recurse=*/false))
    if (entry.value().defined()) out.register_buffer(entry.key(), entry.value());
  for (const auto& entry : module.named_children())
    out.register_module(entry.key(), mirror(*entry.value(), class_name + "_" + entry.key(), unit));
  return out;
}

void trace_method(
    torch::jit::Module& mirror, const std::string& name, const std::vector<torch::Tensor>& examples,
    const std::function<std::vector<torch::Tensor>(const std::vector<torch::Tensor>&)>& function) {
  const torch::NoGradGuard no_grad;
  const auto traced = torch::jit::tracer::trace(
      torch::jit::Stack(examples.begin(), examples.end()),
      [&](torch::jit::Stack inputs) -> torch::jit::Stack {
        std::vector<torch::Tensor> arguments;
        for (const auto& input : inputs) arguments.push_back(input.toTensor());
        const auto results = function(arguments);
        for (const auto& result : results)
          TORCH_CHECK(result.defined(), name, ": an undefined tensor cannot be exported");
        if (results.size() == 1) return {results[0]};
        return {
            c10::ivalue::Tuple::create(std::vector<c10::IValue>(results.begin(), results.end()))};
      },
      [](const torch::Tensor&) { return std::string(); }, /*strict=*/false,
      /*force_outplace=*/false, &mirror);
  const auto graph = traced.first->graph;
  torch::jit::EliminateDeadCode(graph);
  const auto method = mirror._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*mirror.type()->name(), name), graph);
  mirror.type()->addMethod(method);
}

namespace {

// Adds the paths, such as "encoder.weight", of all attributes that a block reads.
void collect_reads(const torch::jit::Block* block,
                   std::map<const torch::jit::Value*, std::string>& path_of,
                   std::set<std::string>& reads) {
  for (const auto* node : block->nodes()) {
    if (node->kind() == c10::prim::GetAttr) {
      const auto from = path_of.find(node->input());
      if (from != path_of.end()) {
        const auto& name = node->s(c10::attr::name);
        const auto path = from->second.empty() ? name : from->second + "." + name;
        path_of[node->output()] = path;
        reads.insert(path);
      }
    }
    for (const auto* inner : node->blocks()) collect_reads(inner, path_of, reads);
  }
}

void empty_all_but(torch::jit::Module module, const std::string& prefix,
                   const std::set<std::string>& reads) {
  const auto empty = [&](const std::string& name, const torch::Tensor& tensor) {
    if (reads.count(prefix + name) > 0 || !tensor.defined()) return;
    module.setattr(name, torch::empty({0}, tensor.options().requires_grad(false)));
  };
  for (const auto& entry : module.named_parameters(/*recurse=*/false))
    empty(entry.name, entry.value);
  for (const auto& entry : module.named_buffers(/*recurse=*/false)) empty(entry.name, entry.value);
  for (const auto& entry : module.named_children())
    empty_all_but(entry.value, prefix + entry.name + ".", reads);
}

}  // namespace

void drop_unread(torch::jit::Module& mirror) {
  std::set<std::string> reads;
  for (const auto& method : mirror.get_methods()) {
    std::map<const torch::jit::Value*, std::string> path_of;
    const auto graph = method.graph();
    path_of[graph->inputs().at(0)] = "";
    collect_reads(graph->block(), path_of, reads);
  }
  empty_all_but(mirror, "", reads);
}

InferenceScope::InferenceScope(torch::nn::Module& module) {
  const auto own = module.modules(/*include_self=*/false);
  training_.reserve(own.size());
  for (const auto& child : own) training_.emplace_back(child, child->is_training());
  self_ = &module;
  self_training_ = module.is_training();
  for (const auto& parameter : module.parameters())
    requires_grad_.emplace_back(parameter, parameter.requires_grad());
  module.eval();
  for (auto& [parameter, _] : requires_grad_) parameter.set_requires_grad(false);
}

InferenceScope::~InferenceScope() {
  // train() speaks to all children, so that each child's own state is set after its parent's.
  self_->train(self_training_);
  for (const auto& [child, training] : training_) child->train(training);
  for (auto& [parameter, requires_grad] : requires_grad_)
    parameter.set_requires_grad(requires_grad);
}

}  // namespace reckon
