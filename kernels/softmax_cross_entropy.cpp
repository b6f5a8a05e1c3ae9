#include "kernels/softmax_cross_entropy.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu_features.h"
#include "kernels/exp_row.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

using exp_detail::RowSum;

// Scores held at once: they stay in the last cache between the products.
constexpr int64_t kChunkScores = 1 << 19;
constexpr int64_t kMinChunk = 32;
constexpr int64_t kGrainRows = 8;

RowSum exp_row(float* row, const float* bias, int64_t count) {
  switch (active_simd()) {
    case Simd::kAvx512:
      return exp_detail::exp_row_avx512(row, bias, count);
    case Simd::kAvx2:
      return exp_detail::exp_row_avx2(row, bias, count);
    case Simd::kPortable:
      break;
  }
  return exp_detail::exp_row_portable(row, bias, count);
}

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
  const int64_t chunk =
      std::max(kMinChunk, kChunkScores / std::max<int64_t>(1, num_items) / kMinChunk * kMinChunk);

  LossAndGradients out;
  if (with_gradients) {
    out.queries = torch::empty_like(queries);                // [P, D]
    out.items = torch::zeros_like(items);                    // [I, D]
    if (bias.defined()) out.bias = torch::zeros_like(bias);  // [I]
  }
  auto scores = torch::empty({std::min(chunk, num_queries), num_items});  // [chunk, I]
  auto factors = torch::empty({num_queries}, queries.options());          // [P]
  auto* factor = factors.data_ptr<float>();
  std::vector<double> losses(num_queries);
  const auto transposed = items.t();  // [D, I]
  for (int64_t begin = 0; begin < num_queries; begin += chunk) {
    const int64_t length = std::min(chunk, num_queries - begin);
    auto block = scores.narrow(0, 0, length);         // [chunk, I]
    const auto q = queries.narrow(0, begin, length);  // [chunk, D]
    at::mm_out(block, q, transposed);
    auto* score = block.data_ptr<float>();
    at::parallel_for(0, length, kGrainRows, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        auto* row = score + i * num_items;
        const int64_t p = begin + i;
        const float chosen = row[target[p]] + (item_bias == nullptr ? 0.0f : item_bias[target[p]]);
        const auto [max, sum] = exp_row(row, item_bias, num_items);
        const float w = weight == nullptr ? 1.0f : weight[p];
        losses[p] = w * (std::log(static_cast<double>(sum)) + max - chosen);
        factor[p] = w / sum;
      }
    });
    if (!with_gradients) continue;
    // Probabilities are the exponentials times a factor for each row, which is cheaper to put on
    // the narrow side of each product.
    const auto scale = factors.narrow(0, begin, length);   // [chunk]
    auto gradient = out.queries.narrow(0, begin, length);  // [chunk, D]
    at::mm_out(gradient, block, items);
    gradient.mul_(scale.unsqueeze(1));
    out.items.addmm_(block.t(), q * scale.unsqueeze(1));
    if (out.bias.defined()) out.bias.addmv_(block.t(), scale);
  }
  for (const double loss : losses) out.loss += loss;
  if (!with_gradients) return out;
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
    const auto saved = context->get_saved_variables();
    const auto& upstream = grads[0];  // []
    return {saved[0] * upstream,
            saved[1] * upstream,
            saved[2].defined() ? saved[2] * upstream : torch::Tensor(),
            {},
            {},
            {}};
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

bool is_plain_float(const torch::Tensor& t) {
  return !t.defined() || (t.is_cpu() && t.scalar_type() == torch::kFloat);
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
