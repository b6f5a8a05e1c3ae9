#include "models/svd.h"

#include "kernels/rating_sgd.h"

namespace reckon {

void Svd::Options::describe(Schema<Options>& schema) {
  schema.field("scale", &Options::scale).doc("The scale of the ratings.");
  schema.field("dim", &Options::dim).at_least(1).doc("Width of the vectors.");
  schema.field("epochs", &Options::epochs).at_least(1).doc("Sweeps over all ratings.");
  schema.field("biased", &Options::biased)
      .doc("Whether the mean and a bias of each user and item are added to the product.");
  schema.field("lr", &Options::lr).positive().doc("The rate of learning.");
  schema.field("l2", &Options::l2)
      .at_least(0)
      .doc("Times the squared vectors and biases, for each rating.");
  schema.field("init_mean", &Options::init_mean).doc("Mean of the normal draws of vectors.");
  schema.field("init_scale", &Options::init_scale).at_least(0).doc("Their standard deviation.");
}

Svd::Svd(const Options& options, const Deps& deps)
    : options_(options),
      means_(register_module("means", RatingMeans(deps.num_users, deps.num_items))),
      users_(register_buffer("users", torch::zeros({deps.num_users, options.dim}))),
      items_(register_buffer("items", torch::zeros({deps.num_items, options.dim}))),
      user_bias_(register_buffer("user_bias", torch::zeros({deps.num_users}))),
      item_bias_(register_buffer("item_bias", torch::zeros({deps.num_items}))) {
  require_ratings(deps.has_ratings, "svd");
}

double Svd::fit(const Interactions& train, const Context& context) {
  Ratings ratings(train, user_bias_.size(0), num_items(), options_.scale, "svd",
                  /*by_item=*/context.round == 0);
  ratings.shuffle_each_user(context.seed, context.round);
  if (context.round == 0) {
    means_->fit(ratings);
    const auto draw = [&](torch::Tensor& table, const torch::Tensor& known, uint64_t number) {
      table.copy_(normal_table(table.size(0), options_.dim, options_.init_mean, options_.init_scale,
                               context.seed, number) *
                  known.unsqueeze(1));  // [N, D]
    };
    draw(users_, means_->known_users(torch::arange(users_.size(0))).ge(0), 0);
    draw(items_, means_->known_items(torch::arange(num_items())), 1);
    user_bias_.zero_();
    item_bias_.zero_();
  }
  return factor_sgd_epoch({.user_offsets = ratings.user_offsets(),
                           .items = ratings.items(),
                           .values = ratings.values(),
                           .num_users = ratings.num_users()},
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

Contract Svd::contract() const { return {.known_user = true, .fallback = rating_fallback()}; }

torch::Tensor Svd::known_users(const torch::Tensor& users) {
  return means_->known_users(users);  // [B]
}

torch::Tensor Svd::usable(const Batch& request) {
  return torch::ones_like(request.at(batch_key::kUsers), torch::kBool);  // [B]
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
  // A product with a vector of zeros is no rating.
  const auto known =
      state.tensors[0].ge(0).unsqueeze(1).logical_and(means_->known_items(candidates));  // [B, C]
  return options_.scale.clipped(
      torch::where(known, products, means_->predict(state.tensors[0], candidates)));  // [B, C]
}

torch::Tensor Svd::score_all(const State& state) {
  const auto products = state.tensors[1].matmul(items_.t());  // [B, I]
  if (options_.biased)
    return options_.scale.clipped(with_biases(products, state, item_bias_.unsqueeze(0)));
  const auto known = state.tensors[0].ge(0).unsqueeze(1).logical_and(
      means_->all_known_items().unsqueeze(0));  // [B, I]
  return options_.scale.clipped(
      torch::where(known, products, means_->predict_all(state.tensors[0])));  // [B, I]
}

}  // namespace reckon
