#include "layers/gcsan_encoder.h"

#include <cmath>

#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

void GcsanEncoder::Options::describe(Schema<Options>& schema) {
  schema.field("steps", &Options::steps)
      .positive()
      .doc(
          "How often states move along the edges. One costs least by far: with more, each prefix "
          "is "
          "computed for itself.");
  schema.field("num_blocks", &Options::num_blocks)
      .positive()
      .doc(
          "Blocks of attention, one on another. One costs least by far: with more, each prefix is "
          "computed for itself.");
  schema.field("hidden", &Options::hidden)
      .at_least(0)
      .doc("Width inside the feed-forward network; 0 is the model's dim.");
  schema.field("dropout", &Options::dropout)
      .must_be_in(0.0, 0.99)
      .doc("Drop probability of attention, of the feed-forward network and inside it.");
  schema.field("attention_weight", &Options::attention_weight)
      .must_be_in(0.0, 1.0)
      .doc(
          "Weight of what attention makes of the newest item; its state in the graph is the rest.");
}

GcsanEncoder::GcsanEncoder(const Options& options, const Deps& deps)
    : options_(options), width_(deps.width) {
  graph_ = register_module("graph", SessionGraph(width_, options.steps));
  blocks_ = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.num_blocks; ++i) blocks_->push_back(GcsanBlock(options, width_));
}

torch::Tensor GcsanEncoder::read_out(const SessionStates& states, Prefixes prefixes) {
  const double weight = options_.attention_weight;
  return weight * attended(states, prefixes) + (1.0 - weight) * states.newest;  // [B, P, D]
}

torch::Tensor GcsanEncoder::attended(const SessionStates& states, Prefixes prefixes) {
  const bool alike = states.others.dim() == 3;
  if (alike && options_.num_blocks == 1)
    return blocks_[0]->as<GcsanBlock>()->of_newest(states);  // [B, P, D]
  // Padding has something to look at too, itself.
  const auto count = at::where(states.is_newest, states.newest_count.clamp_min(1).unsqueeze(2),
                               states.counts);      // [B, P, T]
  const auto log_count = count.log().unsqueeze(2);  // [B, P, 1, T]
  auto e = at::where(states.is_newest.unsqueeze(-1), states.newest.unsqueeze(2),
                     alike ? states.others.unsqueeze(1) : states.others);  // [B, P, T, D]
  for (int64_t i = 0; i + 1 < options_.num_blocks; ++i)
    e = blocks_[static_cast<size_t>(i)]->as<GcsanBlock>()->forward(e, e, log_count);
  const auto newest = prefixes == Prefixes::kAll ? e.diagonal(0, 1, 2).transpose(1, 2)  // [B, T, D]
                                                 : e.select(2, -1);                     // [B, 1, D]
  auto* last = blocks_[blocks_->size() - 1]->as<GcsanBlock>();
  return last->forward(newest.unsqueeze(2), e, log_count).squeeze(2);  // [B, P, D]
}

GcsanBlockImpl::GcsanBlockImpl(const GcsanEncoder::Options& options, int64_t width)
    : dropout_(options.dropout), scale_(1.0 / std::sqrt(static_cast<double>(width))) {
  const auto linear = [&](int64_t parts) {
    return torch::nn::Linear(torch::nn::LinearOptions(width, parts * width).bias(false));
  };
  query_ = register_module("query", linear(1));
  input_ = register_module("input", linear(2));
  xavier_uniform(query_);
  xavier_uniform(input_, 2);
  feed_forward_ =
      register_module("feed_forward",
                      FeedForward(FeedForwardKind::kRelu, width,
                                  options.hidden > 0 ? options.hidden : width, options.dropout));
}

torch::Tensor GcsanBlockImpl::of_newest(const SessionStates& states) {
  const auto query = query_->forward(states.newest) * scale_;       // [B, P, D]
  const auto own = input_->forward(states.newest).chunk(2, -1);     // [B, P, D] twice
  const auto others = input_->forward(states.others).chunk(2, -1);  // [B, T, D] twice
  const auto to_others =
      at::matmul(query, others[0].transpose(1, 2)) + states.counts.log();  // [B, P, T]
  // Padding has something to look at too, itself.
  const auto to_own = (query * own[0]).sum(-1, /*keepdim=*/true) +
                      states.newest_count.clamp_min(1).log().unsqueeze(-1);  // [B, P, 1]
  const auto weights = at::cat({to_others, to_own}, -1).softmax(-1);         // [B, P, T + 1]
  return behind(at::matmul(weights.slice(-1, 0, -1), others[1]) +
                weights.slice(-1, -1) * own[1]);  // [B, P, D]
}

torch::Tensor GcsanBlockImpl::forward(const torch::Tensor& asking, const torch::Tensor& e,
                                      const torch::Tensor& log_count) {
  const auto parts = input_->forward(e).chunk(2, -1);  // [B, P, T, D] twice
  return behind(at::scaled_dot_product_attention(query_->forward(asking), parts[0], parts[1],
                                                 log_count));  // [B, P, Q, D]
}

torch::Tensor GcsanBlockImpl::behind(const torch::Tensor& seen) {
  const auto f = reckon::dropout(seen, dropout_, is_training());                   // [..., D]
  return f + reckon::dropout(feed_forward_->forward(f), dropout_, is_training());  // [..., D]
}

}  // namespace reckon
