#include "layers/norm.h"

namespace reckon {

NormImpl::NormImpl(NormKind kind, int64_t width, double eps) : kind_(kind), eps_(eps) {
  weight_ = register_parameter("weight", torch::ones({width}));                             // [D]
  if (kind == NormKind::kLayer) bias_ = register_parameter("bias", torch::zeros({width}));  // [D]
}

torch::Tensor NormImpl::forward(const torch::Tensor& x) {
  return kind_ == NormKind::kLayer ? at::layer_norm(x, weight_.sizes(), weight_, bias_, eps_)
                                   : at::rms_norm(x, weight_.sizes(), weight_, eps_);  // [..., D]
}

}  // namespace reckon
