#include "models/nmf.h"

#include <ATen/Parallel.h>

namespace reckon {
namespace {

constexpr int64_t kFactorsPerTask = 64;

// The new rows of one side, of the old ones of both; `errors` [count] takes the squared errors met.
template <class RatingsOf>
void move_side(const RatingsOf& ratings_of, int64_t count, int64_t width, float l2,
               const float* own, const float* others, float* out, double* errors) {
  at::parallel_for(0, count, kFactorsPerTask, [&](int64_t begin, int64_t end) {
    std::vector<float> wanted(static_cast<size_t>(width)), got(static_cast<size_t>(width));
    for (int64_t i = begin; i < end; ++i) {
      const RatingsOfOne ratings = ratings_of(i);
      const float* p = own + i * width;
      std::fill(wanted.begin(), wanted.end(), 0.0F);
      std::fill(got.begin(), got.end(), 0.0F);
      errors[i] = 0.0;
      for (int64_t j = 0; j < ratings.size; ++j) {
        const float* q = others + ratings.others[j] * width;
        float product = 0.0F;
        for (int64_t d = 0; d < width; ++d) product += p[d] * q[d];
        const float rating = ratings.values[j];
        errors[i] += static_cast<double>(rating - product) * (rating - product);
        for (int64_t d = 0; d < width; ++d) {
          wanted[static_cast<size_t>(d)] += q[d] * rating;
          got[static_cast<size_t>(d)] += q[d] * product;
        }
      }
      const float shrink = static_cast<float>(ratings.size) * l2;
      for (int64_t d = 0; d < width; ++d) {
        const float below = got[static_cast<size_t>(d)] + shrink * p[d];
        // All of it is zero once p or every q is: then so it stays.
        out[i * width + d] = below > 0.0F ? p[d] * (wanted[static_cast<size_t>(d)] / below) : 0.0F;
      }
    }
  });
}

}  // namespace

void Nmf::Options::describe(Schema<Options>& schema) {
  schema.field("scale", &Options::scale)
      .doc("The scale of the ratings, of which none may be negative.");
  schema.field("dim", &Options::dim).at_least(1).doc("Width of the vectors.");
  schema.field("epochs", &Options::epochs).at_least(1).doc("Sweeps over all ratings.");
  schema.field("user_l2", &Options::user_l2)
      .at_least(0)
      .doc("Times the squared vector of a user, for each rating.");
  schema.field("item_l2", &Options::item_l2)
      .at_least(0)
      .doc("Times the squared vector of an item, for each rating.");
  schema.field("init_low", &Options::init_low)
      .at_least(0)
      .doc("Vectors are drawn uniformly from here.");
  schema.field("init_high", &Options::init_high).at_least(0).doc("To here.");
  schema.invariant("init_high", "must be above 'init_low'",
                   [](const Options& o) { return o.init_high > o.init_low; });
  schema.invariant("scale", "low: must be at least 0, as products of non-negative vectors are",
                   [](const Options& o) { return o.scale.low >= 0.0; });
}

Nmf::Nmf(const Options& options, const Deps& deps)
    : FittedRatingModel(deps, "nmf"),
      options_(options),
      users_(register_buffer("users", torch::zeros({deps.num_users, options.dim}))),
      items_(register_buffer("items", torch::zeros({deps.num_items, options.dim}))) {}

double Nmf::fit(const Interactions& train, const Context& context) {
  const Ratings ratings(train, users_.size(0), num_items(), options_.scale, "nmf");
  if (context.round == 0) {
    means_->fit(ratings);
    users_.copy_(uniform_table(users_.size(0), options_.dim, options_.init_low, options_.init_high,
                               context.seed, 0));
    items_.copy_(uniform_table(num_items(), options_.dim, options_.init_low, options_.init_high,
                               context.seed, 1));
  }
  const auto old_users = users_.clone(), old_items = items_.clone();  // [U, D], [I, D]
  const auto* users = old_users.const_data_ptr<float>();
  const auto* items = old_items.const_data_ptr<float>();
  std::vector<double> errors(static_cast<size_t>(std::max(users_.size(0), num_items())));
  move_side([&](int64_t i) { return ratings.of_item(i); }, num_items(), options_.dim,
            static_cast<float>(options_.item_l2), items, users, items_.mutable_data_ptr<float>(),
            errors.data());
  move_side([&](int64_t u) { return ratings.of_user(u); }, users_.size(0), options_.dim,
            static_cast<float>(options_.user_l2), users, items, users_.mutable_data_ptr<float>(),
            errors.data());
  double sum = 0.0;
  for (int64_t user = 0; user < users_.size(0); ++user) sum += errors[static_cast<size_t>(user)];
  return sum / static_cast<double>(ratings.size());
}

State Nmf::encode(const Batch& request) {
  const auto users = known_users(request.at(batch_key::kUsers));  // [B]
  return {{users, rows_of_known(users_, users)}};
}

torch::Tensor Nmf::score(const State& state, const torch::Tensor& candidates) {
  const auto products =
      items_.index({candidates}).matmul(state.tensors[1].unsqueeze(2)).squeeze(2);  // [B, C]
  return options_.scale.clipped(or_means(products, state.tensors[0], candidates));  // [B, C]
}

torch::Tensor Nmf::score_all(const State& state) {
  return options_.scale.clipped(
      or_means_of_all(state.tensors[1].matmul(items_.t()), state.tensors[0]));  // [B, I]
}

}  // namespace reckon
