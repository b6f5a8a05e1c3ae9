#include "layers/feed_forward.h"

#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

FeedForwardImpl::FeedForwardImpl(FeedForwardKind kind, int64_t width, int64_t hidden,
                                 double dropout)
    : kind_(kind), dropout_(dropout) {
  const int64_t parts = kind == FeedForwardKind::kSwiglu ? 2 : 1;
  input_ = register_module("input", torch::nn::Linear(width, parts * hidden));
  output_ = register_module("output", torch::nn::Linear(hidden, width));
  xavier_uniform(input_, parts);
  xavier_uniform(output_);
}

torch::Tensor FeedForwardImpl::forward(const torch::Tensor& x) {
  auto h = input_->forward(x);  // [..., parts * hidden]
  switch (kind_) {
    case FeedForwardKind::kRelu:
      h = at::relu(h);
      break;  // [..., hidden]
    case FeedForwardKind::kGelu:
      h = at::gelu(h);
      break;  // [..., hidden]
    case FeedForwardKind::kSwiglu: {
      const auto parts = h.chunk(2, -1);  // [..., hidden] twice
      h = at::silu(parts[0]) * parts[1];  // [..., hidden]
      break;
    }
  }
  return output_->forward(reckon::dropout(h, dropout_, is_training()));  // [..., D]
}

}  // namespace reckon
