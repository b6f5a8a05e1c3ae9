#include "layers/self_attention.h"

#include <cmath>
#include <limits>

#include "kernels/dropout.h"
#include "kernels/tracing.h"
#include "layers/initialize.h"

namespace reckon {

namespace {

torch::TensorOptions mask_options(const torch::Tensor& like) {
  return torch::TensorOptions(torch::kBool).device(like.device());
}

}  // namespace

AttentionMask causal_mask(const torch::Tensor& valid) {
  // Without padding the order alone is the mask, which the fused kernels know how to skip.
  if (!is_tracing() && valid.all().item<bool>()) return {};
  const auto step = at::ones_like(valid, torch::kLong).cumsum(1);       // [B, T]
  const auto later = step.unsqueeze(2), earlier = step.unsqueeze(1);    // [B, T, 1], [B, 1, T]
  const auto seen = later.gt(earlier).logical_and(valid.unsqueeze(1));  // [B, T, T]
  return {seen.logical_or(later.eq(earlier)).unsqueeze(1)};             // [B, 1, T, T]
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

torch::Tensor SelfAttentionImpl::attend(const torch::Tensor& query, const torch::Tensor& key,
                                        const torch::Tensor& value, const AttentionMask& mask) {
  const auto split = [this](const torch::Tensor& x) {
    return x.unflatten(-1, {num_heads_, -1}).transpose(1, 2);  // [B, H, T, D / H]
  };
  const auto q = split(query), k = split(key), v = split(value);
  const bool order_only = !mask.allowed.defined();
  torch::Tensor out;
  if (is_training() && dropout_ > 0.0) {
    // The fused kernels would draw from torch's own generator, which is not a function of the step.
    auto scores = at::matmul(q * scale_, k.transpose(-2, -1));  // [B, H, T, T]
    const int64_t num_steps = q.size(2);
    const auto allowed = order_only ? at::ones({num_steps, num_steps}, mask_options(q)).tril()
                                    : mask.allowed;  // [..., T, T]
    scores = scores.masked_fill(allowed.logical_not(),
                                -std::numeric_limits<double>::infinity());     // [B, H, T, T]
    out = at::matmul(reckon::dropout(scores.softmax(-1), dropout_, true), v);  // [B, H, T, D / H]
  } else {
    out = at::scaled_dot_product_attention(
        q, k, v, order_only ? std::optional<torch::Tensor>() : mask.allowed, /*dropout_p=*/0.0,
        /*is_causal=*/order_only);  // [B, H, T, D / H]
  }
  return output_->forward(out.transpose(1, 2).flatten(2));  // [B, T, D]
}

}  // namespace reckon
