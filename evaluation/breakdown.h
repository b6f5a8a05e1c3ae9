#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "evaluation/evaluator.h"
#include "evaluation/ranked_lists.h"

namespace reckon {

/// Neighbouring whole numbers that are looked at together.
struct Bucket {
  int64_t low = 0;  ///< Smallest and largest value that is there, both inclusive.
  int64_t high = 0;
  int64_t count = 0;  ///< Of the values.

  bool holds(int64_t value) const { return value >= low && value <= high; }
};

/// At most `max_buckets` buckets over all `values` with about equally many in each; equal values are
/// never parted, and a value stands in exactly one bucket.
std::vector<Bucket> quantile_buckets(std::span<const int64_t> values, int64_t max_buckets);

/// The bucket that holds `value`, or -1.
int64_t bucket_of(const std::vector<Bucket>& buckets, int64_t value);

/// A share of pairs, and its standard error with users as the independent units.
struct Share {
  double value = 0.0;           ///< NaN without pairs.
  double standard_error = 0.0;  ///< NaN for fewer than two users.
  int64_t num_pairs = 0;
};

/// Training interactions of the item of each pair (user, relevant item) of a split.
std::vector<int64_t> relevant_popularity(const EvaluationInput& input,
                                         std::optional<double> relevant_from);

/// Recall over pairs, by how popular the item is: of the pairs (user, relevant item) whose item has
/// its training interactions in a bucket, the share with the item among the first k of the user's list.
///
/// A relevant item of a user without a list is not found. The standard error is that of a ratio of
/// sums over users.
std::vector<Share> found_by_popularity(const RankedLists& lists, const EvaluationInput& input,
                                       std::optional<double> relevant_from, int64_t k,
                                       const std::vector<Bucket>& buckets);

/// How many of the first k places of all lists each item takes.   Shapes  -> [num_items]
std::vector<int64_t> recommendation_counts(const RankedLists& lists, int64_t num_items, int64_t k);

/// A point of a cumulative curve, both in [0, 1].
struct CurvePoint {
  double items = 0.0;   ///< Share of the catalogue, the most popular first.
  double places = 0.0;  ///< Share of `counts` that these items take.
};

/// Where `counts` fall, over items from the most to the least popular (ties by index): the long-tail
/// curve, at most `max_points` + 1 points from (0, 0) to (1, 1). Empty when nothing is counted.
std::vector<CurvePoint> long_tail(std::span<const int64_t> counts,
                                  std::span<const int64_t> item_counts, int64_t max_points = 200);

}  // namespace reckon
