#pragma once

#include <torch/types.h>

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "evaluation/item_categories.h"

namespace reckon {

// The formulas stand in docs/metrics.md. Lists are dense item ids, best first; a negative id is a
// place in the list that holds nothing we know (and so can be no hit).

/// The value of a metric where it has none.
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// What a ranked list got right: all that the ranking metrics look at.
struct Hits {
  std::vector<int64_t> ranks;  ///< Of the relevant items in the list, from 1, ascending.
  int64_t num_relevant = 0;    ///< In the list or not.
};

/// `relevant` is ascending and distinct.
Hits find_hits(std::span<const int64_t> list, std::span<const int64_t> relevant);

// Ranking, each in [0, 1]. NaN when nothing is relevant: such a user is left out of means.

/// Part of the relevant items that stand in the first k places.
double recall(const Hits& hits, int64_t k);

/// Discounted gain 1 / log2(1 + rank) over that of a list with all hits in front
/// (Järvelin and Kekäläinen, TOIS 2002); the ideal has min(num_relevant, k) hits.
double ndcg(const Hits& hits, int64_t k);

/// 1 when any relevant item stands in the first k places.
double hit_rate(const Hits& hits, int64_t k);

/// 1 / rank of the first hit, 0 when it stands behind place k.
double mrr(const Hits& hits, int64_t k);

/// Average precision: the sum of precision at each hit over min(num_relevant, k).
double average_precision(const Hits& hits, int64_t k);

/// Part of the first k places that are relevant; a list shorter than k is still divided by k.
double precision(const Hits& hits, int64_t k);

/// Probability that a relevant item scores above another one; equal scores count half.
/// NaN when either side is empty.
double auc(std::span<const float> relevant_scores, std::span<const float> other_scores);

// Ratings, in the unit of the ratings.

/// Root of the mean squared error; NaN when empty.
/// Throws c10::Error when the lengths differ.
double rmse(std::span<const float> predictions, std::span<const float> labels);

/// Mean absolute error; NaN when empty.
/// Throws c10::Error when the lengths differ.
double mae(std::span<const float> predictions, std::span<const float> labels);

// Beyond accuracy. `recommended` says for each item of the catalogue how many lists hold it.

/// Part of the catalogue that stands in at least one list.
double coverage(std::span<const int64_t> recommended);

/// Gini index of how often items are recommended: 0 when all equally often, near 1 when one takes
/// all. NaN when nothing is recommended.
double gini(std::span<const int64_t> recommended);

/// Mean number of training interactions of the items of a list.   Range  [0, most popular item]
double average_popularity(std::span<const int64_t> list, std::span<const int64_t> item_counts);

/// Mean self-information -log2 p(i) of a list, p(i) = max(count_i, 1) / sum of counts
/// (Zhou et al., PNAS 2010).   Unit  bits
double novelty(std::span<const int64_t> list, std::span<const int64_t> item_counts,
               int64_t total_count);

/// 1 - mean cosine over the pairs of a list (Ziegler et al., WWW 2005); a zero vector is at cosine 0
/// from all. NaN for fewer than two items.
///
/// Shapes   unit_vectors [I, D] float32 contiguous, rows of length 1 or 0
/// Range    [0, 2]; at most n / (n - 1) for n items
double diversity(std::span<const int64_t> list, const torch::Tensor& unit_vectors);

/// One category's part of miscalibration: p log(p / q~), q~ = 0.99 q + 0.01 p; 0 where p is 0.
double miscalibration_term(double wanted, double found);

/// Kullback-Leibler divergence of the categories of a list from those of the user's history, the sum of
/// miscalibration_term() over categories (Steck, RecSys 2018). NaN for an empty list, and where
/// `wanted`, ItemCategories::shares of the history, is all zero.   Range  [0, log 100]
double miscalibration(std::span<const double> wanted, std::span<const int64_t> list,
                      const ItemCategories& categories);

/// Share of all categories that any item of a list has (Zhai, Cohen, Lafferty, SIGIR 2003: subtopic
/// recall). NaN for an empty list, and when no item of the catalogue has a category.
double category_coverage(std::span<const int64_t> list, const ItemCategories& categories);

/// Rows divided by their length; zero rows stay.   Shapes  [I, D] -> [I, D] float32 contiguous
torch::Tensor unit_rows(const torch::Tensor& vectors);

/// Mean and standard error over those values that are not NaN.
struct Summary {
  double mean = 0.0;            ///< NaN when there are no values.
  double standard_error = 0.0;  ///< Deviation (n - 1) / sqrt(n); NaN for fewer than two values.
  int64_t count = 0;
};
Summary summarize(std::span<const double> values);

}  // namespace reckon
