#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluation/evaluator.h"

namespace reckon {

/// The relevant items of each user of a split: distinct and ascending, from `relevant_from` on.
struct RelevantItems {
  std::vector<int64_t> offsets;  ///< V + 1
  std::vector<int64_t> items;

  std::span<const int64_t> of(int64_t row) const {
    return {items.data() + offsets[row], items.data() + offsets[row + 1]};
  }
};
RelevantItems relevant_items(const EvaluationData& data, std::optional<double> relevant_from);

/// The history of one user.   Shapes  -> a view of data.history_items
std::span<const int32_t> history_of(const EvaluationData& data, int64_t row);

/// Whether an EvaluationData is well formed and speaks of items below `num_items` only.
/// Throws   c10::Error saying what is wrong.
void check_evaluation_data(const EvaluationData& data, int64_t num_items);

/// A result that says what is evaluated, without values yet.
EvaluationResult empty_result(const EvaluationInput& input, const EvaluationOptions& options,
                              const RelevantItems& relevant);

/// The categories that metrics and re-ranking look at; null when the config names none.
/// Throws   ConfigError when the items have no such column, or a metric asks for what is not named.
std::shared_ptr<const ItemCategories> item_categories(const EvaluationInput& input,
                                                      const EvaluationOptions& options);

/// Adds "`count` `one`" or "`count` `many`" to the notes; nothing when there are none.
void add_note(EvaluationResult& result, int64_t count, const std::string& one,
              const std::string& many);

/// Collects what each user's list is worth, and sums it up into a result.
///
/// Rows are users of the split. Different threads may add different rows; the result is the same in
/// whatever order they come.
class MetricTally {
 public:
  /// `unit_vectors` is only looked at for diversity, `categories` for metrics of them.
  MetricTally(const EvaluationInput& input, std::vector<MetricName> metrics,
              torch::Tensor unit_vectors, std::shared_ptr<const ItemCategories> categories);

  const std::vector<MetricName>& metrics() const { return metrics_; }

  /// The longest list that any metric looks at; 0 when none does.
  int64_t max_cutoff() const { return max_cutoff_; }
  bool wants(Metric metric) const;

  /// Values of all metrics of a list. `list` may be longer or shorter than the cut-offs.
  void add_list(int64_t row, std::span<const int64_t> list, std::span<const int64_t> relevant);
  void add_auc(int64_t row, double value);
  void add_ratings(int64_t row, std::span<const float> predictions, std::span<const float> labels);

  /// Fills metrics, users and per-user values from those rows that anything was added for.
  void finish(EvaluationResult& result, bool keep_per_user);

 private:
  /// Sums over one user's ratings.
  struct ErrorSums {
    double squared = 0.0;
    double absolute = 0.0;
    int64_t count = 0;
  };
  /// How many lists hold each item, for one cut-off.
  struct Recommended {
    int64_t k = 0;
    std::vector<int64_t> counts;  // [I]
  };

  /// `wanted` are the shares of the categories in the user's history.
  double list_value(const MetricName& name, std::span<const int64_t> list, const struct Hits& hits,
                    std::span<const double> wanted) const;
  MetricValue rating_value(const MetricName& name) const;
  double& cell(int64_t row, size_t metric) { return values_[row * metrics_.size() + metric]; }

  EvaluationData data_;
  std::vector<MetricName> metrics_;
  torch::Tensor unit_vectors_;
  std::shared_ptr<const ItemCategories> categories_;
  std::vector<int64_t> item_counts_;
  int64_t total_count_ = 0;
  int64_t max_cutoff_ = 0;
  std::vector<double> values_;  // [V, metrics]
  std::vector<uint8_t> used_;   // [V]
  std::vector<ErrorSums> errors_;
  std::vector<Recommended> recommended_;
};

}  // namespace reckon
