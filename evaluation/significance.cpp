#include "evaluation/significance.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <numeric>
#include <unordered_map>

#include "core/diagnostics.h"
#include "core/format.h"
#include "core/random.h"
#include "evaluation/metrics.h"
#include "evaluation/result.h"

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
  throw DataError(run.name, 0, "cannot be compared with '" + baseline.name + "': " + what);
}

void check_comparable(const RunResults& run, const RunResults& baseline) {
  if (run.fingerprint != baseline.fingerprint) {
    refuse(run, baseline,
           "they were evaluated on different data (" + run.fingerprint + " and " +
               baseline.fingerprint + ")");
  }
  if (run.split != baseline.split) {
    refuse(run, baseline,
           "they were evaluated on different splits (" + run.split + " and " + baseline.split +
               ")");
  }
  if (run.protocol != baseline.protocol) {
    refuse(run, baseline,
           "they were evaluated in different ways (" + run.protocol + "; and " + baseline.protocol +
               ")");
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
    refuse(run, baseline,
           "it has values of " + std::to_string(run.users.size()) + " users, the other of " +
               std::to_string(baseline.users.size()));
  }
  const auto values = run.values.to(torch::kFloat64).contiguous();  // [V, M]
  const double* data = values.const_data_ptr<double>();
  std::vector<std::vector<double>> columns;
  for (const auto& metric : metrics) {
    const auto m = std::find(run.metrics.begin(), run.metrics.end(), metric) - run.metrics.begin();
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

/// Intervals of the means of columns, each over its users with a value. Columns that have all of
/// them, which are nearly all, share one set of draws.
std::vector<Interval> intervals_of(const std::vector<std::vector<double>>& columns,
                                   const ComparisonOptions& options) {
  std::vector<Interval> intervals(columns.size(), Interval{kNaN, kNaN});
  std::vector<std::vector<double>> whole;
  std::vector<size_t> places;
  for (size_t c = 0; c < columns.size(); ++c) {
    const auto values = without_nan(columns[c]);
    if (values.empty()) continue;
    if (values.size() < columns[c].size()) {
      intervals[c] = bootstrap_intervals({values}, options).front();
    } else {
      whole.push_back(columns[c]);
      places.push_back(c);
    }
  }
  const auto of_whole = bootstrap_intervals(whole, options);
  for (size_t i = 0; i < places.size(); ++i) intervals[places[i]] = of_whole[i];
  return intervals;
}

std::string format_interval(const Interval& interval) {
  return "[" + format_value(interval.low) + ", " + format_value(interval.high) + "]";
}

}  // namespace

std::vector<Interval> bootstrap_intervals(const std::vector<std::vector<double>>& columns,
                                          const ComparisonOptions& options) {
  if (columns.empty()) return {};
  const size_t width = columns.size();
  const size_t num_users = columns.front().size();
  TORCH_CHECK(num_users > 0 && num_users < (uint64_t{1} << 32),
              "bootstrap_intervals: expected 1 to 2^32 users, got ", num_users);
  TORCH_CHECK(options.bootstrap_samples > 0, "bootstrap_intervals: expected samples, got ",
              options.bootstrap_samples);
  // One draw of a user serves all columns, whose values lie side by side.
  std::vector<double> rows(num_users * width);
  for (size_t c = 0; c < width; ++c) {
    TORCH_CHECK(columns[c].size() == num_users, "bootstrap_intervals: expected ", num_users,
                " values in each column, got ", columns[c].size());
    for (size_t user = 0; user < num_users; ++user) rows[user * width + c] = columns[c][user];
  }
  const auto num_samples = static_cast<size_t>(options.bootstrap_samples);
  std::vector<std::vector<double>> means(width, std::vector<double>(num_samples));
  at::parallel_for(0, options.bootstrap_samples, kSamplesPerTask, [&](int64_t begin, int64_t end) {
    std::vector<double> sums(width);
    for (int64_t sample = begin; sample < end; ++sample) {
      CounterRng random(RandomKey(options.seed, RandomStream::kBootstrap, kBootstrapSamples,
                                  static_cast<uint64_t>(sample)));
      std::fill(sums.begin(), sums.end(), 0.0);
      uint64_t bits = 0;
      for (size_t i = 0; i < num_users; ++i) {
        bits = i % 2 == 0 ? random() : bits >> 32;
        // 32 bits times the number of users: no user's chance is off by more than 2^-32.
        const double* row = rows.data() + ((bits & 0xffffffffU) * num_users >> 32) * width;
        for (size_t c = 0; c < width; ++c) sums[c] += row[c];
      }
      for (size_t c = 0; c < width; ++c)
        means[c][sample] = sums[c] / static_cast<double>(num_users);
    }
  });
  const double tail = (1.0 - options.confidence) / 2.0;
  std::vector<Interval> intervals;
  for (auto& column : means) {
    std::sort(column.begin(), column.end());
    intervals.push_back({quantile(column, tail), quantile(column, 1.0 - tail)});
  }
  return intervals;
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

RunResults mean_of_seeds(const std::vector<RunResults>& runs, const std::string& name) {
  TORCH_CHECK(!runs.empty(), "mean_of_seeds: expected at least one run");
  RunResults mean = runs.front();
  mean.name = name;
  mean.metrics = common_metrics(runs);
  const auto num_users = static_cast<int64_t>(mean.users.size());
  mean.values = torch::zeros({num_users, static_cast<int64_t>(mean.metrics.size())},
                             torch::kFloat64);  // [V, M]
  for (const auto& run : runs) {
    check_comparable(run, runs.front());
    const auto columns = aligned_columns(run, runs.front(), mean.metrics);
    for (size_t m = 0; m < columns.size(); ++m)
      mean.values.select(1, static_cast<int64_t>(m))
          .add_(torch::tensor(columns[m], torch::kFloat64), 1.0 / static_cast<double>(runs.size()));
  }
  return mean;
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
  // Columns of all runs and metrics, then those of all differences: bootstrapped together.
  const size_t num_metrics = comparison.metrics.size();
  std::vector<std::vector<double>> columns;
  for (const auto& run : runs) {
    comparison.runs.push_back(run.name);
    for (auto& column : aligned_columns(run, baseline, comparison.metrics)) {
      columns.push_back(std::move(column));
    }
  }
  for (size_t m = 0; m < num_metrics; ++m) {
    for (size_t run = 1; run < runs.size(); ++run) {
      std::vector<double> differences = columns[run * num_metrics + m];
      for (size_t i = 0; i < differences.size(); ++i) differences[i] -= columns[m][i];
      columns.push_back(std::move(differences));
    }
  }
  const auto intervals = intervals_of(columns, options);
  for (size_t run = 0; run < runs.size(); ++run) {
    auto& means = comparison.means.emplace_back();
    auto& of_means = comparison.intervals.emplace_back();
    for (size_t m = 0; m < num_metrics; ++m) {
      means.push_back(summarize(columns[run * num_metrics + m]).mean);
      of_means.push_back(intervals[run * num_metrics + m]);
    }
  }
  std::vector<double> p_values;
  size_t column = runs.size() * num_metrics;
  for (const auto& metric : comparison.metrics) {
    for (size_t run = 1; run < runs.size(); ++run, ++column) {
      const auto summary = summarize(columns[column]);
      p_values.push_back(randomization_test(without_nan(columns[column]), options));
      comparison.differences.push_back({.metric = metric,
                                        .run = runs[run].name,
                                        .num_users = summary.count,
                                        .mean = summary.mean,
                                        .interval = intervals[column],
                                        .p_value = p_values.back()});
    }
  }
  const auto adjusted = holm(p_values);
  for (size_t i = 0; i < adjusted.size(); ++i) comparison.differences[i].adjusted_p = adjusted[i];
  return comparison;
}

std::string to_text(const Comparison& comparison) {
  const auto interval_head = format_percent(comparison.options.confidence, 0) + " interval";
  using Align = TextTable::Align;
  TextTable table({"metric", "run", "mean", interval_head, "difference", interval_head, "p",
                   "p (Holm)"},
                  {Align::kLeft, Align::kLeft, Align::kRight, Align::kLeft, Align::kRight,
                   Align::kLeft, Align::kRight, Align::kRight});
  auto difference = comparison.differences.begin();
  for (size_t m = 0; m < comparison.metrics.size(); ++m) {
    for (size_t run = 0; run < comparison.runs.size(); ++run) {
      std::vector<std::string> row = {comparison.metrics[m], comparison.runs[run],
                                      format_value(comparison.means[run][m]),
                                      format_interval(comparison.intervals[run][m])};
      if (run == 0) {
        row.emplace_back("baseline");
      } else {
        row.insert(row.end(),
                   {(difference->mean > 0.0 ? "+" : "") + format_value(difference->mean),
                    format_interval(difference->interval), format_value(difference->p_value),
                    format_value(difference->adjusted_p)});
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
         (tests == 1 ? "1 test" : std::to_string(tests) + " tests") +
         ", all those of this table.\n";
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

double student_t_quantile(double probability, double degrees) {
  TORCH_CHECK(probability > 0.0 && probability < 1.0 && degrees > 0.0,
              "student_t_quantile: probability ", probability, ", degrees ", degrees);
  if (probability < 0.5) return -student_t_quantile(1.0 - probability, degrees);
  // P(T < t) = 1/2 + c int_0^a cos^(degrees - 1) with t = sqrt(degrees) tan(a): a smooth function on a
  // short interval, by Simpson's rule; grown to the probability by halving.
  const double log_scale = std::lgamma((degrees + 1.0) / 2.0) - std::lgamma(degrees / 2.0) -
                           0.5 * std::log(std::numbers::pi);
  const auto below = [&](double angle) {
    constexpr int kSteps = 2000;
    double sum = 0.0;
    for (int i = 0; i <= kSteps; ++i) {
      const double weight = i == 0 || i == kSteps ? 1.0 : i % 2 == 1 ? 4.0 : 2.0;
      sum += weight * std::pow(std::cos(angle * i / kSteps), degrees - 1.0);
    }
    return 0.5 + std::exp(log_scale) * sum * angle / (3.0 * kSteps);
  };
  double low = 0.0, high = std::numbers::pi / 2.0;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2.0;
    (below(middle) < probability ? low : high) = middle;
  }
  return std::sqrt(degrees) * std::tan(low);
}

}  // namespace reckon
