#pragma once

#include "models/ratings.h"

namespace reckon {

/// How far each user and each item rates from the mean: b(u, i) = mean + b_u + b_i (Koren, "Factor
/// in the Neighbors", ACM TKDD 2010).
///
/// Both ways minimise the sum of (r - b(u, i))^2 + l2 (b_u^2 + b_i^2) over the training ratings,
/// `als` with l2 of its own for each side that is paid once for each bias, `sgd` with one that is
/// paid for each rating.
struct BaselineOptions {
  enum class Method { kAls, kSgd };

  Method method = Method::kAls;
  int64_t epochs = 10;
  double user_l2 = 15.0;
  double item_l2 = 10.0;
  double lr = 0.005;
  double l2 = 0.02;

  static void describe(Schema<BaselineOptions>& schema);
};

template <>
struct EnumNames<BaselineOptions::Method> {
  static std::vector<std::pair<std::string, BaselineOptions::Method>> all() {
    return {{"als", BaselineOptions::Method::kAls}, {"sgd", BaselineOptions::Method::kSgd}};
  }
};

/// One sweep over all ratings, from `users` [U] and `items` [I], which it changes. Returns the mean
/// squared error: after the sweep of `als`, met on the way of `sgd`.
double baseline_sweep(const Ratings& ratings, const BaselineOptions& options, float* users,
                      float* items);

}  // namespace reckon
