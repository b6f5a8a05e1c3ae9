#include "layers/dot_scorer.h"

#include <stdexcept>

#include "kernels/dropout.h"
#include "layers/unit_vectors.h"

namespace reckon {

namespace {

EmbeddingTable make_bias(int64_t num_rows) {
  EmbeddingTable table(EmbeddingTableImpl::Options{
      .num_rows = num_rows, .width = 1, .init = {EmbeddingInit::Kind::kUniform, 0.0}});
  return table;
}

}  // namespace

void DotScorer::Options::describe(Schema<Options>& schema) {
  schema.field("item_bias", &Options::item_bias).doc("A trained number for each item.");
  schema.field("user_bias", &Options::user_bias).doc("A trained number for each user.");
  schema.field("global_bias", &Options::global_bias).doc("One trained number for all scores.");
  schema.field("normalize", &Options::normalize).doc("Score by the cosine.");
  schema.field("temperature", &Options::temperature)
      .positive()
      .doc("Divides the inner product, not the biases.");
  schema.field("dropout", &Options::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Drop probability of user vectors in training, behind the normalisation.");
}

DotScorer::DotScorer(const Options& options, const Deps& deps) : options_(options) {
  if (options.user_bias && !deps.has_user_ids)
    throw std::invalid_argument("user_bias needs users with an id, and the model has none");
  if (options.item_bias) item_bias_ = register_module("item_bias", make_bias(deps.num_items));
  if (options.user_bias) user_bias_ = register_module("user_bias", make_bias(deps.num_users));
  if (options.global_bias)
    global_bias_ = register_parameter("global_bias", torch::zeros({1}));  // [1]
}

torch::Tensor DotScorer::forward(const ScorerSide& users, const ScorerSide& items) {
  const auto u = user_vectors(users.vectors);  // [P, D]
  const auto v = item_vectors(items.vectors);  // [P, C, D] or [C, D]
  TORCH_CHECK(u.dim() == 2 && (v.dim() == 2 || v.dim() == 3),
              "DotScorer: expected users [P, D] and items [P, C, D] or [C, D], got ", u.sizes(),
              " and ", v.sizes());
  auto scores = v.dim() == 2 ? at::matmul(u, v.transpose(0, 1))
                             : at::matmul(v, u.unsqueeze(-1)).squeeze(-1);  // [P, C]
  const auto bias = bias_of(items.ids);                                     // [P, C] or [C]
  if (bias.defined()) scores = scores + bias;                               // [P, C]
  if (options_.user_bias) scores = scores + user_bias_->lookup(users.ids);  // [P, C]
  return scores;
}

torch::Tensor DotScorer::item_biases() const {
  return options_.item_bias ? item_bias_->all().squeeze(1).detach() : torch::Tensor();  // [I]
}

torch::Tensor DotScorer::query_form(const ScorerSide& users) {
  return user_vectors(users.vectors);  // [P, D]
}

InnerProduct DotScorer::item_form(const ScorerSide& items) {
  return {item_vectors(items.vectors), bias_of(items.ids)};  // [I, D], [I]
}

torch::Tensor DotScorer::query_parts(const torch::Tensor& parts, const torch::Tensor& whole) {
  auto scaled = parts;                                                          // [P, N, D]
  if (options_.normalize) scaled = scaled / norms_of(whole).unsqueeze(1);       // [P, N, D]
  return options_.temperature == 1.0 ? scaled : scaled / options_.temperature;  // [P, N, D]
}

torch::Tensor DotScorer::query_bias(const ScorerSide& users) {
  if (!options_.user_bias) return {};
  return user_bias_->lookup(users.ids).squeeze(-1);  // [P]
}

torch::Tensor DotScorer::user_vectors(const torch::Tensor& vectors) const {
  auto u = options_.normalize ? unit_vectors(vectors) : vectors;              // [P, D]
  u = reckon::dropout(u, options_.dropout, is_training());                    // [P, D]
  return options_.temperature == 1.0 ? u : u * (1.0 / options_.temperature);  // [P, D]
}

torch::Tensor DotScorer::item_vectors(const torch::Tensor& vectors) const {
  return options_.normalize ? unit_vectors(vectors) : vectors;  // [..., D]
}

torch::Tensor DotScorer::bias_of(const torch::Tensor& ids) const {
  torch::Tensor bias = global_bias_;  // [1]
  if (options_.item_bias) {
    const auto rows = item_bias_->lookup(ids).squeeze(-1);  // [...]
    return bias.defined() ? rows + bias : rows;             // [...]
  }
  if (!bias.defined()) return bias;
  return bias.expand_as(ids);  // [...]
}

}  // namespace reckon
