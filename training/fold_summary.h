#pragma once

#include <string>
#include <vector>

#include "evaluation/result.h"

namespace reckon {

/// A metric over the folds of a cross-validation.
struct FoldMetric {
  std::string name;
  std::vector<double> values;  ///< Of each fold the mean over its seeds.
  double mean = 0.0;
  double deviation = 0.0;  ///< Of the sample (n - 1) over folds; NaN for one.
  double half_width =
      0.0;  ///< Of the 95 % interval around the mean, by Student's t with n - 1 degrees.
};

/// What the folds came to. Folds share most of their training rows, so that the interval is
/// narrower than one of independent data sets would be (Bengio, Grandvalet, JMLR 2004): it says how
/// far the mean depends on the division, not how two models compare.
struct FoldSummary {
  std::vector<FoldMetric> metrics;  ///< Those that every fold has.
};

/// `results[f]` are those of the seeds of fold f + 1.
FoldSummary summarize_folds(const std::vector<std::vector<EvaluationResult>>& results);

/// The summary as a table for people, and as JSON for programs.
std::string to_text(const FoldSummary& summary);
std::string to_json(const FoldSummary& summary);

}  // namespace reckon
