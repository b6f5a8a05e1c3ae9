#include "models/recvae.h"

#include <cmath>

#include "core/ids.h"

namespace reckon {

namespace {

// Logarithm of the normal density at each place, without the constant that all terms have alike.
torch::Tensor log_normal(const torch::Tensor& z, const torch::Tensor& mean,
                         const torch::Tensor& log_variance) {
  return -0.5 * (log_variance + (z - mean).square() / log_variance.exp());
}

}  // namespace

void Recvae::Prior::describe(Schema<Prior>& schema) {
  schema.field("standard", &Prior::standard)
      .positive()
      .at_most(1.0)
      .doc("Share of the standard normal distribution.");
  schema.field("old", &Prior::old)
      .positive()
      .at_most(1.0)
      .doc("Share of what the encoder said before it was last changed.");
  schema.field("wide", &Prior::wide)
      .positive()
      .at_most(1.0)
      .doc("Share of the wide normal distribution.");
  schema.field("wide_log_variance", &Prior::wide_log_variance)
      .must_be_in(-20.0, 20.0)
      .doc("Logarithm of the wide distribution's variance.");
  schema.invariant("", "shares of the prior must add up to 1", [](const Prior& prior) {
    return std::abs(prior.standard + prior.old + prior.wide - 1.0) < 1e-6;
  });
}

void Recvae::Alternation::describe(Schema<Alternation>& schema) {
  schema.field("encoder", &Alternation::encoder)
      .must_be_in(1, 1000000)
      .doc("How long the encoder learns alone.");
  schema.field("decoder", &Alternation::decoder)
      .must_be_in(1, 1000000)
      .doc("How long the decoder learns alone, from sets without any item left out.");
  schema.field("unit", &Alternation::unit).doc("What both are counted in.");
}

void Recvae::Options::describe(Schema<Options>& schema) {
  schema.field("hidden", &Options::hidden)
      .positive()
      .at_most(65536)
      .doc("Width of the encoder's layers.");
  schema.field("num_layers", &Options::num_layers)
      .must_be_in(1, 64)
      .doc("Layers of the encoder; each sees the sum of all before it.");
  schema.field("latent", &Options::latent)
      .positive()
      .at_most(65536)
      .doc("Width of the latent state.");
  schema.field("dropout", &Options::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Probability that an item of the input is left out while the encoder learns.");
  schema.field("kl_weight", &Options::kl_weight)
      .at_least(0.0)
      .doc("Weight of the distance from the prior, for each item of the user.");
  schema.field("prior", &Options::prior).doc("What the latent state is held close to.");
  schema.field("alternate", &Options::alternate)
      .doc("Let encoder and decoder learn in turns; at once when left out.");
}

Recvae::Recvae(const Options& options, const Deps& deps) : options_(options) {
  const DenseSetEncoderImpl::Options encoder{.num_items = deps.num_items,
                                             .hidden = options.hidden,
                                             .num_layers = options.num_layers,
                                             .latent = options.latent};
  encoder_ = register_module("encoder", DenseSetEncoder(encoder));
  old_encoder_ = register_module("old_encoder", DenseSetEncoder(encoder));
  for (auto& parameter : old_encoder_->parameters()) parameter.set_requires_grad(false);
  copy_encoder();
  // What a linear layer from the latent state begins with.
  const EmbeddingInit init{.kind = EmbeddingInit::Kind::kUniform,
                           .scale = 1.0 / std::sqrt(static_cast<double>(options.latent))};
  const auto table = [&](int64_t width) {
    return EmbeddingTable(
        EmbeddingTableImpl::Options{.num_rows = deps.num_items, .width = width, .init = init});
  };
  register_output(table(options.latent), table(1), /*draws_noise=*/true);
}

void Recvae::copy_encoder() {
  const torch::NoGradGuard no_grad;
  const auto from = encoder_->parameters(), to = old_encoder_->parameters();
  for (size_t i = 0; i < to.size(); ++i) to[i].copy_(from[i]);
}

void Recvae::begin_step(int64_t step_number, int64_t steps_per_epoch) {
  if (!options_.alternate) {
    if (step_number % steps_per_epoch == 0) copy_encoder();
    return;
  }
  const auto& turns = *options_.alternate;
  const int64_t unit = turns.unit == Alternation::Unit::kEpochs ? steps_per_epoch : 1;
  const int64_t place = step_number % ((turns.encoder + turns.decoder) * unit);
  encoder_learns_ = place < turns.encoder * unit;
  decoder_learns_ = !encoder_learns_;
  if (place == turns.encoder * unit) copy_encoder();
}

torch::Tensor Recvae::log_prior(const torch::Tensor& ids, const torch::Tensor& z) {
  DenseSetEncoderImpl::Output old;
  {
    const torch::NoGradGuard no_grad;
    old = old_encoder_->forward(ids, 0.0);
  }
  const auto zero = torch::zeros({}, z.options());                                   // []
  const auto wide = torch::full({}, options_.prior.wide_log_variance, z.options());  // []
  const auto parts =
      at::stack({std::log(options_.prior.standard) + log_normal(z, zero, zero),
                 std::log(options_.prior.old) + log_normal(z, old.mean, old.log_variance),
                 std::log(options_.prior.wide) + log_normal(z, zero, wide)},
                -1);                          // [B, latent, 3]
  return at::logsumexp(parts, {-1}).sum(-1);  // [B]
}

LossParts Recvae::loss(const Represented& rows, const std::vector<torch::Tensor>&,
                       int64_t step_number) {
  const auto& ids = rows.fixed[0];  // [B, T]
  torch::Tensor z, distance;
  {
    const torch::AutoGradMode grad(encoder_learns_ && torch::GradMode::is_enabled());
    const auto [mean, log_variance] =
        encoder_->forward(ids, encoder_learns_ ? options_.dropout : 0.0);
    z = drawn(mean, log_variance, rows.fixed[1], step_number);  // [B, latent]
    const auto sizes = ids.ne(kPaddingId).sum(1);               // [B]
    distance =
        (sizes * (log_normal(z, mean, log_variance).sum(-1) - log_prior(ids, z))).sum();  // []
  }
  const auto likelihood = cross_entropy(z, ids, decoder_learns_);     // []
  LossParts parts{.sum = likelihood + options_.kl_weight * distance,  // []
                  .weight = static_cast<double>(ids.size(0))};
  parts.logged["kl"] = distance.item<double>();
  return parts;
}

}  // namespace reckon
