#include "models/svd_pp.h"

#include <cmath>

#include "kernels/rating_sgd.h"

namespace reckon {

void SvdPp::Options::describe(Schema<Options>& schema) { describe_factor_sgd(schema); }

SvdPp::SvdPp(const Options& options, const Deps& deps)
    : FittedRatingModel(deps, "svd_pp"),
      options_(options),
      users_(register_buffer("users", torch::zeros({deps.num_users, options.dim}))),
      items_(register_buffer("items", torch::zeros({deps.num_items, options.dim}))),
      implicit_(register_buffer("implicit", torch::zeros({deps.num_items, options.dim}))),
      whole_users_(register_buffer("whole_users", torch::zeros({deps.num_users, options.dim}))),
      user_bias_(register_buffer("user_bias", torch::zeros({deps.num_users}))),
      item_bias_(register_buffer("item_bias", torch::zeros({deps.num_items}))) {}

double SvdPp::fit(const Interactions& train, const Context& context) {
  Ratings ratings(train, num_users(), num_items(), options_.scale, "svd_pp",
                  /*by_item=*/context.round == 0);
  ratings.shuffle_each_user(context.seed, context.round);
  if (context.round == 0) {
    means_->fit(ratings);
    draw_vectors(options_, context.seed, {users_}, {items_, implicit_});
    user_bias_.zero_();
    item_bias_.zero_();
  }
  const double loss = factor_pp_sgd_epoch(ratings.rows(),
                                          {.users = users_.mutable_data_ptr<float>(),
                                           .items = items_.mutable_data_ptr<float>(),
                                           .user_bias = user_bias_.mutable_data_ptr<float>(),
                                           .item_bias = item_bias_.mutable_data_ptr<float>(),
                                           .width = options_.dim,
                                           .mean = static_cast<float>(ratings.mean()),
                                           .biased = true},
                                          implicit_.mutable_data_ptr<float>(),
                                          {.lr = static_cast<float>(options_.lr),
                                           .l2 = static_cast<float>(options_.l2)});
  whole_users_.copy_(users_);
  const auto width = options_.dim;
  const float* implicit = implicit_.const_data_ptr<float>();
  for (int64_t user = 0; user < ratings.num_users(); ++user) {
    const auto own = ratings.of_user(user);
    if (own.size == 0) continue;
    const float share = 1.0F / std::sqrt(static_cast<float>(own.size));
    float* whole = whole_users_.mutable_data_ptr<float>() + user * width;
    for (int64_t j = 0; j < own.size; ++j)
      for (int64_t d = 0; d < width; ++d) whole[d] += share * implicit[own.others[j] * width + d];
  }
  return loss;
}

State SvdPp::encode(const Batch& request) {
  const auto users = known_users(request.at(batch_key::kUsers));  // [B]
  return {{rows_of_known(whole_users_, users), rows_of_known(user_bias_, users)}};
}

torch::Tensor SvdPp::score(const State& state, const torch::Tensor& candidates) {
  const auto products =
      items_.index({candidates}).matmul(state.tensors[0].unsqueeze(2)).squeeze(2);  // [B, C]
  return options_.scale.clipped(means_->mean() + state.tensors[1].unsqueeze(1) +
                                item_bias_.index({candidates}) + products);  // [B, C]
}

torch::Tensor SvdPp::score_all(const State& state) {
  return options_.scale.clipped(means_->mean() + state.tensors[1].unsqueeze(1) +
                                item_bias_.unsqueeze(0) +
                                state.tensors[0].matmul(items_.t()));  // [B, I]
}

}  // namespace reckon
