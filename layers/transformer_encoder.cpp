#include "layers/transformer_encoder.h"

#include <stdexcept>

#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

namespace {

constexpr int64_t kDefaultHiddenFactor = 4;

torch::nn::Linear make_gate(int64_t width) {
  torch::nn::Linear gate(width, width);
  xavier_uniform(gate);
  return gate;
}

}  // namespace

void TransformerEncoder::Options::describe(Schema<Options>& schema) {
  schema.field("num_blocks", &Options::num_blocks).positive().doc("Blocks, one on another.");
  schema.field("num_heads", &Options::num_heads)
      .positive()
      .doc("Attention heads; must divide the model's dim.");
  schema.field("hidden", &Options::hidden)
      .at_least(0)
      .doc("Width inside the feed-forward network; 0 is four times the model's dim.");
  schema.field("dropout", &Options::dropout)
      .must_be_in(0.0, 0.99)
      .doc("Drop probability of both branches and inside the feed-forward network.");
  schema.field("attention_dropout", &Options::attention_dropout)
      .must_be_in(0.0, 0.99)
      .doc("Drop probability of attention weights.");
  schema.field("activation", &Options::activation).doc("Nonlinearity of the feed-forward network.");
  schema.field("residual", &Options::residual)
      .doc(
          "How a branch joins what flows past it: added, added behind a trained gate (LiGR), or "
          "as in the original SASRec.");
  schema.field("norm", &Options::norm).doc("Normalise before a branch or after its sum.");
  schema.field("norm_type", &Options::norm_type)
      .doc("Layer norm, or by the root mean square alone.");
  schema.field("norm_eps", &Options::norm_eps).positive().doc("Added to the variance.");
  schema.field("final_norm", &Options::final_norm).doc("Normalise the output of the last block.");
  schema.field("attend_padding", &Options::attend_padding)
      .doc(
          "Let every step also see the places that a history shorter than max_length leaves empty, "
          "as "
          "implementations without a key mask do: the shorter the history, the less its items "
          "weigh.");
  schema.invariant("norm", "must be pre with `residual: sasrec`, which says where it normalises",
                   [](const Options& o) {
                     return o.residual != ResidualKind::kSasrec || o.norm == NormPlace::kPre;
                   });
}

TransformerEncoder::TransformerEncoder(const Options& options, const Deps& deps)
    : width_(deps.width), num_places_(options.attend_padding ? deps.max_length : 0) {
  if (deps.width % options.num_heads != 0)
    throw std::invalid_argument("num_heads " + std::to_string(options.num_heads) +
                                " does not divide the width " + std::to_string(deps.width));
  blocks_ = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.num_blocks; ++i)
    blocks_->push_back(TransformerBlock(options, deps.width));
  if (options.final_norm)
    final_norm_ =
        register_module("final_norm", Norm(options.norm_type, deps.width, options.norm_eps));
}

torch::Tensor TransformerEncoder::forward(const torch::Tensor& x, const torch::Tensor& valid) {
  TORCH_CHECK(x.dim() == 3 && x.size(2) == width_ && valid.dim() == 2,
              "TransformerEncoder: expected x [B, T, ", width_, "] and valid [B, T], got ",
              x.sizes(), " and ", valid.sizes());
  const auto mask = causal_mask(valid, num_places_);
  auto state = x;  // [B, T, D]
  for (const auto& block : *blocks_)
    state = block->as<TransformerBlock>()->forward(state, mask);        // [B, T, D]
  return final_norm_.is_empty() ? state : final_norm_->forward(state);  // [B, T, D]
}

TransformerBlockImpl::TransformerBlockImpl(const TransformerEncoder::Options& options,
                                           int64_t width)
    : options_(options) {
  const int64_t hidden = options.hidden > 0 ? options.hidden : kDefaultHiddenFactor * width;
  attention_norm_ =
      register_module("attention_norm", Norm(options.norm_type, width, options.norm_eps));
  attention_ =
      register_module("attention",
                      SelfAttention(width, options.num_heads, options.attention_dropout,
                                    /*separate_query=*/options.residual == ResidualKind::kSasrec));
  feed_forward_norm_ =
      register_module("feed_forward_norm", Norm(options.norm_type, width, options.norm_eps));
  feed_forward_ = register_module("feed_forward",
                                  FeedForward(options.activation, width, hidden, options.dropout));
  if (options.residual == ResidualKind::kGated) {
    attention_gate_ = register_module("attention_gate", make_gate(width));
    feed_forward_gate_ = register_module("feed_forward_gate", make_gate(width));
  }
}

torch::Tensor TransformerBlockImpl::forward(const torch::Tensor& x, const AttentionMask& mask) {
  if (options_.residual == ResidualKind::kSasrec) {
    const auto query = attention_norm_->forward(x);                 // [B, T, D]
    const auto seen = query + attention_->forward(query, x, mask);  // [B, T, D]
    const auto y = feed_forward_norm_->forward(seen);               // [B, T, D]
    return join(y, feed_forward_->forward(y), feed_forward_gate_);  // [B, T, D]
  }
  if (options_.norm == NormPlace::kPre) {
    const auto seen = join(x, attention_->forward(attention_norm_->forward(x), mask),
                           attention_gate_);  // [B, T, D]
    return join(seen, feed_forward_->forward(feed_forward_norm_->forward(seen)),
                feed_forward_gate_);  // [B, T, D]
  }
  const auto seen = attention_norm_->forward(
      join(x, attention_->forward(x, mask), attention_gate_));  // [B, T, D]
  return feed_forward_norm_->forward(
      join(seen, feed_forward_->forward(seen), feed_forward_gate_));  // [B, T, D]
}

torch::Tensor TransformerBlockImpl::join(const torch::Tensor& x, const torch::Tensor& branch,
                                         torch::nn::Linear& gate) const {
  const auto kept = reckon::dropout(branch, options_.dropout, is_training());  // [B, T, D]
  if (gate.is_empty()) return x + kept;                                        // [B, T, D]
  return x + gate->forward(x).sigmoid() * kept;                                // [B, T, D]
}

}  // namespace reckon
