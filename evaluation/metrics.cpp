#include "evaluation/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace reckon {
namespace {

int64_t hits_within(const Hits& hits, int64_t k) {
  return std::upper_bound(hits.ranks.begin(), hits.ranks.end(), k) - hits.ranks.begin();
}

void check_lengths(std::span<const float> predictions, std::span<const float> labels) {
  TORCH_CHECK(predictions.size() == labels.size(), "expected one label for each prediction, got ",
              predictions.size(), " predictions and ", labels.size(), " labels");
}

}  // namespace

Hits find_hits(std::span<const int64_t> list, std::span<const int64_t> relevant) {
  Hits hits;
  hits.num_relevant = static_cast<int64_t>(relevant.size());
  for (size_t place = 0; place < list.size(); ++place) {
    if (std::binary_search(relevant.begin(), relevant.end(), list[place])) {
      hits.ranks.push_back(static_cast<int64_t>(place) + 1);
    }
  }
  return hits;
}

double recall(const Hits& hits, int64_t k) {
  if (hits.num_relevant == 0) return kNaN;
  return static_cast<double>(hits_within(hits, k)) / static_cast<double>(hits.num_relevant);
}

double ndcg(const Hits& hits, int64_t k) {
  if (hits.num_relevant == 0) return kNaN;
  double gain = 0.0;
  for (int64_t hit = 0; hit < hits_within(hits, k); ++hit) {
    gain += 1.0 / std::log2(1.0 + static_cast<double>(hits.ranks[hit]));
  }
  double ideal = 0.0;
  for (int64_t rank = 1; rank <= std::min(hits.num_relevant, k); ++rank) {
    ideal += 1.0 / std::log2(1.0 + static_cast<double>(rank));
  }
  return gain / ideal;
}

double hit_rate(const Hits& hits, int64_t k) {
  if (hits.num_relevant == 0) return kNaN;
  return hits_within(hits, k) > 0 ? 1.0 : 0.0;
}

double mrr(const Hits& hits, int64_t k) {
  if (hits.num_relevant == 0) return kNaN;
  return hits_within(hits, k) > 0 ? 1.0 / static_cast<double>(hits.ranks.front()) : 0.0;
}

double average_precision(const Hits& hits, int64_t k) {
  if (hits.num_relevant == 0) return kNaN;
  double sum = 0.0;
  for (int64_t hit = 0; hit < hits_within(hits, k); ++hit) {
    sum += static_cast<double>(hit + 1) / static_cast<double>(hits.ranks[hit]);
  }
  return sum / static_cast<double>(std::min(hits.num_relevant, k));
}

double precision(const Hits& hits, int64_t k) {
  if (hits.num_relevant == 0) return kNaN;
  return static_cast<double>(hits_within(hits, k)) / static_cast<double>(k);
}

double auc(std::span<const float> relevant_scores, std::span<const float> other_scores) {
  if (relevant_scores.empty() || other_scores.empty()) return kNaN;
  std::vector<float> relevant(relevant_scores.begin(), relevant_scores.end());
  std::sort(relevant.begin(), relevant.end());
  // Twice the number of pairs in the right order, so that half a pair is whole.
  int64_t doubled = 0;
  for (const float score : other_scores) {
    const auto [first, last] = std::equal_range(relevant.begin(), relevant.end(), score);
    doubled += 2 * (relevant.end() - last) + (last - first);
  }
  const double pairs =
      static_cast<double>(relevant.size()) * static_cast<double>(other_scores.size());
  return static_cast<double>(doubled) / (2.0 * pairs);
}

double rmse(std::span<const float> predictions, std::span<const float> labels) {
  check_lengths(predictions, labels);
  if (labels.empty()) return kNaN;
  double sum = 0.0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const double error = static_cast<double>(predictions[i]) - labels[i];
    sum += error * error;
  }
  return std::sqrt(sum / static_cast<double>(labels.size()));
}

double mae(std::span<const float> predictions, std::span<const float> labels) {
  check_lengths(predictions, labels);
  if (labels.empty()) return kNaN;
  double sum = 0.0;
  for (size_t i = 0; i < labels.size(); ++i) {
    sum += std::abs(static_cast<double>(predictions[i]) - labels[i]);
  }
  return sum / static_cast<double>(labels.size());
}

double coverage(std::span<const int64_t> recommended) {
  if (recommended.empty()) return kNaN;
  const auto covered =
      std::count_if(recommended.begin(), recommended.end(), [](int64_t n) { return n > 0; });
  return static_cast<double>(covered) / static_cast<double>(recommended.size());
}

double gini(std::span<const int64_t> recommended) {
  std::vector<int64_t> sorted(recommended.begin(), recommended.end());
  std::sort(sorted.begin(), sorted.end());
  const double items = static_cast<double>(sorted.size());
  const double total =
      static_cast<double>(std::accumulate(sorted.begin(), sorted.end(), int64_t{0}));
  if (total == 0.0) return kNaN;
  double weighted = 0.0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    weighted += (2.0 * static_cast<double>(i + 1) - items - 1.0) * static_cast<double>(sorted[i]);
  }
  return weighted / (items * total);
}

double average_popularity(std::span<const int64_t> list, std::span<const int64_t> item_counts) {
  double sum = 0.0;
  int64_t known = 0;
  for (const int64_t item : list) {
    if (item < 0) continue;
    sum += static_cast<double>(item_counts[item]);
    ++known;
  }
  return known == 0 ? kNaN : sum / static_cast<double>(known);
}

double novelty(std::span<const int64_t> list, std::span<const int64_t> item_counts,
               int64_t total_count) {
  double sum = 0.0;
  int64_t known = 0;
  for (const int64_t item : list) {
    if (item < 0) continue;
    // An item without interactions counts as one seen once: rarer than that is not measurable.
    const double count = static_cast<double>(std::max<int64_t>(item_counts[item], 1));
    sum += std::log2(static_cast<double>(std::max<int64_t>(total_count, 1)) / count);
    ++known;
  }
  return known == 0 ? kNaN : sum / static_cast<double>(known);
}

double diversity(std::span<const int64_t> list, const torch::Tensor& unit_vectors) {
  const int64_t width = unit_vectors.size(1);
  const float* vectors = unit_vectors.const_data_ptr<float>();
  std::vector<double> sum(width, 0.0);
  double squares = 0.0;
  int64_t known = 0;
  for (const int64_t item : list) {
    if (item < 0) continue;
    const float* vector = vectors + item * width;
    for (int64_t d = 0; d < width; ++d) {
      sum[d] += vector[d];
      squares += static_cast<double>(vector[d]) * vector[d];
    }
    ++known;
  }
  if (known < 2) return kNaN;
  // |sum of v|^2 is the sum of all inner products, each pair twice and each vector with itself once:
  // O(K D) instead of O(K^2 D).
  const double all_products = std::inner_product(sum.begin(), sum.end(), sum.begin(), 0.0);
  const double pairs = static_cast<double>(known) * static_cast<double>(known - 1);
  return 1.0 - (all_products - squares) / pairs;
}

double miscalibration_term(double wanted, double found) {
  constexpr double kSmoothing = 0.01;
  if (wanted == 0.0) return 0.0;
  return wanted * std::log(wanted / ((1.0 - kSmoothing) * found + kSmoothing * wanted));
}

double miscalibration(std::span<const double> wanted, std::span<const int64_t> list,
                      const ItemCategories& categories) {
  const auto is_known = [](int64_t item) { return item >= 0; };
  if (std::none_of(list.begin(), list.end(), is_known)) return kNaN;
  if (std::all_of(wanted.begin(), wanted.end(), [](double share) { return share == 0.0; }))
    return kNaN;
  const auto found = categories.shares(list);
  double sum = 0.0;
  for (size_t g = 0; g < wanted.size(); ++g) sum += miscalibration_term(wanted[g], found[g]);
  return sum;
}

double category_coverage(std::span<const int64_t> list, const ItemCategories& categories) {
  std::vector<uint8_t> is_found(static_cast<size_t>(categories.count()), 0);
  bool is_empty = true;
  for (const int64_t item : list) {
    if (item < 0) continue;
    is_empty = false;
    for (const auto category : categories.of(item)) is_found[static_cast<size_t>(category)] = 1;
  }
  if (is_empty || is_found.empty()) return kNaN;
  return static_cast<double>(std::accumulate(is_found.begin(), is_found.end(), int64_t{0})) /
         static_cast<double>(is_found.size());
}

torch::Tensor unit_rows(const torch::Tensor& vectors) {
  TORCH_CHECK(vectors.dim() == 2, "unit_rows: expected [I, D], got ", vectors.sizes());
  const auto rows = vectors.detach().to(torch::kCPU, torch::kFloat);  // [I, D]
  const auto length = rows.norm(2, /*dim=*/1, /*keepdim=*/true);      // [I, 1]
  return (rows / length.masked_fill(length == 0, 1.0)).contiguous();  // [I, D]
}

Summary summarize(std::span<const double> values) {
  Summary summary;
  double sum = 0.0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++summary.count;
  }
  const double count = static_cast<double>(summary.count);
  summary.mean = summary.count == 0 ? kNaN : sum / count;
  double squares = 0.0;
  for (const double value : values) {
    if (!std::isnan(value)) squares += (value - summary.mean) * (value - summary.mean);
  }
  summary.standard_error = summary.count < 2 ? kNaN : std::sqrt(squares / (count - 1.0) / count);
  return summary;
}

}  // namespace reckon
