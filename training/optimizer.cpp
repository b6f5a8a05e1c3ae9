#include "training/optimizer.h"

#include <torch/nn/module.h>

#include "layers/embedding_table.h"
#include "training/misfit.h"

namespace reckon {

namespace {

constexpr int64_t kPieceSize = 128 * 1024;  // a multiple of every vector's length
constexpr int64_t kRowsPerPiece = 2048;
constexpr int64_t kMostOpenSteps = 64;  // after which all rows make theirs, shared by all threads

std::string last_part(const std::string& path) {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? path : path.substr(dot + 1);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool has_role(ParameterRole role, const torch::nn::Module& module, const std::string& module_path,
              const std::string& parameter) {
  switch (role) {
    case ParameterRole::kBiases:
      // A table of one number for each id is a bias too.
      return contains(parameter, "bias") || contains(last_part(module_path), "bias");
    case ParameterRole::kNorms:
      return contains(module.name(), "Norm");
    case ParameterRole::kEmbeddings:
      return module.as<EmbeddingTableImpl>() != nullptr;
  }
  return false;
}

std::string state_name(const std::string& state, const std::string& parameter) {
  return state + "/" + parameter;
}

}  // namespace

void ParameterGroup::describe(Schema<ParameterGroup>& schema) {
  schema.field("parameters", &ParameterGroup::parameters)
      .required()
      .non_empty()
      .doc("Names, in which * stands for any text, such as encoder.*.bias.");
  schema.field("lr_scale", &ParameterGroup::lr_scale)
      .at_least(0.0)
      .doc("Their learning rate is this times the optimiser's.");
  schema.field("weight_decay", &ParameterGroup::weight_decay)
      .at_least(0.0)
      .doc("Their weight decay, in place of the optimiser's.");
}

void Optimizer::Common::describe(Schema<Common>& schema) {
  schema.field("no_decay", &Common::no_decay).doc("Kinds of parameters without weight decay.");
  schema.field("groups", &Common::groups)
      .doc("Parameters updated in their own way; the first group that names one holds.");
}

bool matches(const std::string& name, const std::string& pattern) {
  size_t n = 0, p = 0, star = std::string::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<OptimizedParameter> trained_parameters(const torch::nn::Module& model,
                                                   const Optimizer::Common& common) {
  std::vector<OptimizedParameter> parameters;
  std::vector<std::string> names;
  std::vector<std::vector<bool>> used;
  for (const auto& group : common.groups) used.emplace_back(group.parameters.size(), false);

  const auto visit = [&](const torch::nn::Module& module, const std::string& path,
                         const std::shared_ptr<EmbeddingTableImpl>& table) {
    for (const auto& item : module.named_parameters(/*recurse=*/false)) {
      if (!item.value().requires_grad()) continue;
      OptimizedParameter parameter;
      parameter.name = path.empty() ? item.key() : path + "." + item.key();
      parameter.tensor = item.value();
      parameter.table = table;
      if (table && !table->is_sparse()) parameter.row_sums = RowSums::kNever;
      for (const auto role : common.no_decay)
        if (has_role(role, module, path, item.key())) parameter.weight_decay = 0.0;
      bool is_grouped = false;
      for (size_t g = 0; g < common.groups.size(); ++g)
        for (size_t p = 0; p < common.groups[g].parameters.size(); ++p) {
          if (!matches(parameter.name, common.groups[g].parameters[p])) continue;
          used[g][p] = true;
          if (is_grouped) continue;
          is_grouped = true;
          parameter.lr_scale = common.groups[g].lr_scale;
          if (common.groups[g].weight_decay) parameter.weight_decay = common.groups[g].weight_decay;
        }
      names.push_back(parameter.name);
      parameters.push_back(std::move(parameter));
    }
  };
  visit(model, "", nullptr);
  for (const auto& child : model.named_modules("", /*include_self=*/false))
    visit(*child.value(), child.key(),
          std::dynamic_pointer_cast<EmbeddingTableImpl>(child.value()));

  std::vector<Misfit> misfits;
  for (size_t g = 0; g < used.size(); ++g)
    for (size_t p = 0; p < used[g].size(); ++p)
      if (!used[g][p])
        misfits.push_back(
            {"groups[" + std::to_string(g) + "].parameters[" + std::to_string(p) + "]",
             "no trained parameter is called '" + common.groups[g].parameters[p] + "'",
             "there are: " + join(names)});
  if (!misfits.empty()) throw MisfitError(std::move(misfits));
  return parameters;
}

Optimizer::Optimizer(const Deps& deps, const std::optional<DeferredAdam::Options>& deferred)
    : parameters_(deps.parameters), slots_(deps.parameters.size()), deferred_(deferred) {
  for (auto& parameter : parameters_) {
    TORCH_CHECK(parameter.tensor.is_contiguous(), "Optimizer: expected a contiguous parameter `",
                parameter.name, "`");
    if (deferred && parameter.row_sums == RowSums::kNever && parameter.table &&
        DeferredAdam::can_move(parameter.tensor))
      parameter.row_sums = RowSums::kFew;
  }
}

Optimizer::~Optimizer() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].deferred) continue;
    slots_[i].deferred->settle(0, slots_[i].deferred->num_rows());
    parameters_[i].table->set_before_reads({});
  }
}

DeferredAdam& Optimizer::deferred_of(size_t index) {
  auto& own = slots_[index].deferred;
  if (own) return *own;
  const auto& parameter = parameters_[index];
  auto options = *deferred_;
  (is_decay_decoupled() ? options.decay : options.l2) =
      parameter.weight_decay.value_or(weight_decay());
  own = std::make_unique<DeferredAdam>(options);
  parameter.table->set_before_reads(
      {.rows = [moved = own.get()](const torch::Tensor& rows) { moved->settle(rows); },
       .range = [moved = own.get()](int64_t begin, int64_t end) { moved->settle(begin, end); }});
  return *own;
}

void Optimizer::settle(WorkerPool& workers) {
  struct Block {
    DeferredAdam* deferred;
    int64_t begin, end;
  };
  std::vector<Block> blocks;
  for (const auto& slot : slots_) {
    if (!slot.deferred || slot.deferred->num_open() == 0) continue;
    for (int64_t begin = 0; begin < slot.deferred->num_rows(); begin += kRowsPerPiece)
      blocks.push_back({slot.deferred.get(), begin, begin + kRowsPerPiece});
  }
  workers.run(static_cast<int64_t>(blocks.size()),
              [&](int64_t b) { blocks[b].deferred->settle(blocks[b].begin, blocks[b].end); });
  for (const auto& slot : slots_)
    if (slot.deferred) slot.deferred->clear();
}

torch::Tensor Optimizer::make_state(size_t index, const StateSpec& spec) const {
  const auto& weight = parameters_[index].tensor;
  auto shape = weight.sizes().vec();
  if (spec.row_wise) shape.resize(1);
  return torch::full(shape, spec.initial, weight.options().requires_grad(false));
}

void Optimizer::prepare(size_t index, bool is_sparse) {
  auto& slot = slots_[index];
  const auto& weight = parameters_[index].tensor;
  if (!slot.step.defined()) {
    // Torch's fused operations read the count from a tensor of this type.
    slot.step = torch::zeros({}, torch::kFloat);
    slot.specs = state_specs(is_sparse && weight.dim() > 1);
    for (const auto& spec : slot.specs) slot.states.push_back(make_state(index, spec));
  }
  for (size_t s = 0; s < slot.states.size(); ++s) {
    auto& state = slot.states[s];
    if (state.dim() == 0 || state.size(0) == weight.size(0)) continue;
    TORCH_CHECK(state.size(0) < weight.size(0), "Optimizer: parameter `", parameters_[index].name,
                "` has shrunk from ", state.size(0), " rows to ", weight.size(0));
    auto grown = make_state(index, slot.specs[s]);
    grown.slice(0, 0, state.size(0)).copy_(state);
    state = grown;
  }
  slot.step += 1;
}

void Optimizer::step(const std::vector<Gradient>& gradients, double lr_factor,
                     WorkerPool& workers) {
  TORCH_CHECK(gradients.size() == parameters_.size(), "Optimizer: expected ", parameters_.size(),
              " gradients, got ", gradients.size());
  const torch::NoGradGuard no_grad;
  std::vector<DensePieces> dense;
  std::vector<RowPieces> rows;
  int64_t open_size = kPieceSize;  // of the newest group of small parameters
  bool is_settled = true;
  for (size_t i = 0; i < gradients.size(); ++i)
    if (const auto& deferred = slots_[i].deferred)
      is_settled = is_settled && !gradients[i].is_dense() && deferred->num_open() < kMostOpenSteps;
  if (!is_settled) settle(workers);

  const auto add_dense = [&](size_t index, const torch::Tensor& gradient) {
    const auto& parameter = parameters_[index];
    const auto& slot = slots_[index];
    TORCH_CHECK(gradient.sizes() == parameter.tensor.sizes(), "Optimizer: expected a gradient of ",
                parameter.tensor.sizes(), " for `", parameter.name, "`, got ", gradient.sizes());
    const double lr = this->lr() * lr_factor * parameter.lr_scale;
    const double decay = parameter.weight_decay.value_or(weight_decay());
    const auto weight = parameter.tensor.detach().view(-1);  // [numel]
    const int64_t size = weight.is_cpu() ? kPieceSize : std::max<int64_t>(1, weight.numel());
    for (int64_t begin = 0; begin < weight.numel(); begin += size) {
      const int64_t count = std::min(size, weight.numel() - begin);
      if (dense.empty() || open_size + count > size || dense.back().lr != lr ||
          dense.back().weight_decay != decay ||
          dense.back().weights.front().options().type_equal(weight.options()) == false ||
          dense.back().states.size() != slot.states.size()) {
        dense.push_back({.lr = lr, .weight_decay = decay});
        dense.back().states.resize(slot.states.size());
        open_size = 0;
      }
      open_size += count;
      auto& pieces = dense.back();
      pieces.weights.push_back(weight.narrow(0, begin, count));
      pieces.gradients.push_back(gradient.view(-1).narrow(0, begin, count));
      pieces.steps.push_back(slot.step);
      for (size_t s = 0; s < slot.states.size(); ++s)
        pieces.states[s].push_back(slot.states[s].view(-1).narrow(0, begin, count));
    }
  };
  const auto add_rows = [&](size_t index, const torch::Tensor& ids, const torch::Tensor& values) {
    const auto& parameter = parameters_[index];
    const auto& slot = slots_[index];
    DeferredAdam* deferred = nullptr;
    if (parameter.row_sums == RowSums::kFew) {
      deferred = &deferred_of(index);
      deferred->begin_step(parameter.tensor.detach(), slot.states[0], slot.states[1],
                           slot.step.item<int64_t>(), this->lr() * lr_factor * parameter.lr_scale);
    }
    for (int64_t begin = 0; begin < ids.size(0); begin += kRowsPerPiece) {
      const int64_t end = std::min(begin + kRowsPerPiece, ids.size(0));
      rows.push_back({.table = parameter.table,
                      .deferred = deferred,
                      .weight = parameter.tensor.detach(),
                      .rows = ids.slice(0, begin, end),
                      .values = values.slice(0, begin, end),
                      .states = slot.states,
                      .step = slot.step.item<int64_t>(),
                      .lr = this->lr() * lr_factor * parameter.lr_scale,
                      .weight_decay = parameter.weight_decay.value_or(weight_decay())});
    }
  };

  for (size_t i = 0; i < gradients.size(); ++i) {
    const auto& gradient = gradients[i];
    if (!gradient.is_defined()) continue;
    prepare(i, gradient.is_sparse());
    bool is_row_wise = false;
    for (const auto& spec : slots_[i].specs) is_row_wise = is_row_wise || spec.row_wise;
    if (gradient.is_sparse()) {
      add_rows(i, gradient.rows, gradient.values);
    } else if (is_row_wise) {
      add_rows(i, torch::arange(gradient.dense.size(0), torch::kLong), gradient.dense);
    } else {
      add_dense(i, gradient.dense);
    }
  }
  const auto num_dense = static_cast<int64_t>(dense.size());
  workers.run(num_dense + static_cast<int64_t>(rows.size()), [&](int64_t t) {
    const torch::NoGradGuard no_grad_here;
    if (t < num_dense) {
      update(dense[t]);
      return;
    }
    auto piece = rows[t - num_dense];
    if (!piece.table) {
      update_rows(piece);
      return;
    }
    piece.table->apply_gradient(piece.rows, piece.values,
                                [&](const torch::Tensor& weight, const torch::Tensor& ids,
                                    const torch::Tensor& values) {
                                  if (piece.deferred != nullptr) {
                                    piece.deferred->step_rows(ids, values);
                                    return;
                                  }
                                  piece.weight = weight;
                                  piece.rows = ids;
                                  piece.values = values;
                                  update_rows(piece);
                                });
  });
}

std::map<std::string, torch::Tensor> Optimizer::state() {
  WorkerPool own(1);
  settle(own);
  std::map<std::string, torch::Tensor> state;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const auto& slot = slots_[i];
    if (!slot.step.defined()) continue;
    const auto& name = parameters_[i].name;
    state[state_name("step", name)] = slot.step;
    for (size_t s = 0; s < slot.states.size(); ++s)
      state[state_name(slot.specs[s].name, name)] = slot.states[s];
  }
  return state;
}

void Optimizer::load(const std::map<std::string, torch::Tensor>& state) {
  const torch::NoGradGuard no_grad;
  std::vector<Slot> slots(slots_.size());
  size_t num_used = 0;
  const auto find = [&](const std::string& name, const std::string& parameter) {
    const auto found = state.find(state_name(name, parameter));
    return found == state.end() ? torch::Tensor() : found->second;
  };
  for (size_t i = 0; i < slots.size(); ++i) {
    auto& slot = slots[i];
    const auto& name = parameters_[i].name;
    const auto step = find("step", name);
    if (!step.defined()) continue;
    if (step.dim() != 0)
      throw std::invalid_argument("the step count of `" + name + "` is no scalar");
    slot.step = step.detach().to(torch::kCPU, torch::kFloat).clone();
    ++num_used;
    // Which of the two forms it was shows in the shapes.
    const auto fits = [&](const std::vector<StateSpec>& specs) {
      for (const auto& spec : specs) {
        const auto saved = find(spec.name, name);
        if (!saved.defined() || saved.sizes() != make_state(i, spec).sizes()) return false;
      }
      return true;
    };
    slot.specs = state_specs(false);
    if (!fits(slot.specs)) slot.specs = state_specs(true);
    if (!fits(slot.specs))
      throw std::invalid_argument("the optimiser's state of `" + name +
                                  "` is missing or has another shape");
    for (const auto& spec : slot.specs) {
      auto own = make_state(i, spec);
      own.copy_(find(spec.name, name));
      slot.states.push_back(own);
      ++num_used;
    }
  }
  if (num_used != state.size())
    throw std::invalid_argument("the optimiser's state speaks of parameters that are not here");
  for (size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].deferred) parameters_[i].table->set_before_reads({});
  slots_ = std::move(slots);
}

}  // namespace reckon
