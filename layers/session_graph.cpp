#include "layers/session_graph.h"

#include "layers/initialize.h"

namespace reckon {

namespace {

constexpr int64_t kGates = 3;

// What stands one step before, and zero before the first.   Shapes   x [B, T, ...] -> [B, T, ...]
torch::Tensor from_before(const torch::Tensor& x) {
  return at::cat({at::zeros_like(x.narrow(1, 0, 1)), x.slice(1, 0, -1)}, 1);
}

// What stands one step after, and zero after the last.   Shapes   x [B, T, ...] -> [B, T, ...]
torch::Tensor from_after(const torch::Tensor& x) {
  return at::cat({x.slice(1, 1), at::zeros_like(x.narrow(1, 0, 1))}, 1);
}

// Shapes   input, state [..., 3 D], h [..., D] -> [..., D]
torch::Tensor gated(const torch::Tensor& input, const torch::Tensor& state,
                    const torch::Tensor& h) {
  const auto a = input.chunk(kGates, -1), u = state.chunk(kGates, -1);  // [..., D] three times each
  const auto reset = at::sigmoid(a[0] + u[0]);                          // [..., D]
  const auto update = at::sigmoid(a[1] + u[1]);                         // [..., D]
  const auto candidate = at::tanh(a[2] + reset * u[2]);                 // [..., D]
  return h + update * (candidate - h);                                  // [..., D]
}

}  // namespace

/// Which steps hold one item, and which lie in which prefix, as zeros and ones to multiply with.
struct SessionGraphImpl::Steps {
  Prefixes prefixes;
  torch::Tensor same;      // [B, T, T] whether two steps hold the same item
  torch::Tensor so_far;    // [B, T, T] the same, for steps up to one's own
  torch::Tensor earlier;   // [B, P, T] whether a step stands before the newest of the prefix
  torch::Tensor has_edge;  // [B, T] whether an edge leads to the step from the one before

  // The rows that prefixes end with.   Shapes   x [B, T, ...] -> [B, P, ...]
  torch::Tensor ends(const torch::Tensor& x) const {
    return prefixes == Prefixes::kAll ? x : x.slice(1, -1);
  }
};

SessionGraphImpl::SessionGraphImpl(int64_t width, int64_t steps) : width_(width), steps_(steps) {
  incoming_ = register_module("incoming", torch::nn::Linear(width, width));
  outgoing_ = register_module("outgoing", torch::nn::Linear(width, width));
  input_ = register_module("input", torch::nn::Linear(2 * width, kGates * width));
  state_ = register_module("state", torch::nn::Linear(width, kGates * width));
  xavier_uniform(incoming_);
  xavier_uniform(outgoing_);
  xavier_uniform(input_, kGates);
  xavier_uniform(state_, kGates);
}

SessionStates SessionGraphImpl::forward(const torch::Tensor& x, const torch::Tensor& valid,
                                        const torch::Tensor& ids, Prefixes prefixes) {
  TORCH_CHECK(x.dim() == 3 && x.size(2) == width_ && valid.dim() == 2 &&
                  (!ids.defined() || ids.sizes() == valid.sizes()),
              "SessionGraph: expected x [B, T, ", width_, "], valid [B, T] and ids [B, T], got ",
              x.sizes(), ", ", valid.sizes(), " and ",
              ids.defined() ? ids.sizes() : at::IntArrayRef());
  const auto items = ids.defined() ? ids : at::ones_like(valid, torch::kLong).cumsum(1);  // [B, T]
  const auto same = items.unsqueeze(2)
                        .eq(items.unsqueeze(1))
                        .logical_and(valid.unsqueeze(2))
                        .logical_and(valid.unsqueeze(1))
                        .to(x.scalar_type());  // [B, T, T]
  const auto ones = at::ones_like(same);       // [B, T, T]
  Steps steps{.prefixes = prefixes, .same = same, .so_far = same.tril()};
  steps.earlier = steps.ends(ones.tril(-1));                // [B, P, T]
  steps.has_edge = from_before(valid.to(x.scalar_type()));  // [B, T]
  const auto count = steps.so_far.sum(2);                   // [B, T]
  const auto count_in_prefix = prefixes == Prefixes::kAll
                                   ? same.cumsum(2).transpose(1, 2)  // [B, T, T]
                                   : same.sum(2).unsqueeze(1);       // [B, 1, T]
  auto h = x;                                                        // [B, T, D]
  if (ids.defined())
    h = x.gather(1, steps.so_far.argmax(2).unsqueeze(-1).expand_as(x));  // [B, T, D]

  SessionStates states;
  states.newest_count = steps.ends(count);  // [B, P]
  // A step is its item's last where the item stands as often in the prefix as up to the step.
  states.counts =
      count_in_prefix.eq(count.unsqueeze(1)) * count.unsqueeze(1) * steps.earlier;  // [B, P, T]
  states.is_newest = steps.ends(ones.tril().triu()).to(torch::kBool);               // [B, P, T]
  if (steps_ == 1)
    add_one_step(states, h, steps);
  else
    add_several_steps(states, h, steps);
  return states;
}

void SessionGraphImpl::add_one_step(SessionStates& states, const torch::Tensor& h,
                                    const Steps& steps) {
  const auto& so_far = steps.so_far;                                  // [B, T, T]
  const auto until = steps.ends(so_far.tril(-1));                     // [B, P, T]
  const auto has_edge = steps.has_edge.unsqueeze(-1);                 // [B, T, 1]
  const auto before = from_before(incoming_->forward(h)) * has_edge;  // [B, T, D]
  const auto after = from_after(outgoing_->forward(h));               // [B, T, D]
  const auto in_degree = at::matmul(so_far, has_edge).clamp_min(1);   // [B, T, 1]
  const auto in = at::matmul(so_far, before) / in_degree;             // [B, T, D]
  // To the newest item's successor no edge leads yet.
  const auto out_of_newest =
      at::matmul(until, after) / until.sum(2, /*keepdim=*/true).clamp_min(1);  // [B, P, D]
  const auto out_of_others =
      at::matmul(so_far, after) / so_far.sum(2, /*keepdim=*/true).clamp_min(1);  // [B, T, D]

  const auto of_in = input_->weight.slice(1, 0, width_);     // [3 D, D]
  const auto of_out = input_->weight.slice(1, width_);       // [3 D, D]
  const auto from_in = at::linear(in, of_in, input_->bias);  // [B, T, 3 D]
  const auto from_state = state_->forward(h);                // [B, T, 3 D]
  states.newest = gated(steps.ends(from_in) + at::linear(out_of_newest, of_out),
                        steps.ends(from_state), steps.ends(h));                       // [B, P, D]
  states.others = gated(from_in + at::linear(out_of_others, of_out), from_state, h);  // [B, T, D]
}

void SessionGraphImpl::add_several_steps(SessionStates& states, const torch::Tensor& h,
                                         const Steps& steps) {
  // States lie as [B, T, P, D], so that one product sums over the steps of all prefixes.
  const auto earlier = steps.earlier.transpose(1, 2);                    // [B, T, P]
  const auto inside = earlier + states.is_newest.transpose(1, 2);        // [B, T, P]
  const auto leads_in = inside * steps.has_edge.unsqueeze(-1);           // [B, T, P]
  const auto in_degree = at::matmul(steps.same, leads_in).clamp_min(1);  // [B, T, P]
  const auto out_degree = at::matmul(steps.same, earlier).clamp_min(1);  // [B, T, P]
  const auto mean = [&](const torch::Tensor& vectors, const torch::Tensor& kept,
                        const torch::Tensor& degree) {
    const auto edges = vectors * kept.unsqueeze(-1);                // [B, T, P, D]
    const auto sums = at::matmul(steps.same, edges.flatten(2));     // [B, T, P * D]
    return sums.unflatten(2, {-1, width_}) / degree.unsqueeze(-1);  // [B, T, P, D]
  };
  auto state = h.unsqueeze(2) * inside.unsqueeze(-1);  // [B, T, P, D]
  for (int64_t step = 0; step < steps_; ++step) {
    const auto in = mean(from_before(incoming_->forward(state)), leads_in, in_degree);
    const auto out = mean(from_after(outgoing_->forward(state)), earlier, out_degree);
    state = gated(input_->forward(at::cat({in, out}, -1)), state_->forward(state),
                  state);  // [B, T, P, D]
  }
  states.others = state.transpose(1, 2);  // [B, P, T, D]
  states.newest = steps.prefixes == Prefixes::kAll
                      ? state.diagonal(0, 1, 2).transpose(1, 2)  // [B, T, D]
                      : state.select(1, -1);                     // [B, 1, D]
}

}  // namespace reckon
