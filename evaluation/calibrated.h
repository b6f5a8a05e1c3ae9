#pragma once

#include <memory>

#include "evaluation/reranker.h"

namespace reckon {

/// Lists whose categories are spread like the user's own (Steck, "Calibrated Recommendations",
/// RecSys 2018): each place takes the candidate that makes the largest
///
///   (1 - calibration) sum_{i in list} relevance(i) - calibration KL(p || q~),
///   KL(p || q~) = sum_g p(g) log(p(g) / q~(g)),   q~ = 0.99 q + 0.01 p
///
/// p and q are the mean over the history and over the list of an item's even share for each of its
/// categories (ItemCategories::shares). A user whose history has no category keeps the order. Only the
/// terms of a candidate's own categories are computed for it: O(length x (categories + candidates x
/// categories of one)).
class Calibrated : public Reranker {
 public:
  struct Options {
    double calibration = 0.5;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   ConfigError when the config names no categories.
  Calibrated(const Options& options, const Deps& deps);
  std::vector<size_t> choose(const RerankRequest& request, size_t length) const override;

 private:
  Options options_;
  std::shared_ptr<const ItemCategories> categories_;
};

}  // namespace reckon
