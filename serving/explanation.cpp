#include "serving/explanation.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/format.h"

namespace reckon {
namespace {

using Json = nlohmann::ordered_json;

void add_columns(Json& object, const ItemExplanation::Columns& columns) {
  for (const auto& [name, text] : columns) {
    auto key = name;
    while (object.contains(key)) key += "_";
    object[key] = text;
  }
}

// `item 50 (Star Wars (1977))`
std::string name_of(const ItemExplanation& explanation) {
  const auto& columns = explanation.columns;
  const bool has_title = !columns.empty() && !columns[0].second.empty();
  return "item " + explanation.item + (has_title ? " (" + columns[0].second + ")" : "");
}

}  // namespace

std::string to_table(const ItemExplanation& explanation) {
  using Align = TextTable::Align;
  double largest = std::max(
      {std::fabs(explanation.score), std::fabs(explanation.others), std::fabs(explanation.rest)});
  for (const auto& source : explanation.sources)
    largest = std::max(largest, std::fabs(source.contribution));
  const int digits = digits_of_column(largest);
  const auto number = [digits](double value) { return format_fixed(value, digits); };
  const auto name = name_of(explanation);
  if (explanation.unknown_item) return "nothing is known of item " + explanation.item + "\n";
  if (!explanation.fallback.empty())
    return name + " scores " + number(explanation.score) + " among " + explanation.fallback +
           ", and nothing of the request has a share in that\n";
  if (explanation.sources.empty())
    return "nothing has a share in the score of " + name + ", " + number(explanation.score) +
           (explanation.rest != 0.0 ? ", which is all the rest" : "") + "\n";
  std::vector<std::string> head = {"rank", explanation.by_users ? "user" : "item"};
  std::vector<Align> align = {Align::kRight, Align::kLeft};
  for (const auto& [column, _] : explanation.sources[0].columns) {
    head.push_back(column);
    align.push_back(Align::kLeft);
  }
  head.emplace_back("share");
  align.push_back(Align::kRight);
  TextTable table(head, align);
  for (size_t i = 0; i < explanation.sources.size(); ++i) {
    const auto& source = explanation.sources[i];
    std::vector<std::string> row = {std::to_string(i + 1), source.id};
    for (const auto& [_, text] : source.columns) row.push_back(text);
    row.push_back(number(source.contribution));
    table.add_row(row);
  }
  return name + " scores " + number(explanation.score) + ", of which\n" + table.to_string() +
         "and " + number(explanation.others) + " of other " +
         (explanation.by_users ? "users" : "items") + ", " + number(explanation.rest) +
         " of the rest\n";
}

std::string to_json_line(const ItemExplanation& explanation) {
  const char* const kind = explanation.by_users ? "user" : "item";
  Json out;
  out["item"] = explanation.item;
  if (!explanation.unknown_item) out["score"] = explanation.score;
  out["by"] = explanation.by_users ? "users" : "items";
  out["sources"] = Json::array();
  for (const auto& source : explanation.sources) {
    Json one = {{kind, source.id}, {"contribution", source.contribution}};
    add_columns(one, source.columns);
    out["sources"].push_back(std::move(one));
  }
  if (!explanation.unknown_item) {
    out["others"] = explanation.others;
    out["rest"] = explanation.rest;
  }
  if (!explanation.unknown.empty()) out["unknown"] = explanation.unknown;
  if (!explanation.fallback.empty()) out["fallback"] = explanation.fallback;
  add_columns(out, explanation.columns);
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace reckon
