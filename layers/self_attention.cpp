#include "layers/self_attention.h"

#include <cmath>
#include <limits>

#include "kernels/dropout.h"
#include "kernels/tracing.h"
#include "layers/initialize.h"

namespace reckon {

AttentionMask causal_mask(const torch::Tensor& valid, int64_t num_places) {
  AttentionMask mask;
  if (num_places > 0) {
    const auto empty = num_places - valid.sum(1);                 // [B]
    mask.log_empty = empty.to(torch::kFloat).log();               // [B]
    mask.log_empty = mask.log_empty.unflatten(0, {-1, 1, 1, 1});  // [B, 1, 1, 1]
  }
  // Without padding the order alone is the mask, which the fused kernels know how to skip.
  if (!is_tracing() && valid.all().item<bool>()) return mask;
  const auto step = at::ones_like(valid, torch::kLong).cumsum(1);       // [B, T]
  const auto later = step.unsqueeze(2), earlier = step.unsqueeze(1);    // [B, T, 1], [B, 1, T]
  const auto seen = later.gt(earlier).logical_and(valid.unsqueeze(1));  // [B, T, T]
  mask.allowed = seen.logical_or(later.eq(earlier)).unsqueeze(1);       // [B, 1, T, T]
  return mask;
}

SelfAttentionImpl::SelfAttentionImpl(int64_t width, int64_t num_heads, double dropout,
                                     bool separate_query)
    : num_heads_(num_heads),
      dropout_(dropout),
      scale_(1.0 / std::sqrt(static_cast<double>(width / num_heads))) {
  TORCH_CHECK(width % num_heads == 0, "SelfAttention: num_heads ", num_heads,
              " does not divide the width ", width);
  const int64_t parts = separate_query ? 2 : 3;
  if (separate_query) {
    query_ = register_module("query", torch::nn::Linear(width, width));
    xavier_uniform(query_);
  }
  input_ = register_module("input", torch::nn::Linear(width, parts * width));
  output_ = register_module("output", torch::nn::Linear(width, width));
  xavier_uniform(input_, parts);
  xavier_uniform(output_);
}

torch::Tensor SelfAttentionImpl::forward(const torch::Tensor& x, const AttentionMask& mask) {
  const auto parts = input_->forward(x).chunk(3, -1);  // [B, T, D] three times
  return attend(parts[0], parts[1], parts[2], mask);   // [B, T, D]
}

torch::Tensor SelfAttentionImpl::forward(const torch::Tensor& query, const torch::Tensor& x,
                                         const AttentionMask& mask) {
  const auto parts = input_->forward(x).chunk(2, -1);               // [B, T, D] twice
  return attend(query_->forward(query), parts[0], parts[1], mask);  // [B, T, D]
}

torch::Tensor SelfAttentionImpl::split(const torch::Tensor& x) const {
  return x.unflatten(-1, {num_heads_, -1}).transpose(-3, -2);  // [..., H, T, D / H]
}

torch::Tensor SelfAttentionImpl::attend(const torch::Tensor& query, const torch::Tensor& key,
                                        const torch::Tensor& value, const AttentionMask& mask) {
  const auto q = split(query), k = split(key), v = split(value);  // [B, H, T, D / H]
  const bool drops = is_training() && dropout_ > 0.0;
  // The fused kernels would draw from torch's own generator, which is not a function of the step.
  const auto out =
      drops || mask.log_empty.defined()
          ? attend_by_scores(q, k, v, mask)
          : at::scaled_dot_product_attention(
                q, k, v, mask.allowed.defined() ? mask.allowed : std::optional<torch::Tensor>(),
                /*dropout_p=*/0.0,
                /*is_causal=*/!mask.allowed.defined());     // [B, H, T, D / H]
  return output_->forward(out.transpose(1, 2).flatten(2));  // [B, T, D]
}

torch::Tensor SelfAttentionImpl::attend_by_scores(const torch::Tensor& q, const torch::Tensor& k,
                                                  const torch::Tensor& v,
                                                  const AttentionMask& mask) {
  const auto scaled = q * scale_;                         // [B, H, T, D / H]
  auto scores = at::matmul(scaled, k.transpose(-2, -1));  // [B, H, T, T]
  const auto allowed = mask.allowed.defined()
                           ? mask.allowed
                           : at::ones_like(scores.select(0, 0).select(0, 0), torch::kBool).tril();
  scores = scores.masked_fill(allowed.logical_not(),
                              -std::numeric_limits<double>::infinity());  // [B, H, T, T]
  if (!mask.log_empty.defined())
    return at::matmul(reckon::dropout(scores.softmax(-1), dropout_, is_training()), v);

  const auto biases =
      input_->bias.unflatten(0, {-1, num_heads_, 1, q.size(-1)});       // [2|3, H, 1, D / H]
  const auto key = biases.select(0, -2), value = biases.select(0, -1);  // [H, 1, D / H]
  const auto empty = at::matmul(scaled, key.transpose(-2, -1)) + mask.log_empty;  // [B, H, T, 1]
  const auto weights = at::cat({scores, empty}, -1).softmax(-1);  // [B, H, T, T + 1]
  const auto of_steps = reckon::dropout(weights.slice(-1, 0, -1), dropout_, is_training());
  return at::matmul(of_steps, v) + weights.slice(-1, -1) * value;  // [B, H, T, D / H]
}

}  // namespace reckon
