#include "models/popularity.h"

#include <limits>

namespace reckon {

void Popularity::Options::describe(Schema<Options>&) {}

Popularity::Popularity(const Options&, const Deps& deps)
    : counts_(register_buffer("counts", torch::zeros({deps.num_items}))) {}

double Popularity::fit(const Interactions& train, const Context&) {
  TORCH_CHECK(train.num_items == num_items(), "popularity: made for ", num_items(),
              " items, got data of ", train.num_items);
  counts_.copy_(item_counts(train));
  return std::numeric_limits<double>::quiet_NaN();
}

Contract Popularity::contract() const {
  return {.known_user = true, .new_user_with_history = true};
}

State Popularity::encode(const Batch& request) {
  const auto users = request.at(batch_key::kUsers);
  return {{torch::ones_like(users, torch::kFloat)}};  // [B]
}

torch::Tensor Popularity::score(const State& state, const torch::Tensor& candidates) {
  return counts_.index({candidates}) * state.tensors[0].unsqueeze(1);  // [B, C]
}

std::optional<Factors> Popularity::factors() {
  return Factors{.items = counts_.unsqueeze(1), .item_bias = {}};  // [I, 1]
}

torch::Tensor Popularity::queries(const State& state) {
  return state.tensors[0].unsqueeze(1).unsqueeze(2);  // [B, 1, 1]
}

}  // namespace reckon
