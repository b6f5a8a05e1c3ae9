#pragma once

#include "kernels/rating_sgd_loops.h"

namespace reckon {

/// One epoch of stochastic gradient descent of matrix factorisation over all ratings, user by user,
/// each user's in their order (Koren, Bell, Volinsky, IEEE Computer 2009): for e = r - p(u, i),
///
///   p(u, i) = mean + b_u + b_i + <p_u, q_i>           (without `biased`: <p_u, q_i>)
///   b += lr (e - l2 b),  p_u += lr (e q_i - l2 p_u),  q_i += lr (e p_u - l2 q_i)
///
/// where both vectors take the other as it was before the rating. Serial: what comes out depends on
/// the order and on nothing else. Returns the mean of e^2.
double factor_sgd_epoch(const RatingRows& ratings, const FactorTables& tables,
                        const FactorRates& rates);

/// The same of SVD++ (Koren, "Factorization Meets the Neighborhood", KDD 2008), where
///
///   p(u, i) = mean + b_u + b_i + <q_i, p_u + n^(-1/2) sum_j y_j>,  j over the n items of u,
///   y_j += lr (e n^(-1/2) q_i - l2 y_j)   for each j and each rating
///
/// Each y_j of a user takes the same affine step at each of the user's ratings, so that the n steps
/// of n vectors are one: O(D) for a rating and not O(n D), with the same result. Items of a user
/// must differ. `implicit` is the table of y.
double factor_pp_sgd_epoch(const RatingRows& ratings, const FactorTables& tables, float* implicit,
                           const FactorRates& rates);

}  // namespace reckon
