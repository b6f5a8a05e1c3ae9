#include "models/baseline_only.h"

namespace reckon {

void BaselineOnly::Options::describe(Schema<Options>& schema) {
  schema.field("scale", &Options::scale).doc("The scale of the ratings.");
  schema.field("baseline", &Options::baseline).doc("How the biases are learnt.");
}

BaselineOnly::BaselineOnly(const Options& options, const Deps& deps)
    : FittedRatingModel(deps, "baseline_only"),
      options_(options),
      user_bias_(register_buffer("user_bias", torch::zeros({deps.num_users}))),
      item_bias_(register_buffer("item_bias", torch::zeros({deps.num_items}))) {}

double BaselineOnly::fit(const Interactions& train, const Context& context) {
  const Ratings ratings(train, user_bias_.size(0), num_items(), options_.scale, "baseline_only");
  if (context.round == 0) {
    means_->fit(ratings);
    user_bias_.zero_();
    item_bias_.zero_();
  }
  return baseline_sweep(ratings, options_.baseline, user_bias_.mutable_data_ptr<float>(),
                        item_bias_.mutable_data_ptr<float>());
}

State BaselineOnly::encode(const Batch& request) {
  return {{rows_of_known(user_bias_, known_users(request.at(batch_key::kUsers)))}};  // [B]
}

torch::Tensor BaselineOnly::score(const State& state, const torch::Tensor& candidates) {
  return options_.scale.clipped(means_->mean() + state.tensors[0].unsqueeze(1) +
                                item_bias_.index({candidates}));  // [B, C]
}

torch::Tensor BaselineOnly::score_all(const State& state) {
  return options_.scale.clipped(means_->mean() + state.tensors[0].unsqueeze(1) +
                                item_bias_.unsqueeze(0));  // [B, I]
}

}  // namespace reckon
