#include "models/autoencoder.h"

#include <algorithm>

#include "core/ids.h"
#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

namespace {

EmbeddingTable make_table(int64_t num_rows, int64_t width, EmbeddingInit init) {
  return EmbeddingTable(
      EmbeddingTableImpl::Options{.num_rows = num_rows, .width = width, .init = init});
}

torch::nn::Linear make_linear(int64_t from, int64_t to) {
  torch::nn::Linear linear(from, to);
  xavier_uniform(linear);
  return linear;
}

}  // namespace

void Autoencoder::Options::describe(Schema<Options>& schema) {
  schema.field("hidden_units", &Options::hidden_units)
      .non_empty()
      .positive()
      .doc("Widths from the items to the latent state; the way back has the same, backwards.");
  schema.field("latent", &Options::latent)
      .positive()
      .at_most(65536)
      .doc("Width of the latent state.");
  schema.field("activation", &Options::activation).doc("Nonlinearity of the hidden layers.");
  schema.field("dropout", &Options::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Probability that an item of the input is left out in training.");
  schema.field("variational", &Options::variational)
      .doc("Learn a distribution of the latent state; without it, a denoising autoencoder.");
  schema.field("kl_weight", &Options::kl_weight)
      .at_least(0.0)
      .doc("Final weight of the distance from the normal distribution.");
  schema.field("anneal_steps", &Options::anneal_steps)
      .at_least(0)
      .doc("Optimiser steps in which that weight rises from zero.");
  schema.field("noise_scale", &Options::noise_scale)
      .must_be_in(0.0, 1.0)
      .doc("What the deviation of the draw in training is multiplied by; 1 in the paper.");
}

Autoencoder::Autoencoder(const Options& options, const Deps& deps) : options_(options) {
  const EmbeddingInit xavier{.kind = EmbeddingInit::Kind::kXavierUniform};
  const int64_t first = options.hidden_units.front(), last = options.hidden_units.back();
  const MlpImpl::Options layers{.activation = options.activation};
  input_ = register_module("input", make_table(deps.num_items, first, xavier));
  input_bias_ = register_parameter("input_bias", torch::zeros({first}));  // [H]
  if (options.hidden_units.size() > 1) {
    auto rest = layers;
    rest.hidden_units = {options.hidden_units.begin() + 1, options.hidden_units.end()};
    encoder_ = register_module("encoder", Mlp(rest, first));
  }
  mean_ = register_module("mean", make_linear(last, options.latent));
  if (options.variational)
    log_variance_ = register_module("log_variance", make_linear(last, options.latent));
  auto back = layers;
  back.hidden_units = {options.hidden_units.rbegin(), options.hidden_units.rend()};
  decoder_ = register_module("decoder", Mlp(back, options.latent));
  register_output(make_table(deps.num_items, first, xavier),
                  make_table(deps.num_items, 1, {EmbeddingInit::Kind::kUniform, 0.0}),
                  options.variational);
}

Autoencoder::Latent Autoencoder::to_latent(const torch::Tensor& ids) {
  const auto valid = ids.ne(kPaddingId).to(input_bias_.scalar_type());  // [B, T]
  const auto length = valid.sum(1, /*keepdim=*/true).clamp_min(1.0);    // [B, 1]
  const auto weights =
      reckon::dropout(valid, options_.dropout, is_training()) / length.sqrt();  // [B, T]
  auto h =
      activate(input_->sum_of_rows(ids, weights) + input_bias_, options_.activation);  // [B, H]
  if (!encoder_.is_empty()) h = encoder_->forward(h);                                  // [B, H']
  auto mean = mean_->forward(h);  // [B, latent]
  if (!options_.variational) return {activate(mean, options_.activation), {}};
  return {mean, log_variance_->forward(h)};
}

torch::Tensor Autoencoder::decode(const torch::Tensor& z) { return decoder_->forward(z); }

LossParts Autoencoder::loss(const Represented& rows, const std::vector<torch::Tensor>&,
                            int64_t step_number) {
  const auto& ids = rows.fixed[0];  // [B, T]
  const auto [mean, log_variance] = to_latent(ids);
  auto z = mean;  // [B, latent]
  torch::Tensor distance;
  double beta = 0.0;
  if (options_.variational) {
    z = drawn(mean, log_variance, rows.fixed[1], step_number,
              options_.noise_scale);  // [B, latent]
    distance = 0.5 * (log_variance.exp() + mean.square() - 1.0 - log_variance).sum();  // []
    beta = options_.anneal_steps == 0
               ? options_.kl_weight
               : options_.kl_weight * std::min(1.0, static_cast<double>(step_number) /
                                                        static_cast<double>(options_.anneal_steps));
  }
  const auto queries = decode(z);                       // [B, H]
  const auto likelihood = cross_entropy(queries, ids);  // []
  LossParts parts{.sum = likelihood, .weight = static_cast<double>(ids.size(0))};
  if (!options_.variational) return parts;
  parts.sum = parts.sum + beta * distance;  // []
  parts.logged["kl"] = distance.item<double>();
  return parts;
}

}  // namespace reckon
