#include "models/svd.h"

#include "kernels/rating_sgd.h"

namespace reckon {

void Svd::Options::describe(Schema<Options>& schema) {
  describe_factor_sgd(schema);
  schema.field("biased", &Options::biased)
      .doc("Whether the mean and a bias of each user and item are added to the product.");
}

Svd::Svd(const Options& options, const Deps& deps)
    : FittedRatingModel(deps, "svd"),
      options_(options),
      users_(register_buffer("users", torch::zeros({deps.num_users, options.dim}))),
      items_(register_buffer("items", torch::zeros({deps.num_items, options.dim}))),
      user_bias_(register_buffer("user_bias", torch::zeros({deps.num_users}))),
      item_bias_(register_buffer("item_bias", torch::zeros({deps.num_items}))) {}

double Svd::fit(const Interactions& train, const Context& context) {
  Ratings ratings(train, num_users(), num_items(), options_.scale, "svd",
                  /*by_item=*/context.round == 0);
  ratings.shuffle_each_user(context.seed, context.round);
  if (context.round == 0) {
    means_->fit(ratings);
    draw_vectors(options_, context.seed, {users_}, {items_});
    user_bias_.zero_();
    item_bias_.zero_();
  }
  return factor_sgd_epoch(ratings.rows(),
                          {.users = users_.mutable_data_ptr<float>(),
                           .items = items_.mutable_data_ptr<float>(),
                           .user_bias = user_bias_.mutable_data_ptr<float>(),
                           .item_bias = item_bias_.mutable_data_ptr<float>(),
                           .width = options_.dim,
                           .mean = static_cast<float>(ratings.mean()),
                           .biased = options_.biased},
                          {.lr = static_cast<float>(options_.lr),
                           .l2 = static_cast<float>(options_.l2)});
}

State Svd::encode(const Batch& request) {
  const auto users = known_users(request.at(batch_key::kUsers));  // [B]
  return {{users, rows_of_known(users_, users), rows_of_known(user_bias_, users)}};
}

torch::Tensor Svd::with_biases(const torch::Tensor& products, const State& state,
                               const torch::Tensor& item_bias) const {
  return means_->mean() + state.tensors[2].unsqueeze(1) + item_bias + products;  // [B, C]
}

torch::Tensor Svd::score(const State& state, const torch::Tensor& candidates) {
  const auto products =
      items_.index({candidates}).matmul(state.tensors[1].unsqueeze(2)).squeeze(2);  // [B, C]
  if (options_.biased)
    return options_.scale.clipped(with_biases(products, state, item_bias_.index({candidates})));
  return options_.scale.clipped(or_means(products, state.tensors[0], candidates));  // [B, C]
}

torch::Tensor Svd::score_all(const State& state) {
  const auto products = state.tensors[1].matmul(items_.t());  // [B, I]
  if (options_.biased)
    return options_.scale.clipped(with_biases(products, state, item_bias_.unsqueeze(0)));
  return options_.scale.clipped(or_means_of_all(products, state.tensors[0]));  // [B, I]
}

}  // namespace reckon
