#include "training/search_log.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "training/checkpoint.h"
#include "training/json_number.h"

namespace reckon {

namespace {

using Json = nlohmann::json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

Json record_json(const TrialRecord& record) {
  Json values = Json::array(), metrics = Json::array();
  for (const auto& [path, value] : record.values) values.push_back({path, value});
  for (const auto& [name, value] : record.metrics) metrics.push_back({name, value});
  return {{"trial", record.trial},    {"epochs", record.epochs}, {"values", values},
          {"value", record.value},    {"metrics", metrics},      {"seconds", record.seconds},
          {"failure", record.failure}};
}

TrialRecord record_from(const Json& json) {
  TrialRecord record;
  record.trial = json.at("trial");
  record.epochs = json.at("epochs");
  for (const auto& pair : json.at("values")) record.values.emplace_back(pair.at(0), pair.at(1));
  record.value = number_or_nan(json.at("value"));
  for (const auto& pair : json.at("metrics"))
    record.metrics.emplace_back(pair.at(0), number_or_nan(pair.at(1)));
  record.seconds = json.at("seconds");
  record.failure = json.at("failure");
  return record;
}

std::string text_of(const std::vector<std::pair<std::string, std::string>>& values) {
  std::vector<std::string> parts;
  for (const auto& [path, value] : values) parts.push_back(path + " " + value);
  return join(parts);
}

// Lengths may change when a run is resumed, but then its trials would not compare.
void check_same_lengths(const ConfigNode& before, const ConfigNode& now, const std::string& path,
                        Problems& problems) {
  for (const char* key : {"training.epochs", "training.steps"}) {
    const auto* old_value = before.at_path(key);
    const auto* new_value = now.at_path(key);
    const auto text = [](const ConfigNode* node) { return node ? emit_flow(*node) : "nothing"; };
    if (text(old_value) != text(new_value))
      problems.add({path, 0, 0}, std::string(key) + ": the search to resume has " +
                                     text(old_value) + ", now it is " + text(new_value));
  }
}

void check_same_search(const SearchIdentity& before, const SearchIdentity& now,
                       const std::string& path) {
  Problems problems;
  const auto config = parse_yaml(before.config, path);
  const auto new_config = parse_yaml(now.config, "config");
  try {
    check_same_config(config, new_config);
  } catch (const ConfigError& error) {
    for (const auto& problem : error.diagnostics())
      problems.add({path, 0, 0}, problem.message, problem.hint);
  }
  check_same_lengths(config, new_config, path, problems);
  const auto compare = [&](const char* what, const std::string& was, const std::string& is) {
    if (was != is)
      problems.add({path, 0, 0},
                   std::string(what) + ": the search to resume has " + was + ", now it is " + is);
  };
  compare("tune.metric", before.metric, now.metric);
  compare("data fingerprint", before.data_fingerprint, now.data_fingerprint);
  problems.throw_if_any();
}

}  // namespace

SearchLog::SearchLog(std::string path, const SearchIdentity& identity, bool resume)
    : path_(std::move(path)), identity_(identity) {
  if (!resume || !std::filesystem::exists(path_)) {
    save();
    return;
  }
  SearchIdentity before;
  try {
    const auto json = Json::parse(read_file(path_));
    before = {json.at("config"), json.at("data_fingerprint"), json.at("metric")};
    for (const auto& record : json.at("trials")) records_.push_back(record_from(record));
  } catch (const Json::exception& error) {
    throw DataError(path_, 0, std::string("expected the log of a search: ") + error.what());
  }
  check_same_search(before, identity_, path_);
}

const TrialRecord* SearchLog::find(const Trial& trial, int64_t epochs) const {
  for (const auto& record : records_) {
    if (record.trial != trial.number) continue;
    const auto values = values_as_text(trial);
    if (record.values != values)
      throw ConfigError(
          {{{path_, 0, 0},
            "trial " + std::to_string(trial.number) + ": the search to resume has tried " +
                text_of(record.values) + ", now it would be " + text_of(values),
            "with the same seed and parameters only the number of drawn trials may "
            "change; else begin a new search"}});
    if (record.epochs == epochs) return &record;
  }
  return nullptr;
}

void SearchLog::add(TrialRecord record) {
  records_.push_back(std::move(record));
  save();
}

void SearchLog::save() const {
  Json json = {{"metric", identity_.metric},
               {"data_fingerprint", identity_.data_fingerprint},
               {"config", identity_.config},
               {"trials", Json::array()}};
  for (const auto& record : records_) json["trials"].push_back(record_json(record));
  write_file_atomic(path_, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

const TrialRecord* best_record(const std::vector<TrialRecord>& records, bool higher_is_better) {
  const TrialRecord* best = nullptr;
  for (const auto& record : records) {
    if (std::isnan(record.value)) continue;
    const auto is_better = [&](double a, double b) { return higher_is_better ? a > b : a < b; };
    const auto beats = [&](const TrialRecord& other) {
      if (record.epochs != other.epochs) return record.epochs > other.epochs;
      if (record.value != other.value) return is_better(record.value, other.value);
      return record.trial < other.trial;
    };
    if (best == nullptr || beats(*best)) best = &record;
  }
  return best;
}

std::vector<std::pair<std::string, std::string>> values_as_text(const Trial& trial) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const auto& [path, value] : trial.values) values.emplace_back(path, emit_flow(value));
  return values;
}

bool run_search(const TuneOptions& options, const std::vector<Trial>& trials, int64_t max_epochs,
                SearchLog& log, const SearchHooks& hooks) {
  const bool higher = options.metric.higher_is_better();
  const auto num_trials = static_cast<int64_t>(trials.size());
  std::vector<Rung> rungs = {{0, num_trials}};
  if (options.search == SearchType::kHalving)
    rungs = halving_rungs(num_trials, options.min_epochs.value_or(0), max_epochs,
                          options.reduction.value_or(TuneOptions::kDefaultReduction));
  const auto drop = [&](int64_t trial) {
    if (hooks.on_dropped) hooks.on_dropped(trial);
  };
  auto alive = trials;
  for (size_t r = 0; r < rungs.size(); ++r) {
    const bool is_last = r + 1 == rungs.size();
    std::vector<double> values;
    int64_t leader = 0;
    for (const auto& trial : alive) {
      const auto* record = log.find(trial, rungs[r].epochs);
      if (record == nullptr) {
        auto trained = hooks.train(trial, rungs[r].epochs);
        if (!trained) return false;
        trained->trial = trial.number;
        trained->epochs = rungs[r].epochs;
        trained->values = values_as_text(trial);
        log.add(std::move(*trained));
        record = &log.records().back();
        if (hooks.on_record) hooks.on_record(*record);
      }
      values.push_back(record->value);
      if (!is_last) continue;
      const auto* best = best_record(log.records(), higher);
      const auto now = best == nullptr ? 0 : best->trial;
      if (trial.number != now) drop(trial.number);
      if (leader != 0 && leader != now && leader != trial.number) drop(leader);
      leader = now;
    }
    if (is_last) break;
    auto going_on = best_of(values, static_cast<size_t>(rungs[r + 1].trials), higher);
    std::sort(going_on.begin(), going_on.end());
    std::vector<Trial> next;
    for (size_t i = 0; i < alive.size(); ++i) {
      if (std::binary_search(going_on.begin(), going_on.end(), i))
        next.push_back(alive[i]);
      else
        drop(alive[i].number);
    }
    alive = std::move(next);
  }
  return true;
}

}  // namespace reckon
