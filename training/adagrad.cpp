#include "training/adagrad.h"

#include <ATen/ops/_fused_adagrad.h>

#include "kernels/row_update.h"

namespace reckon {

void Adagrad::Options::describe(Schema<Options>& schema) {
  schema.field("lr", &Options::lr).positive().doc("Learning rate.");
  schema.field("eps", &Options::eps).positive().doc("Added to the root of the sum of squares.");
  schema.field("weight_decay", &Options::weight_decay)
      .at_least(0.0)
      .doc("L2 term of the gradient; for sparse tables only on the rows of a step.");
  schema.field("initial_accumulator", &Options::initial_accumulator)
      .at_least(0.0)
      .doc("Sum of squares to begin with.");
  schema.field("row_wise", &Options::row_wise)
      .doc("Keep one accumulator for each row of a sparse table: as many numbers as rows.");
}

std::vector<Optimizer::StateSpec> Adagrad::state_specs(bool is_sparse) const {
  return {{.name = "sum",
           .row_wise = is_sparse && options_.row_wise,
           .initial = options_.initial_accumulator}};
}

void Adagrad::update(const DensePieces& p) const {
  at::_fused_adagrad_(p.weights, p.gradients, p.states[0], p.steps, p.lr, /*lr_decay=*/0.0,
                      p.weight_decay, options_.eps, /*maximize=*/false);
}

void Adagrad::update_rows(const RowPieces& p) const {
  const auto& sums = p.states[0];
  if (sums.dim() == 1 && p.weight.dim() > 1) {
    row_adagrad(p.weight, sums, p.rows, p.values,
                {.lr = p.lr, .eps = options_.eps, .weight_decay = p.weight_decay});
    return;
  }
  auto gradient = p.values;  // [R, D]
  if (p.weight_decay > 0.0)
    gradient = gradient + p.weight_decay * p.weight.index_select(0, p.rows);  // [R, D]
  const auto sum = sums.index_select(0, p.rows) + gradient.square();          // [R, D]
  sums.index_copy_(0, p.rows, sum);
  p.weight.index_add_(0, p.rows, gradient / (sum.sqrt() + options_.eps), -p.lr);
}

}  // namespace reckon
