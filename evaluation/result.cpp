#include "evaluation/result.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/format.h"

namespace reckon {
namespace {

std::string list_of(const std::vector<MetricValue>& values) {
  std::vector<std::string> names;
  for (const auto& value : values) names.push_back(value.name.to_string());
  return join(names);
}

}  // namespace

std::string format_value(double value) { return std::isnan(value) ? "-" : format_fixed(value, 4); }

std::string split_name(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  return "";
}

double EvaluationResult::value(const MetricName& name) const {
  for (const auto& value : metrics) {
    if (value.name == name) return value.mean;
  }
  TORCH_CHECK(false, "the evaluation has no ", name.to_string(), ", only ", list_of(metrics));
}

std::string to_text(const EvaluationResult& result) {
  std::string text = split_name(result.split) + ", " + std::to_string(result.users.size(0)) +
                     " users, " + result.protocol + "\n\n";
  using Align = TextTable::Align;
  TextTable table({"metric", "mean", "std. error", "users"},
                  {Align::kLeft, Align::kRight, Align::kRight, Align::kRight});
  for (const auto& value : result.metrics) {
    table.add_row({value.name.to_string(), format_value(value.mean),
                   format_value(value.standard_error), std::to_string(value.num_users)});
  }
  text += table.to_string();
  for (const auto& note : result.notes) text += "note: " + note + "\n";
  return text;
}

std::string to_json(const EvaluationResult& result) {
  nlohmann::ordered_json json = {{"split", split_name(result.split)},
                                 {"protocol", result.protocol},
                                 {"reranking", result.reranking},
                                 {"sampled", result.is_sampled},
                                 {"fingerprint", result.fingerprint},
                                 {"num_users", result.users.size(0)},
                                 {"num_users_left_out", result.num_users_left_out},
                                 {"num_fallback_users", result.num_fallback_users},
                                 {"num_masked_targets", result.num_masked_targets},
                                 {"metrics", nlohmann::ordered_json::object()},
                                 {"notes", result.notes}};
  // NaN becomes null: JSON has no other word for it.
  for (const auto& value : result.metrics) {
    json["metrics"][value.name.to_string()] = {{"mean", value.mean},
                                               {"standard_error", value.standard_error},
                                               {"num_users", value.num_users}};
  }
  return json.dump(2);
}

}  // namespace reckon
