#include "models/baseline_estimates.h"

#include <ATen/Parallel.h>

namespace reckon {
namespace {

constexpr int64_t kEstimatesPerTask = 256;

// b = sum (r - mean - b_other) / (l2 + n), exactly the minimum with the other side held.
template <class RatingsOf>
void solve_side(const RatingsOf& ratings_of, int64_t count, double mean, double l2,
                const float* others, float* biases) {
  at::parallel_for(0, count, kEstimatesPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const RatingsOfOne own = ratings_of(i);
      double sum = 0.0;
      for (int64_t j = 0; j < own.size; ++j) sum += own.values[j] - mean - others[own.others[j]];
      biases[i] =
          own.size > 0 ? static_cast<float>(sum / (l2 + static_cast<double>(own.size))) : 0.0F;
    }
  });
}

double squared_error(const Ratings& ratings, const float* users, const float* items) {
  double sum = 0.0;
  for (int64_t user = 0; user < ratings.num_users(); ++user) {
    const auto own = ratings.of_user(user);
    for (int64_t j = 0; j < own.size; ++j) {
      const double error = own.values[j] - (ratings.mean() + users[user] + items[own.others[j]]);
      sum += error * error;
    }
  }
  return sum / static_cast<double>(ratings.size());
}

}  // namespace

void BaselineOptions::describe(Schema<BaselineOptions>& schema) {
  schema.field("method", &BaselineOptions::method)
      .doc("Alternating least squares, or stochastic gradient descent.");
  schema.field("epochs", &BaselineOptions::epochs).at_least(1).doc("Sweeps over all ratings.");
  schema.field("user_l2", &BaselineOptions::user_l2)
      .at_least(0)
      .doc("als: times the squared bias of each user.");
  schema.field("item_l2", &BaselineOptions::item_l2)
      .at_least(0)
      .doc("als: times the squared bias of each item.");
  schema.field("lr", &BaselineOptions::lr).positive().doc("sgd: the rate of learning.");
  schema.field("l2", &BaselineOptions::l2)
      .at_least(0)
      .doc("sgd: times both squared biases, for each rating.");
}

double baseline_sweep(const Ratings& ratings, const BaselineOptions& options, float* users,
                      float* items) {
  if (options.method == BaselineOptions::Method::kAls) {
    solve_side([&](int64_t i) { return ratings.of_item(i); }, ratings.num_items(), ratings.mean(),
               options.item_l2, users, items);
    solve_side([&](int64_t u) { return ratings.of_user(u); }, ratings.num_users(), ratings.mean(),
               options.user_l2, items, users);
    return squared_error(ratings, users, items);
  }
  double sum = 0.0;
  for (int64_t user = 0; user < ratings.num_users(); ++user) {
    const auto own = ratings.of_user(user);
    double user_bias = users[user];
    for (int64_t j = 0; j < own.size; ++j) {
      float& item_bias = items[own.others[j]];
      const double error = own.values[j] - (ratings.mean() + user_bias + item_bias);
      user_bias += options.lr * (error - options.l2 * user_bias);
      item_bias += static_cast<float>(options.lr * (error - options.l2 * item_bias));
      sum += error * error;
    }
    users[user] = static_cast<float>(user_bias);
  }
  return sum / static_cast<double>(ratings.size());
}

}  // namespace reckon
