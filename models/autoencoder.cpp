#include "models/autoencoder.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/ids.h"
#include "core/random.h"
#include "kernels/dropout.h"
#include "kernels/softmax_cross_entropy.h"
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

// Each item once, in ascending order; what is left over, and ids of no item, are padding in front.
// Shapes   ids [B, T] -> [B, T]
torch::Tensor distinct(const torch::Tensor& ids) {
  const auto sorted = std::get<0>(ids.sort(1));                                         // [B, T]
  const auto before = at::constant_pad_nd(sorted, {1, 0}, kPaddingId).slice(1, 0, -1);  // [B, T]
  const auto keep = sorted.ne(before).logical_and(sorted.ge(0));                        // [B, T]
  return std::get<0>(sorted.masked_fill(keep.logical_not(), kPaddingId).sort(1));       // [B, T]
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
  output_ = register_module("output", make_table(deps.num_items, first, xavier));
  output_bias_ = register_module("output_bias", make_table(deps.num_items, 1,
                                                           {EmbeddingInit::Kind::kUniform, 0.0}));
  if (options.variational)
    noise_seed_ =
        register_buffer("noise_seed", torch::randint(int64_t{1} << 62, {1}, torch::kLong));  // [1]
}

RequestNeeds Autoencoder::request_needs() const {
  return {.max_length = RequestNeeds::kWholeHistory};
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

torch::Tensor Autoencoder::noise(const torch::Tensor& users, int64_t step_number,
                                 const torch::TensorOptions& options) const {
  const auto width = options_.latent;
  auto out = torch::empty({users.size(0), width}, torch::kFloat);  // [B, latent]
  const auto ids = users.cpu().contiguous();                       // [B]
  const auto* user = ids.const_data_ptr<int64_t>();
  auto* value = out.data_ptr<float>();
  const RandomKey key(static_cast<uint64_t>(noise_seed_.item<int64_t>()), RandomStream::kMask,
                      static_cast<uint64_t>(step_number));
  for (int64_t row = 0; row < ids.numel(); ++row) {
    const auto own = key.child(static_cast<uint64_t>(user[row]));
    // Box and Muller: two independent uniform numbers make two normal ones.
    for (int64_t d = 0; d < width; d += 2) {
      const auto radius =
          std::sqrt(-2.0F * std::log(1.0F - random_uniform_float(own, static_cast<uint64_t>(d))));
      const auto angle = 2.0F * std::numbers::pi_v<float> *
                         random_uniform_float(own, static_cast<uint64_t>(d) + 1);
      value[row * width + d] = radius * std::cos(angle);
      if (d + 1 < width) value[row * width + d + 1] = radius * std::sin(angle);
    }
  }
  return out.to(options);  // [B, latent]
}

State Autoencoder::encode(const Batch& request) {
  const auto ids = distinct(request.at(batch_key::kHistory));  // [B, T]
  const auto any = ids.ne(kPaddingId).any(1).unsqueeze(-1);    // [B, 1]
  return {{decode(to_latent(ids).mean) * any}};                // [B, H]
}

torch::Tensor Autoencoder::score(const State& state, const torch::Tensor& candidates) {
  const auto vectors = output_->lookup(candidates);                           // [B, C, H]
  const auto products = at::matmul(vectors, state.tensors[0].unsqueeze(-1));  // [B, C, 1]
  return (products + output_bias_->lookup(candidates)).squeeze(-1);           // [B, C]
}

std::optional<Factors> Autoencoder::factors() {
  return Factors{.items = output_->all(), .item_bias = output_bias_->all().squeeze(1)};
}

torch::Tensor Autoencoder::queries(const State& state) {
  return state.tensors[0].unsqueeze(1);  // [B, 1, H]
}

Needs Autoencoder::needs() const {
  Needs needs;
  needs.examples = Needs::Examples::kSets;
  needs.max_length = RequestNeeds::kWholeHistory;
  needs.users = options_.variational;
  return needs;
}

Learnable::Represented Autoencoder::represent(const Batch& shard,
                                              const std::vector<torch::Tensor>&) {
  // Rows of a shard do not meet, so that all of it is made where the number of the step is known.
  Represented out;
  out.fixed = {distinct(shard.at(batch_key::kHistory)), shard.find(batch_key::kUsers)};
  return out;
}

LossParts Autoencoder::loss(const Represented& rows, const std::vector<torch::Tensor>&,
                            int64_t step_number) {
  const auto& ids = rows.fixed[0];  // [B, T]
  const auto [mean, log_variance] = to_latent(ids);
  auto z = mean;  // [B, latent]
  torch::Tensor distance;
  double beta = 0.0;
  if (options_.variational) {
    if (is_training())
      z = z + at::exp(0.5 * log_variance) * noise(rows.fixed[1], step_number, z.options());
    distance = 0.5 * (log_variance.exp() + mean.square() - 1.0 - log_variance).sum();  // []
    beta = options_.anneal_steps == 0
               ? options_.kl_weight
               : options_.kl_weight * std::min(1.0, static_cast<double>(step_number) /
                                                        static_cast<double>(options_.anneal_steps));
  }
  const auto queries = decode(z);  // [B, H]
  // One softmax serves all items of a user: it is weighted by their number and told one of them as the
  // target; what the others' scores differ by is added.
  const auto counted = ids.ne(kPaddingId).to(queries.scalar_type());  // [B, T]
  const auto sizes = counted.sum(1);                                  // [B]
  auto differences = counted.clone();                                 // [B, T]
  differences.select(1, -1).sub_(sizes);
  const auto items = output_->sum_of_rows(ids, differences);        // [B, H]
  const auto biases = output_bias_->sum_of_rows(ids, differences);  // [B, 1]
  const auto likelihood =
      softmax_cross_entropy(queries, output_->all(), output_bias_->all().squeeze(1),
                            ids.select(1, -1).contiguous(), sizes) -
      (queries * items).sum() - biases.sum();  // []
  LossParts parts{.sum = likelihood, .weight = static_cast<double>(ids.size(0))};
  if (!options_.variational) return parts;
  parts.sum = parts.sum + beta * distance;  // []
  parts.logged["kl"] = distance.item<double>();
  return parts;
}

}  // namespace reckon
