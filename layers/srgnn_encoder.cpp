#include "layers/srgnn_encoder.h"

#include "layers/initialize.h"

namespace reckon {

void SrgnnEncoder::Options::describe(Schema<Options>& schema) {
  schema.field("steps", &Options::steps)
      .positive()
      .doc(
          "How often states move along the edges. One costs least by far: with more, each prefix "
          "is "
          "computed for itself.");
}

SrgnnEncoder::SrgnnEncoder(const Options& options, const Deps& deps) : width_(deps.width) {
  const auto linear = [](int64_t input, int64_t output) {
    return torch::nn::Linear(torch::nn::LinearOptions(input, output).bias(false));
  };
  graph_ = register_module("graph", SessionGraph(width_, options.steps));
  query_ = register_module("query", torch::nn::Linear(width_, width_));
  key_ = register_module("key", linear(width_, width_));
  weight_ = register_module("weight", linear(width_, 1));
  output_ = register_module("output", linear(2 * width_, width_));
  for (const auto& layer : {query_, key_, weight_, output_}) xavier_uniform(layer);
}

torch::Tensor SrgnnEncoder::read_out(const SessionStates& states) {
  const auto& newest = states.newest;
  const auto query = query_->forward(newest);                                           // [B, P, D]
  const auto of_newest = weight_->forward(at::sigmoid(query + key_->forward(newest)));  // [B, P, 1]
  auto global = newest * (of_newest * states.newest_count.unsqueeze(-1));               // [B, P, D]

  const bool alike = states.others.dim() == 3;
  auto key = key_->forward(states.others);  // [B, (P), T, D]
  if (alike) key = key.unsqueeze(1);        // [B, 1, T, D]
  const auto weights = weight_->forward(at::sigmoid(query.unsqueeze(2) + key)).squeeze(-1) *
                       states.counts;  // [B, P, T]
  if (alike)
    global = global + at::matmul(weights, states.others);  // [B, P, D]
  else
    global = global + at::matmul(weights.unsqueeze(2), states.others).squeeze(2);  // [B, P, D]
  return output_->forward(at::cat({newest, global}, -1));                          // [B, P, D]
}

}  // namespace reckon
