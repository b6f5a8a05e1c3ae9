#include "kernels/softmax_cross_entropy.h"

#include <torch/autograd.h>

#include <cmath>
#include <vector>

#include "kernels/exp_chunks.h"
#include "kernels/times_upstream.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

// The loss, and where `with_gradients` says so its derivatives, in one pass over chunks of queries.
struct LossAndGradients {
  double loss = 0.0;
  torch::Tensor queries;  // [P, D]
  torch::Tensor items;    // [I, D]
  torch::Tensor bias;     // [I]
};

LossAndGradients compute(const torch::Tensor& queries, const torch::Tensor& items,
                         const torch::Tensor& bias, const torch::Tensor& targets,
                         const torch::Tensor& weights, bool with_gradients) {
  const int64_t num_queries = queries.size(0), num_items = items.size(0);
  const auto* target = targets.const_data_ptr<int64_t>();
  const auto* weight = weights.defined() ? weights.const_data_ptr<float>() : nullptr;
  const auto* item_bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  std::vector<double> losses(num_queries);
  auto gradients = exp_detail::for_each_score_row(
      queries, items, bias.defined(), with_gradients, [&](int64_t p, float* row) {
        const float chosen = row[target[p]] + (item_bias == nullptr ? 0.0f : item_bias[target[p]]);
        const auto [max, sum] = exp_detail::exp_row(row, item_bias, num_items);
        const float w = weight == nullptr ? 1.0f : weight[p];
        losses[p] = w * (std::log(static_cast<double>(sum)) + max - chosen);
        return w / sum;
      });
  LossAndGradients out;
  for (const double loss : losses) out.loss += loss;
  if (!with_gradients) return out;
  out.queries = gradients.queries;
  out.items = gradients.rows;
  out.bias = gradients.bias;
  const auto chosen = items.index_select(0, targets);                             // [P, D]
  const auto w = weights.defined() ? weights.unsqueeze(1) : torch::ones({1, 1});  // [P or 1, 1]
  out.queries.sub_(chosen * w);
  out.items.index_add_(0, targets, queries * w, -1);
  if (out.bias.defined()) out.bias.index_add_(0, targets, w.squeeze(1).expand({num_queries}), -1);
  return out;
}

class FusedCrossEntropy : public torch::autograd::Function<FusedCrossEntropy> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& queries, const torch::Tensor& items,
                               const std::optional<torch::Tensor>& bias,
                               const torch::Tensor& targets,
                               const std::optional<torch::Tensor>& weights, bool with_gradients) {
    const auto made = compute(queries.contiguous(), items.contiguous(),
                              bias ? bias->contiguous() : torch::Tensor(), targets.contiguous(),
                              weights ? weights->contiguous() : torch::Tensor(), with_gradients);
    if (with_gradients) context->save_for_backward({made.queries, made.items, made.bias});
    return torch::full({}, made.loss, queries.options());  // []
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(),
                "softmax_cross_entropy: second derivatives are not offered");
    return times_upstream(context->get_saved_variables(), grads[0], 6);
  }
};

torch::Tensor plain_cross_entropy(const torch::Tensor& queries, const torch::Tensor& items,
                                  const torch::Tensor& bias, const torch::Tensor& targets,
                                  const torch::Tensor& weights) {
  auto scores = at::matmul(queries, items.t());  // [P, I]
  if (bias.defined()) scores = scores + bias;    // [P, I]
  const auto losses =
      scores.logsumexp(1) - scores.gather(1, targets.unsqueeze(1)).squeeze(1);  // [P]
  return (weights.defined() ? losses * weights : losses).sum();                 // []
}

}  // namespace

torch::Tensor softmax_cross_entropy(const torch::Tensor& queries, const torch::Tensor& items,
                                    const torch::Tensor& bias, const torch::Tensor& targets,
                                    const torch::Tensor& weights) {
  TORCH_CHECK(queries.dim() == 2 && items.dim() == 2 && queries.size(1) == items.size(1),
              "softmax_cross_entropy: expected queries [P, D] and items [I, D], got ",
              queries.sizes(), " and ", items.sizes());
  const int64_t num_queries = queries.size(0), num_items = items.size(0);
  TORCH_CHECK(targets.dim() == 1 && targets.size(0) == num_queries &&
                  targets.scalar_type() == torch::kLong,
              "softmax_cross_entropy: expected targets [", num_queries, "] int64, got ",
              targets.sizes(), " ", targets.scalar_type());
  TORCH_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == num_items),
              "softmax_cross_entropy: expected bias [", num_items, "], got ", bias.sizes());
  TORCH_CHECK(!weights.defined() || (weights.dim() == 1 && weights.size(0) == num_queries),
              "softmax_cross_entropy: expected weights [", num_queries, "], got ", weights.sizes());
  if (!is_tracing() && num_queries > 0) {
    const auto [lowest, highest] = at::aminmax(targets);  // [], []
    TORCH_CHECK(lowest.item<int64_t>() >= 0 && highest.item<int64_t>() < num_items,
                "softmax_cross_entropy: expected targets in [0, ", num_items, "), got some in [",
                lowest.item<int64_t>(), ", ", highest.item<int64_t>(), "]");
  }
  using exp_detail::is_plain_float;
  const bool own = !is_tracing() && is_plain_float(queries) && is_plain_float(items) &&
                   is_plain_float(bias) && is_plain_float(weights) && targets.is_cpu() &&
                   !(weights.defined() && weights.requires_grad());
  if (!own) return plain_cross_entropy(queries, items, bias, targets, weights);  // []
  const bool with_gradients =
      at::GradMode::is_enabled() && (queries.requires_grad() || items.requires_grad() ||
                                     (bias.defined() && bias.requires_grad()));
  const auto optional = [](const torch::Tensor& t) {
    return t.defined() ? std::optional<torch::Tensor>(t) : std::nullopt;
  };
  return FusedCrossEntropy::apply(queries, items, optional(bias), targets, optional(weights),
                                  with_gradients);  // []
}

}  // namespace reckon
