#include "layers/mutual_information_objective.h"

#include <ATen/CPUGeneratorImpl.h>

#include "kernels/dropout.h"
#include "layers/initialize.h"
#include "layers/objective_terms.h"

namespace reckon {

namespace {

// Rows and columns each in a random order.   Shapes   x [U, D] -> [U, D]
torch::Tensor shuffled(const torch::Tensor& x) {
  const auto generator = at::detail::createCPUGenerator(next_random_key());
  const auto order_of = [&](int64_t count) {
    return at::randperm(count, generator, torch::kLong).to(x.device());  // [count]
  };
  const auto rows = order_of(x.size(0)), columns = order_of(x.size(1));  // [U], [D]
  return x.index_select(0, rows).index_select(1, columns);               // [U, D]
}

}  // namespace

MutualInformationObjective::MutualInformationObjective(const Options&, const Deps& deps) {
  gates_ = register_module("gates", torch::nn::ModuleList());
  for (int64_t c = 0; c < deps.num_channels; ++c) {
    torch::nn::Linear gate(deps.width, deps.width);
    xavier_uniform(gate);
    gates_->push_back(gate);
  }
}

LossParts MutualInformationObjective::forward(const ObjectiveInput& input) {
  TORCH_CHECK(input.all_users && input.channels.size() == gates_->size(),
              "mutual_information: expected all users and ", gates_->size(), " channels, got ",
              input.channels.size());
  const auto users = input.all_users();  // [U, D]
  auto loss = users.new_zeros({});       // []
  for (size_t c = 0; c < input.channels.size(); ++c) {
    auto& gate = *gates_[c]->as<torch::nn::Linear>();
    const auto own = users * at::sigmoid(gate.forward(users));  // [U, D]
    const auto heard = input.channels[c](own);                  // [U, D]
    const auto whole = heard.mean(0);                           // [D]
    const auto gap = heard - shuffled(heard);                   // [U, D]
    loss = loss + at::softplus(-(own * gap).sum(1)).mean() +
           at::softplus(-gap.matmul(whole)).mean();  // []
  }
  const double weight = total_weight(input);
  return {.sum = weight * loss, .weight = weight};
}

}  // namespace reckon
