#include "kernels/shared_logistic.h"

#include <torch/autograd.h>

#include <cmath>
#include <optional>
#include <vector>

#include "kernels/exp_chunks.h"
#include "kernels/logistic_row.h"
#include "kernels/pair_hits.h"
#include "kernels/times_upstream.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

// A score so low that neither loss nor derivative is left of it, and still a number.
constexpr float kOfNoPair = -1e30F;

logistic_detail::RowLoss logistic_row(float* row, const float* bias, float chosen, int64_t count) {
  return for_active_simd(logistic_detail::logistic_row_portable, logistic_detail::logistic_row_avx2,
                         logistic_detail::logistic_row_avx512)(row, bias, chosen, count);
}

logistic_detail::WeightedRowLoss weighted_logistic_row(float* row, const float* bias, float chosen,
                                                       const logistic_detail::RowWeights& weights,
                                                       int64_t count) {
  return for_active_simd(logistic_detail::weighted_logistic_row_portable,
                         logistic_detail::weighted_logistic_row_avx2,
                         logistic_detail::weighted_logistic_row_avx512)(row, bias, chosen, weights,
                                                                        count);
}

// The loss, and where `with_gradients` says so its derivatives, in one pass over chunks of queries.
struct LossAndGradients {
  double loss = 0.0;
  torch::Tensor queries, negatives, bias, chosen;  // [P, D], [N, D], [N], [P]
};

LossAndGradients compute(const torch::Tensor& queries, const torch::Tensor& negatives,
                         const torch::Tensor& bias, const torch::Tensor& chosen,
                         const PairWeights& pairs, bool with_gradients) {
  const int64_t num_queries = queries.size(0), count = negatives.size(0);
  const auto floats = [](const torch::Tensor& t) {
    return t.defined() ? t.const_data_ptr<float>() : nullptr;
  };
  const auto *own = floats(chosen), *weight = floats(pairs.weights), *offset = floats(bias);
  const auto *scale = floats(pairs.scales), *column = floats(pairs.columns);
  const auto* is_hit = pairs.hits.defined() ? pairs.hits.const_data_ptr<bool>() : nullptr;
  std::vector<double> losses(num_queries);
  LossAndGradients out;
  out.chosen = torch::empty({num_queries}, queries.options());  // [P]
  auto* of_chosen = out.chosen.data_ptr<float>();
  auto gradients = exp_detail::for_each_score_row(
      queries, negatives, bias.defined(), with_gradients, [&](int64_t p, float* row) {
        if (is_hit != nullptr) put_at_hits(is_hit + p * count, count, kOfNoPair, row);
        const float w = weight == nullptr ? 1.0f : weight[p];
        if (column != nullptr) {
          // The weights of the pairs are in the derivatives already.
          const auto made =
              weighted_logistic_row(row, offset, own[p], {w, scale[p], column}, count);
          losses[p] = made.loss;
          of_chosen[p] = static_cast<float>(-made.derivatives);
          return 1.0f;
        }
        const auto made = logistic_row(row, offset, own[p], count);
        losses[p] = w * (made.positive + std::log(made.product) +
                         static_cast<double>(made.exponent) * std::log(2.0));
        of_chosen[p] = static_cast<float>(-w * made.derivatives);
        return w;
      });
  for (const double loss : losses) out.loss += loss;
  out.queries = gradients.queries;
  out.negatives = gradients.rows;
  out.bias = gradients.bias;
  return out;
}

std::optional<torch::Tensor> optional(const torch::Tensor& t) {
  return t.defined() ? std::optional<torch::Tensor>(t) : std::nullopt;
}

torch::Tensor contiguous(const torch::Tensor& t) { return t.defined() ? t.contiguous() : t; }

class SharedLogistic : public torch::autograd::Function<SharedLogistic> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& queries, const torch::Tensor& negatives,
                               const std::optional<torch::Tensor>& bias,
                               const torch::Tensor& chosen, const PairWeights& pairs,
                               bool with_gradients) {
    const auto made = compute(queries.contiguous(), negatives.contiguous(),
                              contiguous(bias.value_or(torch::Tensor())), chosen.contiguous(),
                              {.weights = contiguous(pairs.weights),
                               .scales = contiguous(pairs.scales),
                               .columns = contiguous(pairs.columns),
                               .hits = contiguous(pairs.hits)},
                              with_gradients);
    if (with_gradients)
      context->save_for_backward({made.queries, made.negatives, made.bias, made.chosen});
    return torch::full({}, made.loss, queries.options());  // []
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "shared_logistic: second derivatives are not offered");
    return times_upstream(context->get_saved_variables(), gradient[0], 6);
  }
};

// How much each pair counts; undefined where all count one.   Shapes   -> [P, 1], [P, N]
torch::Tensor weights_of(const PairWeights& pairs) {
  const auto rows =
      pairs.weights.defined() ? pairs.weights.unsqueeze(1) : torch::Tensor();  // [P, 1]
  if (!pairs.scales.defined()) return rows;
  const auto added = at::outer(pairs.scales, pairs.columns);  // [P, N]
  return rows.defined() ? rows + added : 1.0 + added;         // [P, N]
}

}  // namespace

torch::Tensor shared_logistic(const torch::Tensor& queries, const torch::Tensor& negatives,
                              const torch::Tensor& bias, const torch::Tensor& chosen,
                              const PairWeights& pairs) {
  TORCH_CHECK(queries.dim() == 2 && negatives.dim() == 2 && queries.size(1) == negatives.size(1),
              "shared_logistic: expected queries [P, D] and negatives [N, D], got ",
              queries.sizes(), " and ", negatives.sizes());
  const auto rows = queries.sizes().slice(0, 1), count = negatives.sizes().slice(0, 1);
  const auto expect = [](const char* name, const torch::Tensor& t, at::IntArrayRef shape) {
    TORCH_CHECK(t.sizes() == shape, "shared_logistic: expected ", name, " ", shape, ", got ",
                t.sizes());
  };
  expect("chosen scores", chosen, rows);
  if (bias.defined()) expect("bias", bias, count);
  if (pairs.weights.defined()) expect("weights", pairs.weights, rows);
  TORCH_CHECK(pairs.scales.defined() == pairs.columns.defined(),
              "shared_logistic: expected both of scales and columns, or neither");
  if (pairs.scales.defined()) {
    expect("scales", pairs.scales, rows);
    expect("columns", pairs.columns, count);
  }
  const auto& hits = pairs.hits;
  check_hits("shared_logistic", hits, rows[0], count[0]);
  const auto learns = [](const torch::Tensor& t) { return t.defined() && t.requires_grad(); };
  TORCH_CHECK(!learns(pairs.weights) && !learns(pairs.scales) && !learns(pairs.columns),
              "shared_logistic: weights have no gradient");
  using exp_detail::is_plain_float;
  const bool own = !is_tracing() && is_plain_float(queries) && is_plain_float(negatives) &&
                   is_plain_float(bias) && is_plain_float(chosen) &&
                   is_plain_float(pairs.weights) && is_plain_float(pairs.scales) &&
                   is_plain_float(pairs.columns);
  if (!own) {
    auto scores = at::matmul(queries, negatives.t());          // [P, N]
    if (bias.defined()) scores = scores + bias;                // [P, N]
    auto losses = at::softplus(scores - chosen.unsqueeze(1));  // [P, N]
    if (const auto weights = weights_of(pairs); weights.defined()) losses = losses * weights;
    if (hits.defined()) losses = losses.masked_fill(hits, 0.0);  // [P, N]
    return losses.sum();                                         // []
  }
  const bool with_gradients = at::GradMode::is_enabled() && (learns(queries) || learns(negatives) ||
                                                             learns(bias) || learns(chosen));
  return SharedLogistic::apply(queries, negatives, optional(bias), chosen, pairs,
                               with_gradients);  // []
}

}  // namespace reckon
