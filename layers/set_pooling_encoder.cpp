#include "layers/set_pooling_encoder.h"

#include "layers/initialize.h"

namespace reckon {

namespace {
// Below any score that bounded terms add up to: the weight of padding is zero.
constexpr double kEmptyScore = -1e30;
}  // namespace

void SetPoolingEncoder::Options::describe(Schema<Options>& schema) {
  schema.field("pooling", &Options::pooling).doc("How the items become one vector.");
  schema.field("leave_out_target", &Options::leave_out_target)
      .doc(
          "Learn each item from the others alone; with false it is in the set that it is learnt "
          "from.");
  schema.field("hidden_units", &Options::hidden_units)
      .positive()
      .doc("Widths of hidden layers behind the pooling; none by default.");
  schema.field("activation", &Options::activation).doc("Nonlinearity of the hidden layers.");
  schema.field("dropout", &Options::dropout)
      .must_be_in(0.0, 0.99)
      .doc("Drop probability behind each hidden layer.");
  schema.field("projection", &Options::projection)
      .doc("A linear map as the last layer; hidden layers need it.");
  schema.invariant("leave_out_target", "needs `pooling: mean`: attention looks at the whole set",
                   [](const Options& o) {
                     return !o.leave_out_target || o.pooling == Pooling::kMean;
                   });
  schema.invariant("projection", "cannot be false behind hidden_units, whose width is their own",
                   [](const Options& o) { return o.projection || o.hidden_units.empty(); });
}

SetPoolingEncoder::SetPoolingEncoder(const Options& options, const Deps& deps)
    : options_(options), width_(deps.width) {
  if (options.pooling == Pooling::kAttention) {
    key_ = register_module("key", torch::nn::Linear(width_, width_));
    query_ = register_module("query",
                             torch::nn::Linear(torch::nn::LinearOptions(width_, 1).bias(false)));
    xavier_uniform(key_);
    xavier_uniform(query_);
  }
  int64_t width = width_;
  if (!options.hidden_units.empty()) {
    const MlpImpl::Options layers{.hidden_units = options.hidden_units,
                                  .activation = options.activation,
                                  .dropout = options.dropout};
    tower_ = register_module("tower", Mlp(layers, width));
    width = options.hidden_units.back();
  }
  if (!options.projection) return;
  output_ = register_module("output",
                            torch::nn::Linear(torch::nn::LinearOptions(width, width_).bias(false)));
  xavier_uniform(output_);
}

torch::Tensor SetPoolingEncoder::map(const torch::Tensor& pooled) {
  auto h = pooled;                                 // [..., D]
  if (!tower_.is_empty()) h = tower_->forward(h);  // [..., H]
  return output_.is_empty() ? h : output_->forward(h);
}

torch::Tensor SetPoolingEncoder::from_sum(const torch::Tensor& sum, const torch::Tensor& count) {
  TORCH_CHECK(adds_up(), "SetPoolingEncoder: attention weighs what it sums up");
  return map(sum / count.clamp_min(1).unsqueeze(-1));  // [..., D]
}

torch::Tensor SetPoolingEncoder::state_of(const torch::Tensor& x, const torch::Tensor& valid) {
  TORCH_CHECK(x.dim() == 3 && x.size(2) == width_ && valid.dim() == 2,
              "SetPoolingEncoder: expected x [B, T, ", width_, "] and valid [B, T], got ",
              x.sizes(), " and ", valid.sizes());
  if (adds_up()) return from_sum((x * valid.unsqueeze(-1)).sum(1), valid.sum(1));  // [B, D]
  return map((weights_of(x, valid) * x).sum(1));                                   // [B, D]
}

torch::Tensor SetPoolingEncoder::forward(const torch::Tensor& x, const torch::Tensor& valid) {
  return state_of(x, valid).unsqueeze(1).expand_as(x);  // [B, T, D]
}

torch::Tensor SetPoolingEncoder::weights_of(const torch::Tensor& x, const torch::Tensor& valid) {
  const auto kept = valid.unsqueeze(-1);  // [B, T, 1]
  if (options_.pooling == Pooling::kMean)
    return kept.to(x.scalar_type()) / kept.sum(1, /*keepdim=*/true).clamp_min(1);  // [B, T, 1]
  const auto scores = query_->forward(at::tanh(key_->forward(x)))
                          .masked_fill(kept.logical_not(), kEmptyScore);  // [B, T, 1]
  return at::softmax(scores, 1) * kept;                                   // [B, T, 1]
}

torch::Tensor SetPoolingEncoder::summands(const torch::Tensor& x, const torch::Tensor& values,
                                          const torch::Tensor& valid) {
  TORCH_CHECK(is_sum_of_steps(), "SetPoolingEncoder: behind hidden layers a state is no sum");
  return map(weights_of(x, valid) * values);  // [B, T, D]
}

torch::Tensor SetPoolingEncoder::forward_for_targets(const torch::Tensor& x,
                                                     const torch::Tensor& valid) {
  if (!options_.leave_out_target) return state_of(x, valid).unsqueeze(1);      // [B, 1, D]
  const auto own = x * valid.unsqueeze(-1);                                    // [B, T, D]
  const auto others = valid.sum(1, /*keepdim=*/true).sub(1).expand_as(valid);  // [B, T]
  return from_sum(own.sum(1, /*keepdim=*/true) - own, others);                 // [B, T, D]
}

}  // namespace reckon
