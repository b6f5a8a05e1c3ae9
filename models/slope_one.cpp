#include "models/slope_one.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>

namespace reckon {

void SlopeOne::Options::describe(Schema<Options>& schema) {
  schema.field("scale", &Options::scale).doc("The scale of the ratings.");
  schema.field("weighted", &Options::weighted)
      .doc("Whether a pair of items counts as often as users rated both.");
}

SlopeOne::SlopeOne(const Options& options, const Deps& deps)
    : FittedRatingModel(deps, "slope_one"),
      options_(options),
      deviations_(register_buffer("deviations", torch::empty({0, 0}))),
      weights_(register_buffer("weights", torch::empty({0, 0}))),
      no_items_(register_buffer("no_items", torch::zeros({deps.num_items}))),
      offsets_(register_buffer("offsets", torch::zeros({deps.num_users + 1}, torch::kLong))),
      rated_(register_buffer("rated", torch::empty({0}, torch::kLong))) {}

double SlopeOne::fit(const Interactions& train, const Context&) {
  const int64_t num_items = this->num_items();
  const Ratings ratings(train, num_users(), num_items, options_.scale, "slope_one");
  means_->fit(ratings);
  auto deviations = torch::zeros({num_items, num_items});  // [I, I]
  auto weights = torch::zeros({num_items, num_items});     // [I, I]
  auto* sums = deviations.mutable_data_ptr<float>();
  auto* counts = weights.mutable_data_ptr<float>();
  // Row j of the item that a user has: each thread writes rows of its own.
  at::parallel_for(0, num_items, 1, [&](int64_t begin, int64_t end) {
    std::vector<double> total(static_cast<size_t>(num_items));
    std::vector<int64_t> both(static_cast<size_t>(num_items));
    for (int64_t j = begin; j < end; ++j) {
      std::fill(total.begin(), total.end(), 0.0);
      std::fill(both.begin(), both.end(), 0);
      const auto raters = ratings.of_item(j);
      for (int64_t n = 0; n < raters.size; ++n) {
        const auto own = ratings.of_user(raters.others[n]);
        for (int64_t m = 0; m < own.size; ++m) {
          total[static_cast<size_t>(own.others[m])] += own.values[m] - raters.values[n];
          ++both[static_cast<size_t>(own.others[m])];
        }
      }
      for (int64_t i = 0; i < num_items; ++i) {
        const auto common = both[static_cast<size_t>(i)];
        if (common == 0) continue;
        const double weight = options_.weighted ? static_cast<double>(common) : 1.0;
        counts[j * num_items + i] = static_cast<float>(weight);
        sums[j * num_items + i] = static_cast<float>(weight * total[static_cast<size_t>(i)] /
                                                     static_cast<double>(common));
      }
    }
  });
  fill_buffer(deviations_, deviations);
  fill_buffer(weights_, weights);
  offsets_.copy_(torch::from_blob(const_cast<int64_t*>(ratings.user_offsets()),
                                  {ratings.num_users() + 1}, torch::kLong));  // [U + 1]
  fill_buffer(rated_, torch::from_blob(const_cast<int32_t*>(ratings.items()), {ratings.size()},
                                       torch::kInt)
                          .to(torch::kLong));  // [E]
  return std::numeric_limits<double>::quiet_NaN();
}

void SlopeOne::check_buffers() const {
  if (rated_.size(0) == 0) return;  // not fitted
  if (deviations_.dim() != 2 || deviations_.size(0) != num_items() ||
      deviations_.size(1) != num_items() || !weights_.sizes().equals(deviations_.sizes()))
    throw std::invalid_argument("slope_one: expected tables of " + std::to_string(num_items()) +
                                " by " + std::to_string(num_items()) + " items");
  check_ragged(offsets_, rated_, num_items(), "slope_one");
}

State SlopeOne::encode(const Batch& request) {
  return {{known_users(request.at(batch_key::kUsers))}};  // [B]
}

torch::Tensor SlopeOne::score_all(const State& state) {
  const auto& users = state.tensors[0];
  const auto spread = ragged_rows(offsets_, users);
  // One where a user has an item; zeros of a size that follows from the users, so that a trace
  // holds.
  const auto has = (users.unsqueeze(1) * 0 + no_items_.unsqueeze(0))
                       .index_put({spread.segments, rated_.index({spread.places})},
                                  torch::ones({}, no_items_.options()));  // [B, I]
  const auto sums = has.matmul(deviations_);                              // [B, I]
  const auto counts = has.matmul(weights_);                               // [B, I]
  const auto means = means_->predict_all(users);                          // [B, I]
  return options_.scale.clipped(means + sums / counts.clamp_min(1.0));    // [B, I]
}

torch::Tensor SlopeOne::score(const State& state, const torch::Tensor& candidates) {
  return score_all(state).gather(1, candidates);  // [B, C]
}

}  // namespace reckon
