#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "datasets/interactions.h"
#include "evaluation/metric_name.h"
#include "evaluation/ranked_lists.h"

namespace reckon {

/// `train`, `validation` or `test`.
std::string split_name(Split split);

/// A value as tables show it: four digits, "-" where there is none.
std::string format_value(double value);

/// One line of a result.
struct MetricValue {
  MetricName name;
  double mean = 0.0;            ///< NaN when no user has a value.
  double standard_error = 0.0;  ///< Over users; NaN where it does not exist.
  int64_t num_users = 0;        ///< Users that have a value.
};

/// What an evaluation found.
struct EvaluationResult {
  Split split = Split::kTest;
  std::string protocol;  ///< In words: what was ranked, what was masked, what counts as relevant.
  std::string
      reranking;  ///< How lists were chosen, as the config says it; empty: as the model ranks.
  bool is_sampled = false;
  std::string fingerprint;

  std::vector<MetricValue> metrics;  ///< In the order of the options.
  int64_t num_users_left_out = 0;    ///< In the split, but without a relevant item.
  int64_t num_fallback_users = 0;  ///< Nothing usable: they get the items most popular in training.
  int64_t num_masked_targets = 0;  ///< Relevant, but seen before and so out of reach when masked.
  std::vector<std::string> notes;  ///< What the reader of the numbers has to know.

  torch::Tensor users;  // [V] int64, dense
  std::vector<MetricName> per_user_metrics;
  torch::Tensor per_user;            // [V, per_user_metrics] float64, NaN: no value
  std::optional<RankedLists> lists;  ///< When `top_k_lists` asks for them.

  /// The mean of a metric. Throws c10::Error naming what there is when `name` is not in the result.
  double value(const MetricName& name) const;
};

/// The result as a table for people, and as JSON for programs.
std::string to_text(const EvaluationResult& result);
std::string to_json(const EvaluationResult& result);

}  // namespace reckon
