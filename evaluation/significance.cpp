#include "evaluation/significance.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <unordered_map>

#include "core/diagnostics.h"
#include "core/format.h"
#include "core/random.h"
#include "evaluation/metrics.h"

namespace reckon {
namespace {

// Samples are independent streams; a task takes this many.
constexpr int64_t kSamplesPerTask = 64;

// The two procedures share the stream of one seed, and must not meet in it.
enum Procedure : uint64_t { kBootstrapSamples, kSignVectors };

double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// Whether a sum of re-signed differences is as far out as the observed one; sums of the same terms
// in another order differ in their last digits.
struct AsExtreme {
  double threshold;

  explicit AsExtreme(const std::vector<double>& differences) {
    double sum = 0.0;
    double magnitude = 0.0;
    for (const double difference : differences) {
      sum += difference;
      magnitude += std::abs(difference);
    }
    threshold = std::abs(sum) - 1e-12 * magnitude;
  }
  bool operator()(double sum) const { return std::abs(sum) >= threshold; }
};

double exact_p_value(const std::vector<double>& differences) {
  const AsExtreme as_extreme(differences);
  const uint64_t vectors = uint64_t{1} << differences.size();
  uint64_t hits = 0;
  for (uint64_t signs = 0; signs < vectors; ++signs) {
    double sum = 0.0;
    for (size_t i = 0; i < differences.size(); ++i) {
      sum += (signs >> i) & 1 ? differences[i] : -differences[i];
    }
    hits += as_extreme(sum);
  }
  return static_cast<double>(hits) / static_cast<double>(vectors);
}

double drawn_p_value(const std::vector<double>& differences, const ComparisonOptions& options) {
  const AsExtreme as_extreme(differences);
  const double total = std::accumulate(differences.begin(), differences.end(), 0.0);
  std::vector<uint8_t> hits(options.permutations, 0);
  at::parallel_for(0, options.permutations, kSamplesPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t sample = begin; sample < end; ++sample) {
      CounterRng random(RandomKey(options.seed, RandomStream::kBootstrap, kSignVectors,
                                  static_cast<uint64_t>(sample)));
      double positive = 0.0;
      uint64_t bits = 0;
      for (size_t i = 0; i < differences.size(); ++i) {
        if (i % 64 == 0) bits = random();
        positive += bits & 1 ? differences[i] : 0.0;
        bits >>= 1;
      }
      hits[sample] = as_extreme(2.0 * positive - total);
    }
  });
  const auto count = std::count(hits.begin(), hits.end(), uint8_t{1});
  return (1.0 + static_cast<double>(count)) / (1.0 + static_cast<double>(options.permutations));
}

[[noreturn]] void refuse(const RunResults& run, const RunResults& baseline,
                         const std::string& what) {
  throw DataError(run.name, 0,
                  "cannot be compared with '" + baseline.name + "': " + what);
}

void check_comparable(const RunResults& run, const RunResults& baseline) {
  if (run.fingerprint != baseline.fingerprint) {
    refuse(run, baseline, "they were evaluated on different data (" + run.fingerprint + " and " +
                              baseline.fingerprint + ")");
  }
  if (run.split != baseline.split) {
    refuse(run, baseline,
           "they were evaluated on different splits (" + run.split + " and " + baseline.split + ")");
  }
  if (run.protocol != baseline.protocol) {
    refuse(run, baseline, "they were evaluated in different ways (" + run.protocol + "; and " +
                              baseline.protocol + ")");
  }
}

/// Columns by metric, rows in the order of the baseline's users.
std::vector<std::vector<double>> aligned_columns(const RunResults& run, const RunResults& baseline,
                                                 const std::vector<std::string>& metrics) {
  std::unordered_map<std::string, int64_t> row_of;
  for (size_t row = 0; row < run.users.size(); ++row) {
    row_of.emplace(run.users[row], static_cast<int64_t>(row));
  }
  std::vector<int64_t> rows;
  rows.reserve(baseline.users.size());
  for (const auto& user : baseline.users) {
    const auto found = row_of.find(user);
    if (found == row_of.end()) {
      refuse(run, baseline, "it has no values of user '" + user + "'");
    }
    rows.push_back(found->second);
  }
  if (run.users.size() != baseline.users.size()) {
    refuse(run, baseline, "it has values of " + std::to_string(run.users.size()) +
                              " users, the other of " + std::to_string(baseline.users.size()));
  }
  const auto values = run.values.to(torch::kFloat64).contiguous();  // [V, M]
  const double* data = values.const_data_ptr<double>();
  std::vector<std::vector<double>> columns;
  for (const auto& metric : metrics) {
    const auto m =
        std::find(run.metrics.begin(), run.metrics.end(), metric) - run.metrics.begin();
    auto& column = columns.emplace_back();
    column.reserve(rows.size());
    for (const int64_t row : rows) column.push_back(data[row * values.size(1) + m]);
  }
  return columns;
}

std::vector<std::string> common_metrics(const std::vector<RunResults>& runs) {
  std::vector<std::string> common;
  for (const auto& metric : runs.front().metrics) {
    const bool in_all = std::all_of(runs.begin(), runs.end(), [&](const RunResults& run) {
      return std::find(run.metrics.begin(), run.metrics.end(), metric) != run.metrics.end();
    });
    if (in_all) common.push_back(metric);
  }
  return common;
}

std::vector<double> without_nan(const std::vector<double>& values) {
  std::vector<double> kept;
  std::copy_if(values.begin(), values.end(), std::back_inserter(kept),
               [](double value) { return !std::isnan(value); });
  return kept;
}

Difference compare(const std::vector<double>& run, const std::vector<double>& baseline,
                   const ComparisonOptions& options) {
  std::vector<double> differences;
  for (size_t i = 0; i < run.size(); ++i) differences.push_back(run[i] - baseline[i]);
  differences = without_nan(differences);
  Difference difference;
  difference.num_users = static_cast<int64_t>(differences.size());
  difference.mean = summarize(differences).mean;
  if (differences.empty()) {
    difference.interval = {difference.mean, difference.mean};
    difference.p_value = 1.0;
    return difference;
  }
  difference.interval = bootstrap_interval(differences, options);
  difference.p_value = randomization_test(differences, options);
  return difference;
}

std::string shown(double value) { return std::isnan(value) ? "-" : format_fixed(value, 4); }

std::string shown(const Interval& interval) {
  return "[" + shown(interval.low) + ", " + shown(interval.high) + "]";
}

}  // namespace

Interval bootstrap_interval(const std::vector<double>& values, const ComparisonOptions& options) {
  TORCH_CHECK(!values.empty(), "bootstrap_interval: expected at least one value");
  TORCH_CHECK(options.bootstrap_samples > 0, "bootstrap_interval: expected samples, got ",
              options.bootstrap_samples);
  std::vector<double> means(options.bootstrap_samples);
  at::parallel_for(0, options.bootstrap_samples, kSamplesPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t sample = begin; sample < end; ++sample) {
      CounterRng random(RandomKey(options.seed, RandomStream::kBootstrap, kBootstrapSamples,
                                  static_cast<uint64_t>(sample)));
      double sum = 0.0;
      for (size_t i = 0; i < values.size(); ++i) sum += values[random.below(values.size())];
      means[sample] = sum / static_cast<double>(values.size());
    }
  });
  std::sort(means.begin(), means.end());
  const double tail = (1.0 - options.confidence) / 2.0;
  return {quantile(means, tail), quantile(means, 1.0 - tail)};
}

double randomization_test(const std::vector<double>& differences,
                          const ComparisonOptions& options) {
  // The sign of a zero changes nothing, so the test is one over the others alone.
  std::vector<double> nonzero;
  std::copy_if(differences.begin(), differences.end(), std::back_inserter(nonzero),
               [](double difference) { return difference != 0.0; });
  if (nonzero.size() < 62 && (int64_t{1} << nonzero.size()) <= options.permutations) {
    return exact_p_value(nonzero);
  }
  return drawn_p_value(nonzero, options);
}

std::vector<double> holm(const std::vector<double>& p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0.0;
  for (size_t i = 0; i < order.size(); ++i) {
    const double scaled = p_values[order[i]] * static_cast<double>(order.size() - i);
    largest = std::max(largest, std::min(scaled, 1.0));
    adjusted[order[i]] = largest;
  }
  return adjusted;
}

Comparison compare_runs(const std::vector<RunResults>& runs, const ComparisonOptions& options) {
  if (runs.size() < 2) {
    throw DataError(runs.empty() ? "compare" : runs.front().name, 0,
                    "a comparison needs at least two runs");
  }
  const auto& baseline = runs.front();
  for (const auto& run : runs) check_comparable(run, baseline);

  Comparison comparison;
  comparison.options = options;
  comparison.protocol = baseline.protocol;
  comparison.split = baseline.split;
  comparison.num_users = static_cast<int64_t>(baseline.users.size());
  comparison.metrics = common_metrics(runs);
  if (comparison.metrics.empty()) {
    throw DataError(baseline.name, 0, "has no metric that all other runs have too");
  }
  std::vector<std::vector<std::vector<double>>> columns;
  for (const auto& run : runs) {
    columns.push_back(aligned_columns(run, baseline, comparison.metrics));
    comparison.runs.push_back(run.name);
    auto& means = comparison.means.emplace_back();
    auto& intervals = comparison.intervals.emplace_back();
    for (const auto& column : columns.back()) {
      const auto values = without_nan(column);
      means.push_back(summarize(values).mean);
      intervals.push_back(values.empty() ? Interval{means.back(), means.back()}
                                         : bootstrap_interval(values, options));
    }
  }
  std::vector<double> p_values;
  for (size_t m = 0; m < comparison.metrics.size(); ++m) {
    for (size_t run = 1; run < runs.size(); ++run) {
      auto difference = compare(columns[run][m], columns[0][m], options);
      difference.metric = comparison.metrics[m];
      difference.run = runs[run].name;
      p_values.push_back(difference.p_value);
      comparison.differences.push_back(std::move(difference));
    }
  }
  const auto adjusted = holm(p_values);
  for (size_t i = 0; i < adjusted.size(); ++i) comparison.differences[i].adjusted_p = adjusted[i];
  return comparison;
}

std::string to_text(const Comparison& comparison) {
  const auto interval_head = format_percent(comparison.options.confidence, 0) + " interval";
  using Align = TextTable::Align;
  TextTable table({"metric", "run", "mean", interval_head, "difference", interval_head, "p", "p (Holm)"},
                  {Align::kLeft, Align::kLeft, Align::kRight, Align::kLeft, Align::kRight,
                   Align::kLeft, Align::kRight, Align::kRight});
  auto difference = comparison.differences.begin();
  for (size_t m = 0; m < comparison.metrics.size(); ++m) {
    for (size_t run = 0; run < comparison.runs.size(); ++run) {
      std::vector<std::string> row = {comparison.metrics[m], comparison.runs[run],
                                      shown(comparison.means[run][m]),
                                      shown(comparison.intervals[run][m])};
      if (run == 0) {
        row.emplace_back("baseline");
      } else {
        row.insert(row.end(), {(difference->mean > 0.0 ? "+" : "") + shown(difference->mean),
                               shown(difference->interval), shown(difference->p_value),
                               shown(difference->adjusted_p)});
        ++difference;
      }
      table.add_row(std::move(row));
    }
  }
  const auto tests = comparison.differences.size();
  return comparison.split + ", " + std::to_string(comparison.num_users) + " users, " +
         comparison.protocol + "\n\n" + table.to_string() +
         "\nIntervals: percentile bootstrap over users, " +
         std::to_string(comparison.options.bootstrap_samples) +
         " samples. p: two-sided randomisation test on paired differences.\nHolm: corrected for " +
         (tests == 1 ? "1 test" : std::to_string(tests) + " tests") + ", all those of this table.\n";
}

std::string to_json(const Comparison& comparison) {
  using Json = nlohmann::ordered_json;
  const auto pair = [](const Interval& interval) {
    return Json::array({interval.low, interval.high});
  };
  Json json = {{"split", comparison.split},
               {"protocol", comparison.protocol},
               {"num_users", comparison.num_users},
               {"baseline", comparison.runs.front()},
               {"confidence", comparison.options.confidence},
               {"bootstrap_samples", comparison.options.bootstrap_samples},
               {"permutations", comparison.options.permutations},
               {"seed", comparison.options.seed},
               {"runs", Json::array()},
               {"differences", Json::array()}};
  for (size_t run = 0; run < comparison.runs.size(); ++run) {
    Json metrics = Json::object();
    for (size_t m = 0; m < comparison.metrics.size(); ++m) {
      metrics[comparison.metrics[m]] = {{"mean", comparison.means[run][m]},
                                        {"interval", pair(comparison.intervals[run][m])}};
    }
    json["runs"].push_back({{"name", comparison.runs[run]}, {"metrics", metrics}});
  }
  for (const auto& difference : comparison.differences) {
    json["differences"].push_back({{"metric", difference.metric},
                                   {"run", difference.run},
                                   {"num_users", difference.num_users},
                                   {"mean", difference.mean},
                                   {"interval", pair(difference.interval)},
                                   {"p_value", difference.p_value},
                                   {"adjusted_p", difference.adjusted_p}});
  }
  return json.dump(2);
}

}  // namespace reckon
