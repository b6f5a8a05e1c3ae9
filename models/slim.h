#pragma once

#include "models/item_weights.h"

namespace reckon {

/// Sparse linear model: each item as a weighted sum of other items (SLIM: Ning, Karypis, ICDM 2011).
///
///   minimise over w with w[j] = 0:  1/2 |x_j - X w|^2 + l1 |w|_1 + l2 / 2 |w|^2
///
/// for every item j by itself, X users by items, one where there is an interaction; with
/// `non_negative` (as in the paper) over w >= 0. Coordinate descent over the items that share a user
/// with j: without negative weights no other can have one, and of the others none is asked for.
class Slim : public ItemWeightsModel {
 public:
  struct Options {
    double l1 = 1.0;
    double l2 = 10.0;
    bool non_negative = true;
    int64_t max_sweeps = 50;
    double tolerance = 1e-3;
    int64_t keep = 0;
    static void describe(Schema<Options>& schema);
  };

  Slim(const Options& options, const Deps& deps);

  /// Returns the mean of the minimised sum over items.
  double fit(const Interactions& train, const Context& context) override;

 private:
  Options options_;
};

}  // namespace reckon
