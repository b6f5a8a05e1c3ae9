#include "layers/recurrent_encoder.h"

#include <torch/nn/modules/rnn.h>

#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

void RecurrentOptions::describe(Schema<RecurrentOptions>& schema) {
  schema.field("num_layers", &RecurrentOptions::num_layers)
      .positive()
      .doc("Layers, one on another.");
  schema.field("hidden", &RecurrentOptions::hidden)
      .at_least(0)
      .doc("Width of the state; 0 is the model's dim. Another width is mapped back to dim.");
  schema.field("dropout", &RecurrentOptions::dropout)
      .must_be_in(0.0, 0.99)
      .doc("Drop probability behind each layer.");
}

RecurrentEncoder::RecurrentEncoder(Cell cell, const RecurrentOptions& options, const Deps& deps)
    : cell_(cell),
      dropout_(options.dropout),
      width_(deps.width),
      hidden_(options.hidden > 0 ? options.hidden : deps.width) {
  layers_ = register_module("layers", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.num_layers; ++i) {
    const int64_t input = i == 0 ? width_ : hidden_;
    if (cell == Cell::kGru)
      layers_->push_back(torch::nn::GRU(torch::nn::GRUOptions(input, hidden_).batch_first(true)));
    else
      layers_->push_back(torch::nn::LSTM(torch::nn::LSTMOptions(input, hidden_).batch_first(true)));
  }
  if (hidden_ == width_) return;
  output_ = register_module("output", torch::nn::Linear(hidden_, width_));
  xavier_uniform(output_);
}

torch::Tensor RecurrentEncoder::forward(const torch::Tensor& x, const torch::Tensor& valid) {
  TORCH_CHECK(x.dim() == 3 && x.size(2) == width_ && valid.dim() == 2,
              "RecurrentEncoder: expected x [B, T, ", width_, "] and valid [B, T], got ", x.sizes(),
              " and ", valid.sizes());
  // Valid steps first, in their order; what follows them comes after and changes none of them.
  const auto order = at::argsort(valid.logical_not().to(torch::kInt), /*stable=*/true, 1,
                                 /*descending=*/false);                              // [B, T]
  const auto places = at::argsort(order, /*stable=*/true, 1, /*descending=*/false);  // [B, T]
  auto state = x.gather(1, order.unsqueeze(-1).expand_as(x));                        // [B, T, D]

  // The first state is made from the input, for a number B must not enter a trace.
  const auto zero = at::zeros_like(x.select(1, 0).narrow(1, 0, 1));         // [B, 1]
  const auto start = zero.expand({-1, hidden_}).unsqueeze(0).contiguous();  // [1, B, hidden]
  for (const auto& layer : *layers_) {
    if (cell_ == Cell::kGru)
      state = std::get<0>(layer->as<torch::nn::GRU>()->forward(state, start));  // [B, T, hidden]
    else
      state = std::get<0>(layer->as<torch::nn::LSTM>()->forward(
          state, std::make_tuple(start, start)));             // [B, T, hidden]
    state = reckon::dropout(state, dropout_, is_training());  // [B, T, hidden]
  }
  if (!output_.is_empty()) state = output_->forward(state);    // [B, T, D]
  state = state.gather(1, places.unsqueeze(-1).expand_as(x));  // [B, T, D]
  return state * valid.unsqueeze(-1);                          // [B, T, D]
}

}  // namespace reckon
