#include "evaluation/tally.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <string>
#include <unordered_set>

#include "core/diagnostics.h"
#include "core/format.h"
#include "evaluation/metrics.h"

namespace reckon {
namespace {

// What a row was used for.
constexpr uint8_t kHasList = 1;
constexpr uint8_t kHasScores = 2;

std::span<const int64_t> first(std::span<const int64_t> list, int64_t k) {
  return list.first(std::min<size_t>(list.size(), static_cast<size_t>(k)));
}

void check_ragged(const char* name, const torch::Tensor& offsets, const torch::Tensor& items,
                  int64_t num_rows, int64_t num_items) {
  TORCH_CHECK(offsets.defined() && offsets.dtype() == torch::kInt64 && offsets.dim() == 1 &&
                  offsets.size(0) == num_rows + 1,
              "evaluation: expected ", name, " offsets [", num_rows + 1, "] int64");
  TORCH_CHECK(items.defined() && items.dtype() == torch::kInt32 && items.dim() == 1,
              "evaluation: expected ", name, " items [N] int32");
  const int64_t* offset = offsets.const_data_ptr<int64_t>();
  TORCH_CHECK(offset[0] == 0 && offset[num_rows] == items.size(0) &&
                  std::is_sorted(offset, offset + num_rows + 1),
              "evaluation: ", name, " offsets do not fit ", items.size(0), " items");
  if (items.size(0) == 0) return;
  const auto [low, high] = items.aminmax();
  TORCH_CHECK(low.item<int>() >= 0 && high.item<int>() < num_items, "evaluation: ", name,
              " items reach from ", low.item<int>(), " to ", high.item<int>(),
              ", but the catalogue has ", num_items, " items");
}

std::string protocol_in_words(const EvaluationOptions& options) {
  std::string words = "full ranking";
  if (options.protocol == EvaluationProtocol::kSampled) {
    const auto negatives = options.negatives.value_or(NegativeSampling{});
    const bool is_uniform = negatives.distribution == NegativeSampling::Distribution::kUniform;
    words = "sampled: " + std::to_string(negatives.count) + (is_uniform ? " uniform" : " popular") +
            " items beside the relevant ones, seed " + std::to_string(negatives.seed);
  }
  words += options.mask_seen ? ", seen items masked" : ", seen items kept";
  if (options.relevant_from) {
    words += ", relevant from " + format_significant(*options.relevant_from);
  }
  return words;
}

}  // namespace

RelevantItems relevant_items(const EvaluationData& data, std::optional<double> relevant_from) {
  const int64_t num_rows = data.users.size(0);
  const int64_t* offsets = data.target_offsets.const_data_ptr<int64_t>();
  const int32_t* items = data.target_items.const_data_ptr<int32_t>();
  const float* labels =
      data.target_labels.defined() ? data.target_labels.const_data_ptr<float>() : nullptr;
  TORCH_CHECK(!relevant_from || labels, "evaluation: relevant_from needs labels of the targets");

  RelevantItems relevant;
  relevant.offsets.reserve(num_rows + 1);
  relevant.offsets.push_back(0);
  relevant.items.reserve(data.target_items.size(0));
  for (int64_t row = 0; row < num_rows; ++row) {
    const auto begin = relevant.items.size();
    for (int64_t i = offsets[row]; i < offsets[row + 1]; ++i) {
      if (!relevant_from || labels[i] >= *relevant_from) relevant.items.push_back(items[i]);
    }
    const auto from = relevant.items.begin() + static_cast<std::ptrdiff_t>(begin);
    std::sort(from, relevant.items.end());
    relevant.items.erase(std::unique(from, relevant.items.end()), relevant.items.end());
    relevant.offsets.push_back(static_cast<int64_t>(relevant.items.size()));
  }
  return relevant;
}

std::span<const int32_t> history_of(const EvaluationData& data, int64_t row) {
  const int64_t* offsets = data.history_offsets.const_data_ptr<int64_t>();
  const int32_t* items = data.history_items.const_data_ptr<int32_t>();
  return {items + offsets[row], items + offsets[row + 1]};
}

void check_evaluation_data(const EvaluationData& data, int64_t num_items) {
  TORCH_CHECK(data.users.defined() && data.users.dtype() == torch::kInt64 && data.users.dim() == 1,
              "evaluation: expected users [V] int64");
  check_ragged("history", data.history_offsets, data.history_items, data.users.size(0), num_items);
  check_ragged("target", data.target_offsets, data.target_items, data.users.size(0), num_items);
  TORCH_CHECK(!data.target_labels.defined() ||
                  (data.target_labels.dtype() == torch::kFloat32 &&
                   data.target_labels.sizes() == data.target_items.sizes()),
              "evaluation: expected target labels like the target items, float32");
}

std::shared_ptr<const ItemCategories> item_categories(const EvaluationInput& input,
                                                      const EvaluationOptions& options) {
  if (options.categories)
    return std::make_shared<const ItemCategories>(input.item_columns, *options.categories,
                                                  input.num_items);
  for (const auto& name : options.metrics)
    if (name.needs_categories())
      throw ConfigError({{{"evaluation"},
                          "metrics: " + name.to_string() + " " + kWithoutCategories,
                          kHowToNameCategories}});
  return nullptr;
}

void add_note(EvaluationResult& result, int64_t count, const std::string& one,
              const std::string& many) {
  if (count == 0) return;
  result.notes.push_back(std::to_string(count) + " " + (count == 1 ? one : many));
}

EvaluationResult empty_result(const EvaluationInput& input, const EvaluationOptions& options,
                              const RelevantItems& relevant) {
  EvaluationResult result;
  result.split = options.split;
  result.fingerprint = input.fingerprint;
  result.is_sampled = options.protocol == EvaluationProtocol::kSampled;
  result.protocol = protocol_in_words(options);
  const int64_t num_rows = input.data.users.size(0);
  for (int64_t row = 0; row < num_rows; ++row) {
    const auto targets = relevant.of(row);
    if (targets.empty()) ++result.num_users_left_out;
    if (targets.empty() || !options.mask_seen) continue;
    const auto history = history_of(input.data, row);
    const std::unordered_set<int64_t> seen(history.begin(), history.end());
    for (const int64_t item : targets) result.num_masked_targets += seen.count(item);
  }
  add_note(result, result.num_users_left_out,
           "user of the split has no relevant item and is left out",
           "users of the split have no relevant item and are left out");
  add_note(result, result.num_masked_targets,
           "relevant item had been seen by the user, is masked and counts as a miss",
           "relevant items had been seen by the user, are masked and count as misses");
  int64_t largest = 0;
  for (const auto& name : options.metrics) largest = std::max(largest, name.k);
  if (largest > input.num_items) {
    result.notes.push_back("the catalogue has " + std::to_string(input.num_items) +
                           " items: larger cut-offs see all of them");
  }
  return result;
}

MetricTally::MetricTally(const EvaluationInput& input, std::vector<MetricName> metrics,
                         torch::Tensor unit_vectors,
                         std::shared_ptr<const ItemCategories> categories)
    : data_(input.data),
      metrics_(std::move(metrics)),
      unit_vectors_(std::move(unit_vectors)),
      categories_(std::move(categories)) {
  const auto num_rows = static_cast<size_t>(data_.users.size(0));
  values_.assign(num_rows * metrics_.size(), kNaN);
  used_.assign(num_rows, 0);
  if (wants(Metric::kRmse) || wants(Metric::kMae)) errors_.resize(num_rows);
  if (wants(Metric::kPopularity) || wants(Metric::kNovelty)) {
    const auto counts = input.item_counts.to(torch::kInt64).contiguous();  // [I]
    item_counts_.assign(counts.const_data_ptr<int64_t>(),
                        counts.const_data_ptr<int64_t>() + counts.numel());
    total_count_ = std::accumulate(item_counts_.begin(), item_counts_.end(), int64_t{0});
  }
  for (const auto& name : metrics_) {
    max_cutoff_ = std::max(max_cutoff_, name.k);
    if (name.is_per_user()) continue;
    const auto same_cutoff = [&](const Recommended& other) { return other.k == name.k; };
    if (std::none_of(recommended_.begin(), recommended_.end(), same_cutoff)) {
      recommended_.push_back({name.k, std::vector<int64_t>(input.num_items, 0)});
    }
  }
}

bool MetricTally::wants(Metric metric) const {
  return std::any_of(metrics_.begin(), metrics_.end(),
                     [&](const MetricName& name) { return name.metric == metric; });
}

double MetricTally::list_value(const MetricName& name, std::span<const int64_t> list,
                               const Hits& hits, std::span<const double> wanted) const {
  switch (name.metric) {
    case Metric::kRecall:
      return recall(hits, name.k);
    case Metric::kNdcg:
      return ndcg(hits, name.k);
    case Metric::kHitRate:
      return hit_rate(hits, name.k);
    case Metric::kMrr:
      return mrr(hits, name.k);
    case Metric::kMap:
      return average_precision(hits, name.k);
    case Metric::kPrecision:
      return precision(hits, name.k);
    case Metric::kPopularity:
      return average_popularity(first(list, name.k), item_counts_);
    case Metric::kNovelty:
      return novelty(first(list, name.k), item_counts_, total_count_);
    case Metric::kDiversity:
      return diversity(first(list, name.k), unit_vectors_);
    case Metric::kMiscalibration:
      return miscalibration(wanted, first(list, name.k), *categories_);
    case Metric::kCategoryCoverage:
      return category_coverage(first(list, name.k), *categories_);
    default:
      return kNaN;
  }
}

void MetricTally::add_list(int64_t row, std::span<const int64_t> list,
                           std::span<const int64_t> relevant) {
  used_[row] |= kHasList;
  const auto hits = find_hits(first(list, max_cutoff_), relevant);
  std::vector<double> wanted;
  if (wants(Metric::kMiscalibration)) wanted = categories_->shares(history_of(data_, row));
  for (size_t m = 0; m < metrics_.size(); ++m) {
    if (metrics_[m].needs_list()) cell(row, m) = list_value(metrics_[m], list, hits, wanted);
  }
  for (auto& recommended : recommended_) {
    for (const int64_t item : first(list, recommended.k)) {
      if (item < 0) continue;
      // Sums of integers are the same in any order, so threads need no order here.
      std::atomic_ref(recommended.counts[item]).fetch_add(1, std::memory_order_relaxed);
    }
  }
}

void MetricTally::add_auc(int64_t row, double value) {
  used_[row] |= kHasScores;
  for (size_t m = 0; m < metrics_.size(); ++m) {
    if (metrics_[m].metric == Metric::kAuc) cell(row, m) = value;
  }
}

void MetricTally::add_ratings(int64_t row, std::span<const float> predictions,
                              std::span<const float> labels) {
  used_[row] |= kHasScores;
  for (size_t m = 0; m < metrics_.size(); ++m) {
    if (metrics_[m].metric == Metric::kRmse) cell(row, m) = rmse(predictions, labels);
    if (metrics_[m].metric == Metric::kMae) cell(row, m) = mae(predictions, labels);
  }
  auto& sums = errors_[row];
  for (size_t i = 0; i < labels.size(); ++i) {
    const double error = static_cast<double>(predictions[i]) - labels[i];
    sums.squared += error * error;
    sums.absolute += std::abs(error);
    ++sums.count;
  }
}

MetricValue MetricTally::rating_value(const MetricName& name) const {
  const bool is_rmse = name.metric == Metric::kRmse;
  const auto sum_of = [&](const ErrorSums& sums) { return is_rmse ? sums.squared : sums.absolute; };
  double sum = 0.0;
  double count = 0.0;
  int64_t users = 0;
  for (const auto& sums : errors_) {
    if (sums.count == 0) continue;
    sum += sum_of(sums);
    count += static_cast<double>(sums.count);
    ++users;
  }
  if (users == 0) return {name, kNaN, kNaN, 0};
  const double mean = sum / count;
  // A ratio of two sums over users: ratings of one user are not independent, users are.
  double squares = 0.0;
  for (const auto& sums : errors_) {
    const double deviation = sum_of(sums) - mean * static_cast<double>(sums.count);
    squares += deviation * deviation;
  }
  const double num_users = static_cast<double>(users);
  const double error =
      users < 2 ? kNaN : std::sqrt(squares * num_users / (num_users - 1.0)) / count;
  if (!is_rmse) return {name, mean, error, users};
  const double root = std::sqrt(mean);
  return {name, root, root > 0.0 ? error / (2.0 * root) : 0.0, users};
}

void MetricTally::finish(EvaluationResult& result, bool keep_per_user) {
  for (size_t m = 0; m < metrics_.size(); ++m) {
    const auto& name = metrics_[m];
    if (name.is_rating()) {
      result.metrics.push_back(rating_value(name));
      continue;
    }
    if (!name.is_per_user()) {
      const auto found =
          std::find_if(recommended_.begin(), recommended_.end(),
                       [&](const Recommended& recommended) { return recommended.k == name.k; });
      const double value =
          name.metric == Metric::kGini ? gini(found->counts) : coverage(found->counts);
      const auto users = std::count_if(used_.begin(), used_.end(),
                                       [](uint8_t use) { return (use & kHasList) != 0; });
      result.metrics.push_back({name, value, kNaN, users});
      continue;
    }
    std::vector<double> column;
    column.reserve(used_.size());
    for (size_t row = 0; row < used_.size(); ++row) column.push_back(cell(row, m));
    const auto summary = summarize(column);
    result.metrics.push_back({name, summary.mean, summary.standard_error, summary.count});
  }

  std::vector<int64_t> rows;
  for (size_t row = 0; row < used_.size(); ++row) {
    if (used_[row]) rows.push_back(static_cast<int64_t>(row));
  }
  const auto index = torch::tensor(rows, torch::kInt64);  // [V']
  result.users = data_.users.index_select(0, index);      // [V']
  if (!keep_per_user) return;
  std::vector<int64_t> columns;
  for (size_t m = 0; m < metrics_.size(); ++m) {
    if (!metrics_[m].is_per_user()) continue;
    columns.push_back(static_cast<int64_t>(m));
    result.per_user_metrics.push_back(metrics_[m]);
  }
  const auto all =
      torch::from_blob(values_.data(),
                       {static_cast<int64_t>(used_.size()), static_cast<int64_t>(metrics_.size())},
                       torch::kFloat64);  // [V, metrics]
  result.per_user = all.index_select(0, index).index_select(
      1, torch::tensor(columns, torch::kInt64));  // [V', per-user metrics]
}

}  // namespace reckon
