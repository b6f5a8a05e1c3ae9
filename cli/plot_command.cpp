#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <unordered_map>

#include "cli/commands.h"
#include "cli/loaded_run.h"
#include "cli/training_curve.h"
#include "core/files.h"
#include "core/format.h"
#include "evaluation/breakdown.h"
#include "evaluation/evaluator.h"
#include "evaluation/metrics.h"
#include "evaluation/plot.h"
#include "evaluation/significance.h"
#include "training/run_folder.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kCutoffs[] = {1, 2, 5, 10, 20, 50, 100};
constexpr int64_t kBuckets = 6;
// A normal interval of 95 %, where no bootstrap is drawn.
constexpr double kNormal95 = 1.959964;

struct PlotOptions {
  std::vector<std::string> runs, overrides;
  std::string output, split = "test", metric, data;
  int64_t samples = 1000;
};

/// Everything that the charts show of one run, or of one experiment with several seeds.
struct PlottedRun {
  std::string name;
  std::vector<std::vector<CurveEpoch>> curves;  // one for each seed
  bool is_measured = false;
  RunResults results;  // for each user, mean over the seeds
  std::vector<std::string> compared;
  std::map<std::string, double> totals;  // of metrics without values for each user
  std::vector<Share> found;
  std::vector<int64_t> recommended;  // [I], over all seeds
};

/// What is the same for all runs on the same data.
struct SplitFacts {
  std::unordered_map<std::string, int64_t> history_length;  // by raw user id
  std::vector<int64_t> item_counts;                         // [I]
  std::vector<Bucket> popularity;
  int64_t num_items = 0;
};

std::string name_of(const std::string& run) {
  auto path = fs::path(run).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (path.filename() == "." || path.filename() == "..") path = fs::absolute(path);
  return path.lexically_normal().filename().string();
}

MetricName chosen_metric(const PlotOptions& options, const EvaluationOptions& evaluation) {
  if (!options.metric.empty()) {
    const auto refuse = [](const std::string& what) {
      throw ConfigError(
          {{{kCommandLineOrigin, 0, 0}, "--metric: " + what, "ask for one such as ndcg@10"}});
    };
    MetricName metric;
    try {
      metric = MetricName::parse(options.metric);
    } catch (const std::invalid_argument& error) {
      refuse(error.what());
    }
    if (!metric.is_per_user()) refuse(options.metric + " has no value for each user");
    if (!metric.needs_list()) refuse(options.metric + " is not one of lists");
    return metric;
  }
  // NDCG looks at more of a list than the others.
  MetricName chosen{Metric::kNdcg, 10};
  bool is_found = false;
  for (const auto& metric : evaluation.metrics) {
    if (!metric.needs_list() || !metric.is_per_user()) continue;
    if (!is_found || metric.metric == Metric::kNdcg) chosen = metric;
    if (metric.metric == Metric::kNdcg) return chosen;
    is_found = true;
  }
  return chosen;
}

bool is_of_ranking(Metric metric) {
  switch (metric) {
    case Metric::kRecall:
    case Metric::kNdcg:
    case Metric::kHitRate:
    case Metric::kMrr:
    case Metric::kMap:
    case Metric::kPrecision:
    case Metric::kCoverage:
      return true;
    default:
      return false;
  }
}

/// The measures that are drawn over K: those of the experiment, else recall and NDCG.
std::vector<Metric> measures_by_k(const EvaluationOptions& evaluation) {
  std::vector<Metric> measures;
  for (const auto& name : evaluation.metrics)
    if (is_of_ranking(name.metric) &&
        std::find(measures.begin(), measures.end(), name.metric) == measures.end())
      measures.push_back(name.metric);
  if (measures.empty()) measures = {Metric::kRecall, Metric::kNdcg};
  return measures;
}

void add_metric(std::vector<MetricName>& metrics, const MetricName& name) {
  if (std::find(metrics.begin(), metrics.end(), name) == metrics.end()) metrics.push_back(name);
}

RunResults results_of(const EvaluationResult& result, const IdMap& users, const std::string& name) {
  RunResults run;
  run.name = name;
  run.fingerprint = result.fingerprint;
  run.protocol = result.protocol;
  run.split = split_name(result.split);
  for (int64_t row = 0; row < result.users.size(0); ++row)
    run.users.emplace_back(users.raw(result.users[row].item<int64_t>()));
  for (const auto& metric : result.per_user_metrics) run.metrics.push_back(metric.to_string());
  run.values = result.per_user;
  return run;
}

std::vector<double> column_of(const RunResults& run, const std::string& metric) {
  const auto found = std::find(run.metrics.begin(), run.metrics.end(), metric);
  if (found == run.metrics.end()) return {};
  const auto column = run.values.select(1, found - run.metrics.begin()).contiguous();  // [V]
  return {column.const_data_ptr<double>(), column.const_data_ptr<double>() + column.numel()};
}

RunResults with_metrics(const RunResults& run, const std::vector<std::string>& metrics) {
  RunResults out = run;
  out.metrics.clear();
  std::vector<torch::Tensor> columns;
  for (size_t m = 0; m < run.metrics.size(); ++m) {
    if (std::find(metrics.begin(), metrics.end(), run.metrics[m]) == metrics.end()) continue;
    out.metrics.push_back(run.metrics[m]);
    columns.push_back(run.values.select(1, static_cast<int64_t>(m)));  // [V]
  }
  out.values = torch::stack(columns, 1);  // [V, M]
  return out;
}

/// Mean and bootstrap interval of what is there of a column.
IntervalRow interval_of(const std::vector<double>& column, const ComparisonOptions& options) {
  std::vector<double> values;
  for (const double value : column)
    if (!std::isnan(value)) values.push_back(value);
  IntervalRow row;
  row.value = row.low = row.high = kNaN;
  if (values.empty()) return row;
  row.value = summarize(values).mean;
  const auto interval = bootstrap_intervals({values}, options).at(0);
  row.low = interval.low;
  row.high = interval.high;
  return row;
}

/// Measures runs, one after another, and makes the charts of all of them.
class Plotter {
 public:
  Plotter(const PlotOptions& options, const Catalog& catalog)
      : options_(options), catalog_(catalog) {
    comparison_.bootstrap_samples = options.samples;
    comparison_.permutations = std::max<int64_t>(options.samples, 1000);
  }

  void add(const std::string& directory) {
    PlottedRun run;
    run.name = name_of(directory);
    const auto same = std::count_if(runs_.begin(), runs_.end(), [&](const PlottedRun& other) {
      return other.name == run.name;
    });
    // Two folders may have one name; what stands in front of it tells them apart.
    if (same > 0) run.name = fs::path(directory).lexically_normal().string();
    const auto folders = folders_of_run(directory);
    if (folders.size() > 1) run.name += " (" + std::to_string(folders.size()) + " seeds)";
    std::vector<RunResults> seeds;
    for (const auto& folder : folders) {
      // What is no run is refused with the words of load_run().
      if (!fs::exists(fs::path(folder) / "config.yaml")) load_run(folder, {}, catalog_);
      const auto opened = RunFolder::open(folder);
      run.curves.push_back(read_training_curve(opened.metrics_path()));
      if (!fs::exists(opened.last_checkpoint()) && !fs::exists(opened.best_checkpoint())) {
        notes_.push_back(folder + " has no checkpoint yet: only its training curves are shown.");
        continue;
      }
      seeds.push_back(measure(folder, run));
    }
    if (!seeds.empty()) {
      run.is_measured = true;
      run.results = seeds.size() == 1 ? seeds.front() : mean_of_seeds(seeds, run.name);
      run.results.name = run.name;
      for (auto& share : run.found) {
        share.value /= static_cast<double>(seeds.size());
        share.standard_error /= static_cast<double>(seeds.size());
      }
      for (auto& [name, value] : run.totals) value /= static_cast<double>(seeds.size());
    }
    runs_.push_back(std::move(run));
  }

  std::string page() {
    std::vector<PlotSection> sections;
    std::string note;
    for (const auto& one : notes_) note += (note.empty() ? "" : " ") + one;
    // First, since it refuses runs that must not be drawn beside each other.
    auto comparison = compared();
    sections.push_back(training());
    if (!note.empty()) sections.back().text += (sections.back().text.empty() ? "" : " ") + note;
    if (is_any_measured()) {
      sections.push_back(by_k());
      sections.push_back(by_users_and_items());
    }
    if (!comparison.figures.empty()) sections.push_back(std::move(comparison));
    std::string title;
    for (const auto& run : runs_) title += (title.empty() ? "" : ", ") + run.name;
    return plot_page(title, sections);
  }

 private:
  static std::vector<std::string> folders_of_run(const std::string& directory) {
    std::vector<std::pair<int64_t, std::string>> seeds;
    if (fs::is_directory(directory) && !fs::exists(fs::path(directory) / "config.yaml"))
      for (const auto& entry : fs::directory_iterator(directory)) {
        const auto name = entry.path().filename().string();
        if (name.rfind("seed-", 0) == 0 && fs::exists(entry.path() / "config.yaml"))
          seeds.emplace_back(std::atoll(name.c_str() + 5), entry.path().string());
      }
    std::sort(seeds.begin(), seeds.end());
    std::vector<std::string> folders;
    for (const auto& [seed, folder] : seeds) folders.push_back(folder);
    return folders.empty() ? std::vector{directory} : folders;
  }

  RunResults measure(const std::string& folder, PlottedRun& run) {
    auto overrides = options_.overrides;
    overrides.push_back("evaluation.split=" + options_.split);
    if (!options_.data.empty())
      overrides.push_back("data.directory=" + emit_flow(ConfigNode::text(options_.data)));
    auto loaded = load_run(folder, overrides, catalog_);
    auto evaluation = loaded.experiment.evaluation;
    if (!metric_) metric_ = chosen_metric(options_, evaluation);
    const auto input = evaluation_input(loaded.dataset, evaluation);
    if (input.data.users.size(0) == 0)
      throw ConfigError({{{folder, 0, 0},
                          "the data has no " + options_.split + " part to measure on",
                          "--split chooses another one"}});
    learn_facts(input, evaluation);

    const auto asked = evaluation.metrics;
    evaluation.metrics.clear();
    evaluation.per_user = true;
    evaluation.top_k_lists = metric_->k;
    add_metric(evaluation.metrics, *metric_);
    run.compared = {metric_->to_string()};
    for (const auto& name : asked) {
      if (!name.needs_list() || !name.is_per_user()) continue;
      add_metric(evaluation.metrics, name);
      run.compared.push_back(name.to_string());
    }
    for (const auto measure : measures_by_k(loaded.experiment.evaluation)) {
      if (std::find(measures_.begin(), measures_.end(), measure) == measures_.end())
        measures_.push_back(measure);
      for (const auto k : cutoffs(input.num_items)) add_metric(evaluation.metrics, {measure, k});
    }
    const auto result = evaluate(*loaded.model, input, evaluation);
    for (const auto& value : result.metrics)
      if (!value.name.is_per_user()) run.totals[value.name.to_string()] += value.mean;

    const auto found = found_by_popularity(*result.lists, input, evaluation.relevant_from,
                                           metric_->k, facts_->popularity);
    const auto counts = recommendation_counts(*result.lists, input.num_items, metric_->k);
    run.found.resize(found.size(), {0.0, 0.0, 0});
    for (size_t b = 0; b < found.size(); ++b) {
      run.found[b].value += found[b].value;
      run.found[b].standard_error += found[b].standard_error;
      run.found[b].num_pairs = found[b].num_pairs;
    }
    run.recommended.resize(counts.size(), 0);
    for (size_t i = 0; i < counts.size(); ++i) run.recommended[i] += counts[i];
    return results_of(result, loaded.dataset.users(), run.name);
  }

  void learn_facts(const EvaluationInput& input, const EvaluationOptions& evaluation) {
    if (facts_) return;
    facts_.emplace();
    facts_->num_items = input.num_items;
    const int64_t* offsets = input.data.history_offsets.const_data_ptr<int64_t>();
    for (int64_t row = 0; row < input.data.users.size(0); ++row)
      facts_->history_length.emplace(std::string(input.users->raw(
                                         input.data.users.const_data_ptr<int64_t>()[row])),
                                     offsets[row + 1] - offsets[row]);
    const auto counts = input.item_counts.to(torch::kInt64).contiguous();  // [I]
    facts_->item_counts.assign(counts.const_data_ptr<int64_t>(),
                               counts.const_data_ptr<int64_t>() + counts.numel());
    const auto popularity = relevant_popularity(input, evaluation.relevant_from);
    facts_->popularity = quantile_buckets(popularity, kBuckets);
  }

  static std::vector<int64_t> cutoffs(int64_t num_items) {
    std::vector<int64_t> out;
    for (const auto k : kCutoffs)
      if (k <= num_items) out.push_back(k);
    return out;
  }

  bool is_any_measured() const {
    return std::any_of(runs_.begin(), runs_.end(),
                       [](const PlottedRun& run) { return run.is_measured; });
  }

  template <class Value>
  Chart curve(const std::string& title, const std::string& label, const std::string& caption,
              const Value& value) const {
    Chart chart{
        title, caption, {"epoch", /*is_whole=*/true, false, {}}, {label, false, false, {}}, {}};
    for (size_t r = 0; r < runs_.size(); ++r) {
      bool is_named = true;
      for (const auto& epochs : runs_[r].curves) {
        PlotSeries series;
        series.name = runs_[r].name;
        series.colour = static_cast<int>(r);
        for (const auto& epoch : epochs) {
          const auto at = value(epoch);
          // What was not measured is no gap; what is NaN is one.
          if (!at) continue;
          series.x.push_back(static_cast<double>(epoch.epoch));
          series.y.push_back(*at);
        }
        // A run that has none of it is not in the legend either.
        if (std::none_of(series.y.begin(), series.y.end(),
                         [](double y) { return std::isfinite(y); }))
          continue;
        series.is_named = is_named;
        is_named = false;
        chart.series.push_back(std::move(series));
      }
    }
    return chart;
  }

  PlotSection training() const {
    PlotSection section{"Training", "", {}};
    bool has_loss = false;
    std::set<std::string> validated;
    for (const auto& run : runs_)
      for (const auto& epochs : run.curves)
        for (const auto& epoch : epochs) {
          has_loss = has_loss || !std::isnan(epoch.loss);
          for (const auto& [name, value] : epoch.validation) validated.insert(name);
        }
    if (has_loss)
      section.figures.push_back(to_figure(
          curve("Training loss", "loss per target", "Mean loss over the targets of an epoch.",
                [](const CurveEpoch& epoch) { return std::optional<double>(epoch.loss); })));
    for (const auto& name : validated)
      section.figures.push_back(to_figure(
          curve("Validation: " + name, name, "Measured on the validation part after an epoch.",
                [&name](const CurveEpoch& epoch) {
                  const auto found = epoch.validation.find(name);
                  return found == epoch.validation.end() ? std::optional<double>()
                                                         : std::optional<double>(found->second);
                })));
    if (section.figures.empty())
      section.text = "No epoch has been logged with a loss or a validation.";
    return section;
  }

  PlotSection by_k() const {
    const auto all = cutoffs(facts_->num_items);
    PlotSection section{"Lists of different lengths", "", {}};
    if (all.size() < std::size(kCutoffs))
      section.text = "The catalogue has " + format_count(facts_->num_items) +
                     " items: larger cut-offs would see all of them and are left out.";
    for (const auto measure : measures_) {
      const auto word = MetricName::words().at(static_cast<size_t>(measure));
      const bool is_per_user = MetricName{measure, 1}.is_per_user();
      Chart chart{word + " by K",
                  "On the " + options_.split + " part." +
                      (is_per_user ? " Bands are bootstrap intervals of 95 % over users." : ""),
                  {"K, places of the list", false, false, {}},
                  {word + "@K", false, /*has_zero=*/true, {}},
                  {}};
      for (const auto k : all) chart.x.categories.push_back(format_count(k));
      for (size_t r = 0; r < runs_.size(); ++r) {
        const auto& run = runs_[r];
        if (!run.is_measured) continue;
        PlotSeries series;
        series.name = run.name;
        series.colour = static_cast<int>(r);
        for (size_t i = 0; i < all.size(); ++i) {
          const auto name = MetricName{measure, all[i]}.to_string();
          IntervalRow row{"", kNaN, kNaN, kNaN, 0};
          if (is_per_user)
            row = interval_of(column_of(run.results, name), comparison_);
          else if (run.totals.count(name) > 0)
            row.value = run.totals.at(name);
          series.x.push_back(static_cast<double>(i));
          series.y.push_back(row.value);
          series.low.push_back(row.low);
          series.high.push_back(row.high);
        }
        chart.series.push_back(std::move(series));
      }
      section.figures.push_back(to_figure(chart));
    }
    return section;
  }

  static std::string range_text(const Bucket& bucket) {
    return bucket.low == bucket.high ? format_count(bucket.low)
                                     : format_count(bucket.low) + "–" + format_count(bucket.high);
  }

  // Points of several runs stand beside each other, not above.
  double beside(size_t run, size_t index) const {
    const double step = std::min(0.14, 0.7 / static_cast<double>(runs_.size()));
    return static_cast<double>(index) +
           (static_cast<double>(run) - (static_cast<double>(runs_.size()) - 1.0) / 2.0) * step;
  }

  PlotSection by_users_and_items() const {
    PlotSection section{"For whom, and of what", "", {}};
    section.figures.push_back(to_figure(by_history_length()));
    section.figures.push_back(to_figure(by_popularity()));
    section.figures.push_back(to_figure(tail()));
    return section;
  }

  Chart by_history_length() const {
    const auto name = metric_->to_string();
    std::vector<int64_t> lengths;
    for (const auto& run : runs_) {
      if (!run.is_measured) continue;
      for (const auto& user : run.results.users) lengths.push_back(facts_->history_length.at(user));
      break;  // all runs have the same users
    }
    const auto buckets = quantile_buckets(lengths, kBuckets);
    Chart chart{
        name + " by length of history",
        "Users in groups of about the same size (" + group_sizes(buckets) +
            " users). Bars are bootstrap intervals of 95 %.",
        {"interactions of the user before the " + options_.split + " part", false, false, {}},
        {name, false, /*has_zero=*/true, {}},
        {}};
    for (const auto& bucket : buckets) chart.x.categories.push_back(range_text(bucket));
    for (size_t r = 0; r < runs_.size(); ++r) {
      const auto& run = runs_[r];
      if (!run.is_measured) continue;
      const auto column = column_of(run.results, name);
      std::vector<std::vector<double>> groups(buckets.size());
      for (size_t u = 0; u < column.size(); ++u)
        groups
            .at(static_cast<size_t>(
                bucket_of(buckets, facts_->history_length.at(run.results.users[u]))))
            .push_back(column[u]);
      auto series = points_of(r);
      for (size_t b = 0; b < groups.size(); ++b) {
        const auto row = interval_of(groups[b], comparison_);
        series.x.push_back(beside(r, b));
        series.y.push_back(row.value);
        series.low.push_back(row.low);
        series.high.push_back(row.high);
      }
      chart.series.push_back(std::move(series));
    }
    return chart;
  }

  PlotSeries points_of(size_t run) const {
    PlotSeries series;
    series.name = runs_[run].name;
    series.colour = static_cast<int>(run);
    series.is_connected = false;
    return series;
  }

  static std::string group_sizes(const std::vector<Bucket>& buckets) {
    std::string out;
    for (const auto& bucket : buckets)
      out += (out.empty() ? "" : ", ") + format_count(bucket.count);
    return out;
  }

  Chart by_popularity() const {
    const auto k = std::to_string(metric_->k);
    Chart chart{"Relevant items found, by popularity",
                "Held-out pairs of user and item in groups of about the same size (" +
                    group_sizes(facts_->popularity) +
                    " pairs): how many have the item among the first " + k +
                    " places. Bars are intervals of 95 %, by the standard error over users.",
                {"training interactions of the item", false, false, {}},
                {"share found in the first " + k, false, /*has_zero=*/true, {}},
                {}};
    for (const auto& bucket : facts_->popularity) chart.x.categories.push_back(range_text(bucket));
    for (size_t r = 0; r < runs_.size(); ++r) {
      if (!runs_[r].is_measured) continue;
      auto series = points_of(r);
      for (size_t b = 0; b < runs_[r].found.size(); ++b) {
        const auto& share = runs_[r].found[b];
        series.x.push_back(beside(r, b));
        series.y.push_back(share.value);
        series.low.push_back(std::max(0.0, share.value - kNormal95 * share.standard_error));
        series.high.push_back(std::min(1.0, share.value + kNormal95 * share.standard_error));
      }
      chart.series.push_back(std::move(series));
    }
    return chart;
  }

  Chart tail() const {
    Chart chart{
        "Long tail: where recommendations fall",
        "Items from the most to the least popular in training. The steeper a line rises, the "
        "fewer items take most places of the first " +
            std::to_string(metric_->k) + "; the dashed line is the training data itself.",
        {"share of the catalogue, most popular first (%)", false, /*has_zero=*/true, {}},
        {"share of recommendations (%)", false, /*has_zero=*/true, {}},
        {}};
    const auto add = [&](PlotSeries series, const std::vector<int64_t>& counts) {
      for (const auto& point : long_tail(counts, facts_->item_counts)) {
        series.x.push_back(100.0 * point.items);
        series.y.push_back(100.0 * point.places);
      }
      chart.series.push_back(std::move(series));
    };
    for (size_t r = 0; r < runs_.size(); ++r) {
      if (!runs_[r].is_measured) continue;
      PlotSeries series;
      series.name = runs_[r].name;
      series.colour = static_cast<int>(r);
      add(std::move(series), runs_[r].recommended);
    }
    PlotSeries training;
    training.name = "training interactions";
    training.colour = kNumPlotColours - 1;
    training.is_dashed = true;
    add(std::move(training), facts_->item_counts);
    return chart;
  }

  PlotSection compared() const {
    PlotSection section{"Comparison", "", {}};
    std::vector<RunResults> results;
    std::vector<int> colours;
    for (size_t r = 0; r < runs_.size(); ++r) {
      if (!runs_[r].is_measured) continue;
      results.push_back(with_metrics(runs_[r].results, runs_[r].compared));
      colours.push_back(static_cast<int>(r));
    }
    if (results.size() < 2) return section;
    const auto comparison = compare_runs(results, comparison_);
    section.text = comparison.protocol + "; " + format_count(comparison.num_users) +
                   " users of the " + comparison.split +
                   " part. Differences are of the same users, with Holm's correction over all of "
                   "them; " +
                   results.front().name + " is the baseline.";
    for (size_t m = 0; m < comparison.metrics.size(); ++m) {
      const auto& metric = comparison.metrics[m];
      IntervalChart means{
          metric, "Means with bootstrap intervals of 95 % over users.", metric, false, {}};
      for (size_t r = 0; r < comparison.runs.size(); ++r) {
        const auto& interval = comparison.intervals[r][m];
        means.rows.push_back(
            {comparison.runs[r], comparison.means[r][m], interval.low, interval.high, colours[r]});
      }
      section.figures.push_back(to_figure(means));
      IntervalChart differences{
          metric + ": difference from " + results.front().name,
          "Where an interval holds zero, no difference is shown. p: randomisation test, Holm.",
          "difference of " + metric,
          true,
          {}};
      for (const auto& difference : comparison.differences) {
        if (difference.metric != metric) continue;
        const auto run = std::find(comparison.runs.begin(), comparison.runs.end(), difference.run) -
                         comparison.runs.begin();
        differences.rows.push_back(
            {difference.run + ", p " + format_significant(difference.adjusted_p, 2),
             difference.mean, difference.interval.low, difference.interval.high,
             colours[static_cast<size_t>(run)]});
      }
      section.figures.push_back(to_figure(differences));
    }
    return section;
  }

  const PlotOptions& options_;
  const Catalog& catalog_;
  ComparisonOptions comparison_;
  std::vector<PlottedRun> runs_;
  std::optional<MetricName> metric_;
  std::vector<Metric> measures_;
  std::optional<SplitFacts> facts_;
  std::vector<std::string> notes_;
};

int plot(const PlotOptions& options, const Catalog& catalog) {
  // One colour is the training data's own.
  constexpr size_t kMostRuns = kNumPlotColours - 1;
  if (options.runs.size() > kMostRuns)
    throw ConfigError({{{kCommandLineOrigin, 0, 0},
                        "plot draws at most " + std::to_string(kMostRuns) +
                            " runs on a page, got " + std::to_string(options.runs.size()),
                        "`reckon compare` takes any number"}});
  const auto output =
      !options.output.empty()
          ? options.output
          : (options.runs.size() == 1 ? (fs::path(options.runs[0]) / "plots.html").string()
                                      : "plots.html");
  Plotter plotter(options, catalog);
  if (!options.output.empty()) check_can_write(output);
  for (const auto& run : options.runs) plotter.add(run);
  write_file_atomic(output, plotter.page());
  std::printf("%s\n", output.c_str());
  return 0;
}

}  // namespace

void add_plot_command(CLI::App& app, const Catalog& catalog, Action& action) {
  auto options = std::make_shared<PlotOptions>();
  auto* command = app.add_subcommand(
      "plot", "Draw runs: curves, and metrics by K, users and items, as one page of HTML");
  command->add_option("RUN", options->runs, "Folders of runs, or of runs of several seeds")
      ->required()
      ->expected(1, -1);
  command->add_option("--output", options->output,
                      "The page; default: RUN/plots.html, of several runs plots.html");
  command->add_option("--split", options->split, "What is measured on")
      ->check(CLI::IsMember({"test", "validation"}))
      ->capture_default_str();
  command->add_option("--metric", options->metric,
                      "Of users and lists; default: the experiment's ndcg");
  command->add_option("--samples", options->samples, "Bootstrap samples")
      ->check(CLI::Range(int64_t{100}, int64_t{1000000}))
      ->capture_default_str();
  command->add_option("--data", options->data, "Folder with the data files");
  command
      ->add_option("--set", options->overrides, "Change a value: --set evaluation.mask_seen=false")
      ->allow_extra_args(false);
  command->callback([options, &catalog, &action] {
    action = [options, &catalog] { return plot(*options, catalog); };
  });
}

}  // namespace reckon
