#include "layers/dense_set_encoder.h"

#include <cmath>

#include "core/ids.h"
#include "kernels/dropout.h"
#include "layers/activation.h"
#include "layers/norm.h"

namespace reckon {

namespace {
// The authors': large, so that what hardly differs is not blown up.
constexpr double kNormEpsilon = 0.1;
}  // namespace

DenseSetEncoderImpl::DenseSetEncoderImpl(const Options& options) {
  TORCH_CHECK(options.num_layers >= 1, "DenseSetEncoder: expected at least one layer");
  // What a linear layer of this many inputs begins with.
  const double range = 1.0 / std::sqrt(static_cast<double>(options.num_items));
  input_ = register_module("input",
                           EmbeddingTable(EmbeddingTableImpl::Options{
                               .num_rows = options.num_items,
                               .width = options.hidden,
                               .init = {.kind = EmbeddingInit::Kind::kUniform, .scale = range}}));
  input_bias_ = register_parameter("input_bias",
                                   torch::empty({options.hidden}).uniform_(-range, range));  // [H]
  layers_ = register_module("layers", torch::nn::ModuleList());
  norms_ = register_module("norms", torch::nn::ModuleList());
  for (int64_t layer = 0; layer < options.num_layers; ++layer) {
    if (layer > 0) layers_->push_back(torch::nn::Linear(options.hidden, options.hidden));
    norms_->push_back(Norm(NormKind::kLayer, options.hidden, kNormEpsilon));
  }
  mean_ = register_module("mean", torch::nn::Linear(options.hidden, options.latent));
  log_variance_ =
      register_module("log_variance", torch::nn::Linear(options.hidden, options.latent));
}

DenseSetEncoderImpl::Output DenseSetEncoderImpl::forward(const torch::Tensor& ids, double dropout) {
  const auto valid = ids.ne(kPaddingId).to(input_bias_.scalar_type());                  // [B, T]
  const auto length = valid.sum(1, /*keepdim=*/true).clamp_min(1.0);                    // [B, 1]
  const auto weights = reckon::dropout(valid, dropout, is_training()) / length.sqrt();  // [B, T]
  const auto swish = [](const torch::Tensor& x) { return activate(x, Activation::kSilu); };
  auto h = norms_[0]->as<Norm>()->forward(
      swish(input_->sum_of_rows(ids, weights) + input_bias_));  // [B, H]
  auto before = h;                                              // [B, H], the sum of all so far
  for (size_t layer = 1; layer < norms_->size(); ++layer) {
    h = norms_[layer]->as<Norm>()->forward(
        swish(layers_[layer - 1]->as<torch::nn::Linear>()->forward(h) + before));  // [B, H]
    before = before + h;                                                           // [B, H]
  }
  return {mean_->forward(h), log_variance_->forward(h)};
}

}  // namespace reckon
