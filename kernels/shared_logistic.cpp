#include "kernels/shared_logistic.h"

#include <torch/autograd.h>

#include <cmath>
#include <optional>
#include <vector>

#include "kernels/exp_chunks.h"
#include "kernels/logistic_row.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

// A score so low that neither loss nor derivative is left of it, and still a number.
constexpr float kOfNoPair = -1e30F;

logistic_detail::RowLoss logistic_row(float* row, const float* bias, float chosen, int64_t count) {
  switch (active_simd()) {
    case Simd::kAvx512:
      return logistic_detail::logistic_row_avx512(row, bias, chosen, count);
    case Simd::kAvx2:
      return logistic_detail::logistic_row_avx2(row, bias, chosen, count);
    case Simd::kPortable:
      break;
  }
  return logistic_detail::logistic_row_portable(row, bias, chosen, count);
}

// The loss, and where `with_gradients` says so its derivatives, in one pass over chunks of queries.
struct LossAndGradients {
  double loss = 0.0;
  torch::Tensor queries, negatives, bias, chosen;  // [P, D], [N, D], [N], [P]
};

LossAndGradients compute(const torch::Tensor& queries, const torch::Tensor& negatives,
                         const torch::Tensor& bias, const torch::Tensor& chosen,
                         const torch::Tensor& weights, const torch::Tensor& hits,
                         bool with_gradients) {
  const int64_t num_queries = queries.size(0), count = negatives.size(0);
  const auto* own = chosen.const_data_ptr<float>();
  const auto* weight = weights.defined() ? weights.const_data_ptr<float>() : nullptr;
  const auto* is_hit = hits.defined() ? hits.const_data_ptr<bool>() : nullptr;
  const auto* offset = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  std::vector<double> losses(num_queries);
  LossAndGradients out;
  out.chosen = torch::empty({num_queries}, queries.options());  // [P]
  auto* of_chosen = out.chosen.data_ptr<float>();
  auto gradients = exp_detail::for_each_score_row(
      queries, negatives, bias.defined(), with_gradients, [&](int64_t p, float* row) {
        if (is_hit != nullptr)
          for (int64_t n = 0; n < count; ++n)
            if (is_hit[p * count + n]) row[n] = kOfNoPair;
        const auto made = logistic_row(row, offset, own[p], count);
        const float w = weight == nullptr ? 1.0f : weight[p];
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

class SharedLogistic : public torch::autograd::Function<SharedLogistic> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& queries, const torch::Tensor& negatives,
                               const std::optional<torch::Tensor>& bias,
                               const torch::Tensor& chosen,
                               const std::optional<torch::Tensor>& weights,
                               const std::optional<torch::Tensor>& hits, bool with_gradients) {
    const auto made = compute(queries.contiguous(), negatives.contiguous(),
                              bias ? bias->contiguous() : torch::Tensor(), chosen.contiguous(),
                              weights ? weights->contiguous() : torch::Tensor(),
                              hits ? hits->contiguous() : torch::Tensor(), with_gradients);
    if (with_gradients)
      context->save_for_backward({made.queries, made.negatives, made.bias, made.chosen});
    return torch::full({}, made.loss, queries.options());  // []
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "shared_logistic: second derivatives are not offered");
    const auto saved = context->get_saved_variables();
    const auto& upstream = gradient[0];  // []
    return {saved[0] * upstream,
            saved[1] * upstream,
            saved[2].defined() ? saved[2] * upstream : torch::Tensor(),
            saved[3] * upstream,
            {},
            {},
            {}};
  }
};

}  // namespace

torch::Tensor shared_logistic(const torch::Tensor& queries, const torch::Tensor& negatives,
                              const torch::Tensor& bias, const torch::Tensor& chosen,
                              const torch::Tensor& weights, const torch::Tensor& hits) {
  TORCH_CHECK(queries.dim() == 2 && negatives.dim() == 2 && queries.size(1) == negatives.size(1),
              "shared_logistic: expected queries [P, D] and negatives [N, D], got ",
              queries.sizes(), " and ", negatives.sizes());
  const auto rows = queries.sizes().slice(0, 1), count = negatives.sizes().slice(0, 1);
  TORCH_CHECK(chosen.sizes() == rows && (!weights.defined() || weights.sizes() == rows),
              "shared_logistic: expected chosen scores and weights ", rows, ", got ",
              chosen.sizes(), " and ", weights.defined() ? weights.sizes() : at::IntArrayRef());
  TORCH_CHECK(!bias.defined() || bias.sizes() == count, "shared_logistic: expected bias ", count,
              ", got ", bias.sizes());
  TORCH_CHECK(!hits.defined() || (hits.scalar_type() == torch::kBool && hits.dim() == 2 &&
                                  hits.size(0) == rows[0] && hits.size(1) == count[0]),
              "shared_logistic: expected hits [", rows[0], ", ", count[0], "] bool, got ",
              hits.defined() ? hits.sizes() : at::IntArrayRef());
  using exp_detail::is_plain_float;
  const bool own = !is_tracing() && is_plain_float(queries) && is_plain_float(negatives) &&
                   is_plain_float(bias) && is_plain_float(chosen) && is_plain_float(weights) &&
                   !(weights.defined() && weights.requires_grad());
  if (!own) {
    auto scores = at::matmul(queries, negatives.t());              // [P, N]
    if (bias.defined()) scores = scores + bias;                    // [P, N]
    auto pairs = at::softplus(scores - chosen.unsqueeze(1));       // [P, N]
    if (hits.defined()) pairs = pairs.masked_fill(hits, 0.0);      // [P, N]
    const auto losses = pairs.sum(1);                              // [P]
    return (weights.defined() ? losses * weights : losses).sum();  // []
  }
  const auto learns = [](const torch::Tensor& t) { return t.defined() && t.requires_grad(); };
  const bool with_gradients = at::GradMode::is_enabled() && (learns(queries) || learns(negatives) ||
                                                             learns(bias) || learns(chosen));
  const auto optional = [](const torch::Tensor& t) {
    return t.defined() ? std::optional<torch::Tensor>(t) : std::nullopt;
  };
  return SharedLogistic::apply(queries, negatives, optional(bias), chosen, optional(weights),
                               optional(hits), with_gradients);  // []
}

}  // namespace reckon
