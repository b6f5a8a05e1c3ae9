#include "training/fold_summary.h"

#include <c10/util/Exception.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/format.h"
#include "evaluation/significance.h"

namespace reckon {
namespace {

std::string digits(double value) { return std::isnan(value) ? "-" : format_fixed(value, 4); }

}  // namespace

FoldSummary summarize_folds(const std::vector<std::vector<EvaluationResult>>& results) {
  TORCH_CHECK(!results.empty() && !results.front().empty(),
              "summarize_folds: there are no results");
  FoldSummary summary;
  for (const auto& metric : results.front().front().metrics) {
    FoldMetric line;
    line.name = metric.name.to_string();
    for (const auto& seeds : results) {
      double sum = 0.0;
      int64_t count = 0;
      for (const auto& result : seeds)
        for (const auto& value : result.metrics)
          if (value.name == metric.name) {
            sum += value.mean;
            ++count;
          }
      if (count > 0) line.values.push_back(sum / static_cast<double>(count));
    }
    if (line.values.size() != results.size()) continue;
    const auto count = static_cast<double>(line.values.size());
    for (const double value : line.values) line.mean += value / count;
    double squares = 0.0;
    for (const double value : line.values) squares += (value - line.mean) * (value - line.mean);
    line.deviation = line.half_width = std::numeric_limits<double>::quiet_NaN();
    if (line.values.size() > 1) {
      line.deviation = std::sqrt(squares / (count - 1.0));
      line.half_width = student_t_quantile(0.975, count - 1.0) * line.deviation / std::sqrt(count);
    }
    summary.metrics.push_back(std::move(line));
  }
  return summary;
}

std::string to_text(const FoldSummary& summary) {
  std::vector<std::string> head = {"metric", "mean", "deviation", "95% interval"};
  const size_t num_folds = summary.metrics.empty() ? 0 : summary.metrics.front().values.size();
  for (size_t fold = 1; fold <= num_folds; ++fold) head.push_back("fold " + std::to_string(fold));
  TextTable table(head, {TextTable::Align::kLeft});
  for (const auto& metric : summary.metrics) {
    std::vector<std::string> cells = {metric.name, digits(metric.mean), digits(metric.deviation),
                                      std::isnan(metric.half_width)
                                          ? "-"
                                          : "[" + digits(metric.mean - metric.half_width) + ", " +
                                                digits(metric.mean + metric.half_width) + "]"};
    for (const double value : metric.values) cells.push_back(digits(value));
    table.add_row(cells);
  }
  return table.to_string();
}

std::string to_json(const FoldSummary& summary) {
  auto metrics = nlohmann::json::object();
  for (const auto& metric : summary.metrics)
    metrics[metric.name] = {{"mean", metric.mean},
                            {"deviation", metric.deviation},
                            {"interval",
                             {metric.mean - metric.half_width, metric.mean + metric.half_width}},
                            {"values", metric.values}};
  const size_t num_folds = summary.metrics.empty() ? 0 : summary.metrics.front().values.size();
  return nlohmann::json{{"num_folds", num_folds}, {"metrics", metrics}}.dump(2) + "\n";
}

}  // namespace reckon
