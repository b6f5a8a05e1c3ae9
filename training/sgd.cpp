#include "training/sgd.h"

#include <ATen/ops/_fused_sgd.h>

#include "kernels/row_update.h"

namespace reckon {

void Sgd::Options::describe(Schema<Options>& schema) {
  schema.field("lr", &Options::lr).positive().doc("Learning rate.");
  schema.field("momentum", &Options::momentum)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Part of the last step that is taken again.");
  schema.field("nesterov", &Options::nesterov).doc("Look ahead along the momentum.");
  schema.field("weight_decay", &Options::weight_decay)
      .at_least(0.0)
      .doc("L2 term of the gradient; for sparse tables only on the rows of a step.");
  schema.invariant("nesterov", "needs a momentum above 0",
                   [](const Options& o) { return !o.nesterov || o.momentum > 0.0; });
}

std::vector<Optimizer::StateSpec> Sgd::state_specs(bool) const {
  if (options_.momentum == 0.0) return {};
  return {{.name = "momentum"}};
}

void Sgd::update(const DensePieces& p) const {
  // Buffers begin at zero, so that the first step is like any other.
  at::_fused_sgd_(p.weights, p.gradients, p.states.empty() ? at::TensorList{} : p.states[0],
                  p.weight_decay, options_.momentum, p.lr, /*dampening=*/0.0, options_.nesterov,
                  /*maximize=*/false, /*is_first_step=*/false);
}

void Sgd::update_rows(const RowPieces& p) const {
  if (options_.momentum == 0.0) {
    row_sgd(p.weight, p.rows, p.values, {.lr = p.lr, .weight_decay = p.weight_decay});
    return;
  }
  auto gradient = p.values;  // [R, D]
  if (p.weight_decay > 0.0)
    gradient = gradient + p.weight_decay * p.weight.index_select(0, p.rows);  // [R, D]
  const auto momentum =
      p.states[0].index_select(0, p.rows) * options_.momentum + gradient;  // [R, D]
  p.states[0].index_copy_(0, p.rows, momentum);
  const auto step =
      options_.nesterov ? gradient + options_.momentum * momentum : momentum;  // [R, D]
  p.weight.index_add_(0, p.rows, step, -p.lr);
}

}  // namespace reckon
