#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "training/search.h"

namespace reckon {

/// What a trial came to.
struct TrialRecord {
  int64_t trial = 0;
  int64_t epochs = 0;  ///< That it was given; 0: all that its config says.
  std::vector<std::pair<std::string, std::string>> values;  ///< By path, as YAML on one line.
  double value = 0.0;  ///< Of the metric that is searched by; NaN when the trial failed.
  std::vector<std::pair<std::string, double>> metrics;  ///< All that were measured.
  double seconds = 0.0;
  std::string failure;  ///< Why it has no value; empty when it has one.
};

/// What makes two sessions one search.
struct SearchIdentity {
  std::string config;  ///< The resolved experiment without what is tried, as YAML.
  std::string data_fingerprint;
  std::string metric;
};

/// The finished trials of a search in a file, which is replaced as a whole with each of them: whatever
/// ends the program, those that were finished stay so.
class SearchLog {
 public:
  /// A new search, or with `resume` the one of the file where there is one.
  /// Throws   ConfigError when the file's search is another one; DataError when it is damaged.
  SearchLog(std::string path, const SearchIdentity& identity, bool resume);

  const std::vector<TrialRecord>& records() const { return records_; }
  /// Null when this trial is not finished at these epochs.
  /// Throws   ConfigError when a trial of this number has tried other values.
  const TrialRecord* find(const Trial& trial, int64_t epochs) const;
  void add(TrialRecord record);

 private:
  void save() const;

  std::string path_;
  SearchIdentity identity_;
  std::vector<TrialRecord> records_;
};

/// The best record of those with the most epochs that have a value; null when none has one.
const TrialRecord* best_record(const std::vector<TrialRecord>& records, bool higher_is_better);

/// A trial's values as a record holds them.
std::vector<std::pair<std::string, std::string>> values_as_text(const Trial& trial);

/// What a search does beside choosing.
struct SearchHooks {
  /// Trains a trial up to `epochs` epochs (0: all of its own), on from where it was; nothing when it was
  /// interrupted.
  std::function<std::optional<TrialRecord>(const Trial& trial, int64_t epochs)> train;
  /// After each record.
  std::function<void(const TrialRecord& record)> on_record;
  /// Trials that get no more epochs and are not the best, known again at a resume.
  std::function<void(int64_t trial)> on_dropped;
};

/// Trains the trials that the log does not have, in their order and by stages where `options` says
/// halving (with stages up to `max_epochs`). What is trained depends on options, trials and records
/// alone, so that a search that was interrupted ends as one that was not.
/// Returns false when it was interrupted.
bool run_search(const TuneOptions& options, const std::vector<Trial>& trials, int64_t max_epochs,
                SearchLog& log, const SearchHooks& hooks);

}  // namespace reckon
