#pragma once

#include <torch/types.h>

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "evaluation/options.h"

namespace reckon {

/// Draws the competitors of a sampled evaluation, without replacement.
///
/// A draw is a function of (seed, user) alone. With Distribution::kPopularity an item comes up in
/// proportion to its training interactions, and never when it has none.
class SampledCandidates {
 public:
  /// `item_counts` [I] int64 is only looked at for kPopularity.
  SampledCandidates(int64_t num_items, const torch::Tensor& item_counts,
                    const NegativeSampling& options);

  /// How many are to be drawn for a user.
  int64_t count() const { return options_.count; }

  /// Distinct items outside of `excluded`, ascending: count(), or all that are left.
  std::vector<int64_t> draw(int64_t user, const std::unordered_set<int64_t>& excluded) const;

 private:
  int64_t weight(int64_t item) const;

  int64_t num_items_;
  int64_t count_;  // never more than there are items
  NegativeSampling options_;
  std::vector<int64_t> cumulative_;  // [I] running sums of weights
};

}  // namespace reckon
