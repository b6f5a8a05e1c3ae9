#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/schema.h"

namespace reckon {

/// What a metric measures; the formulas stand in docs/metrics.md.
enum class Metric {
  kRecall,
  kNdcg,
  kHitRate,
  kMrr,
  kMap,
  kPrecision,
  kAuc,
  kRmse,
  kMae,
  kCoverage,
  kGini,
  kPopularity,
  kNovelty,
  kDiversity,
  kMiscalibration,
  kCategoryCoverage,
};

/// A metric with its cut-off, as configs and tables write it: `ndcg@10`, `auc`.
struct MetricName {
  static constexpr int64_t kMaxCutoff = 1'000'000;

  Metric metric = Metric::kRecall;
  int64_t k = 10;  ///< 0 for a metric that looks at no list.

  /// Throws std::invalid_argument with a sentence and a hint when `text` is no such name.
  static MetricName parse(std::string_view text);

  /// The words before '@', in the order of the enumeration.
  static std::vector<std::string> words();

  std::string to_string() const;

  /// Whether more of it is better: what early stopping and model choice need to know.
  bool higher_is_better() const;

  bool is_rating() const { return metric == Metric::kRmse || metric == Metric::kMae; }

  /// Whether it exists for one user; coverage and the Gini index only exist for all lists together.
  bool is_per_user() const { return metric != Metric::kCoverage && metric != Metric::kGini; }

  /// Whether the categories of items are what it looks at.
  bool needs_categories() const {
    return metric == Metric::kMiscalibration || metric == Metric::kCategoryCoverage;
  }

  /// Whether a ranked list of each user is what it is computed from.
  bool needs_list() const { return k > 0; }

  bool operator==(const MetricName&) const = default;
};

template <>
struct Codec<MetricName> {
  static std::string name() { return "metric"; }
  static void read(const Cursor& at, MetricName& value);
  static ConfigNode emit(const MetricName& value, const Catalog* catalog);
  static ConfigNode wrong() { return ConfigNode::text("goodness@10"); }
};

}  // namespace reckon
