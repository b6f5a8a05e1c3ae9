#include "training/adam.h"

#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>

#include "kernels/row_update.h"

namespace reckon {

namespace {

template <class Options>
void describe_adam(Schema<Options>& schema) {
  schema.field("lr", &Options::lr).positive().doc("Learning rate.");
  schema.field("betas", &Options::betas)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Decay of the running means of the gradient and of its square.");
  schema.field("eps", &Options::eps).positive().doc("Added to the root of the mean square.");
}

template <class Options>
LazyAdamOptions lazy(const Options& options, double lr, double weight_decay) {
  return {.lr = lr,
          .beta1 = options.betas[0],
          .beta2 = options.betas[1],
          .eps = options.eps,
          .weight_decay = weight_decay};
}

template <class Options>
DeferredAdam::Options deferred(const Options& options) {
  return {.beta1 = options.betas[0], .beta2 = options.betas[1], .eps = options.eps};
}

}  // namespace

Adam::Adam(const Options& options, const Deps& deps)
    : Optimizer(deps, deferred(options)), options_(options) {}

AdamW::AdamW(const Options& options, const Deps& deps)
    : Optimizer(deps, deferred(options)), options_(options) {}

void Adam::Options::describe(Schema<Options>& schema) {
  describe_adam(schema);
  schema.field("weight_decay", &Options::weight_decay)
      .at_least(0.0)
      .doc("L2 term of the gradient; for sparse tables only on the rows of a step.");
}

std::vector<Optimizer::StateSpec> Adam::state_specs(bool) const {
  return {{.name = "exp_avg"}, {.name = "exp_avg_sq"}};
}

void Adam::update(const DensePieces& p) const {
  at::_fused_adam_(p.weights, p.gradients, p.states[0], p.states[1], {}, p.steps, p.lr,
                   options_.betas[0], options_.betas[1], p.weight_decay, options_.eps,
                   /*amsgrad=*/false, /*maximize=*/false);
}

void Adam::update_rows(const RowPieces& p) const {
  row_lazy_adam(p.weight, p.states[0], p.states[1], p.rows, p.values, p.step,
                lazy(options_, p.lr, p.weight_decay));
}

void AdamW::Options::describe(Schema<Options>& schema) {
  describe_adam(schema);
  schema.field("weight_decay", &Options::weight_decay)
      .at_least(0.0)
      .doc("Each step shrinks weights by lr times this; of sparse tables only the rows of a step.");
}

std::vector<Optimizer::StateSpec> AdamW::state_specs(bool) const {
  return {{.name = "exp_avg"}, {.name = "exp_avg_sq"}};
}

void AdamW::update(const DensePieces& p) const {
  at::_fused_adamw_(p.weights, p.gradients, p.states[0], p.states[1], {}, p.steps, p.lr,
                    options_.betas[0], options_.betas[1], p.weight_decay, options_.eps,
                    /*amsgrad=*/false, /*maximize=*/false);
}

void AdamW::update_rows(const RowPieces& p) const {
  if (p.weight_decay > 0.0)
    subtract_rows(p.weight, p.rows, p.weight.index_select(0, p.rows) * (p.lr * p.weight_decay));
  row_lazy_adam(p.weight, p.states[0], p.states[1], p.rows, p.values, p.step,
                lazy(options_, p.lr, 0.0));
}

}  // namespace reckon
