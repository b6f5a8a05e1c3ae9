#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace reckon {

/// The per-user values of one evaluated run: what runs are compared by.
///
/// Shapes   V users, M metrics
struct RunResults {
  std::string name;         ///< What tables call it.
  std::string fingerprint;  ///< Of the data.
  std::string protocol;     ///< EvaluationResult::protocol.
  std::string split;
  std::vector<std::string> users;    ///< [V] raw ids, distinct
  std::vector<std::string> metrics;  ///< [M]
  torch::Tensor values;              // [V, M] float64; NaN where a user has no value
};

struct ComparisonOptions {
  int64_t bootstrap_samples = 10000;
  int64_t permutations = 10000;
  double confidence = 0.95;
  uint64_t seed = 0;
};

/// An interval that holds a mean with the given confidence.
struct Interval {
  double low = 0.0;
  double high = 0.0;
};

/// Percentile intervals of the means of columns over the same users, who are drawn anew with
/// replacement (Efron and Tibshirani, 1993; for rankings Sakai, SIGIR 2006).
///
/// A function of the values and the options alone; of columns together the same as of each alone.
/// Throws   c10::Error when columns are empty or of different lengths.
std::vector<Interval> bootstrap_intervals(const std::vector<std::vector<double>>& columns,
                                          const ComparisonOptions& options);

/// p-value of the two-sided randomisation test on paired differences: how often |mean| is as large
/// when each user's sign is drawn anew (Smucker, Allan and Carterette, CIKM 2007).
///
/// All 2^V sign vectors where these are no more than `permutations`, else as many drawn ones and the
/// observed one among them: (1 + hits) / (1 + permutations), which is never 0.
double randomization_test(const std::vector<double>& differences, const ComparisonOptions& options);

/// Holm's step-down adjustment of p-values (Scandinavian Journal of Statistics, 1979): reject where
/// the adjusted value is at most alpha, and the chance of any false rejection is at most alpha.
std::vector<double> holm(const std::vector<double>& p_values);

/// One metric of one run beside the baseline.
struct Difference {
  std::string metric, run;
  int64_t num_users = 0;  ///< Those with a value in both.
  double mean = 0.0;      ///< Of run - baseline, over these users.
  Interval interval;      ///< Of that mean.
  double p_value = 0.0;
  double adjusted_p = 0.0;  ///< Holm's, over all differences of the comparison.
};

/// Runs side by side; the first one is the baseline.
struct Comparison {
  ComparisonOptions options;
  std::string protocol, split;
  int64_t num_users = 0;
  std::vector<std::string> runs, metrics;
  std::vector<std::vector<double>> means;        ///< [runs][metrics], over users with a value
  std::vector<std::vector<Interval>> intervals;  ///< [runs][metrics], of these means
  std::vector<Difference> differences;           ///< Metric by metric, each run but the first.
};

/// Runs that differ in their seed alone as one run: each user's value is the mean over the seeds.
/// Throws   DataError with a sentence when they differ in data, split, protocol, users or metrics.
RunResults mean_of_seeds(const std::vector<RunResults>& runs, const std::string& name);

/// Compares every run with the first one on the metrics that all of them have.
/// Throws   DataError with a sentence when there are fewer than two runs, no common metric, or runs of
///          different data, split, protocol or users.
Comparison compare_runs(const std::vector<RunResults>& runs, const ComparisonOptions& options = {});

/// The comparison as a table for people, and as JSON for programs.
std::string to_text(const Comparison& comparison);
std::string to_json(const Comparison& comparison);

/// The value that a variable of Student's t distribution is below with `probability`, in (0, 1).
double student_t_quantile(double probability, double degrees);

}  // namespace reckon
