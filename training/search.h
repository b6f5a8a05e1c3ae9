#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"
#include "evaluation/metric_name.h"

namespace reckon {

/// How values of a config are tried.
enum class SearchType { kGrid, kRandom, kHalving };

/// What one value of a config may be: one of a list, or a number between two.
struct ParameterRange {
  enum class Kind { kChoices, kUniform, kLogUniform, kInteger, kLogInteger };

  Kind kind = Kind::kChoices;
  std::vector<ConfigNode> choices;  ///< With their places.
  double low = 0.0, high = 0.0;     ///< Of the other kinds, both inclusive.
  SourceLocation where;
};

/// `[32, 64]`, or one of `{uniform: [0, 0.5]}`, `{log_uniform: [1e-4, 1e-2]}`, `{integer: [1, 4]}`,
/// `{log_integer: [16, 256]}`.
template <>
struct Codec<ParameterRange> {
  static std::string name() { return "range"; }
  static void read(const Cursor& at, ParameterRange& value);
  static ConfigNode emit(const ParameterRange& value, const Catalog* catalog);
  static ConfigNode wrong() { return ConfigNode::text("everything"); }
};

/// The `tune:` part of an experiment.
struct TuneOptions {
  SearchType search = SearchType::kRandom;
  std::optional<int64_t> trials;
  MetricName metric = {Metric::kNdcg, 10};
  int64_t seed = 0;
  std::optional<int64_t> min_epochs;  ///< Of halving.
  std::optional<int64_t> reduction;   ///< Of halving.
  std::map<std::string, ParameterRange> parameters;
  static void describe(Schema<TuneOptions>& schema);

  static constexpr int64_t kDefaultTrials = 20, kDefaultReduction = 3, kMaxTrials = 10000;
};

/// Values that are tried together; by the paths of a config, in the order of the names.
struct Trial {
  int64_t number = 0;  ///< From 1.
  std::vector<std::pair<std::string, ConfigNode>> values;
};

/// The trials of a search: every combination of a grid, the last parameter fastest; else drawn ones.
///
/// Drawn values depend on the seed, the number of the trial and the parameter's name alone, so that
/// more trials, or another parameter, leave what is there. No two trials are alike; where there are
/// fewer combinations than trials, all that were found are tried.
/// Throws   ConfigError at the place in `file`: a grid over numbers that are no list, or over more than
///          kMaxTrials combinations.
std::vector<Trial> make_trials(const TuneOptions& options);

/// One stage of successive halving.
struct Rung {
  int64_t epochs = 0;
  int64_t trials = 0;  ///< That are trained so far.
};

/// Stages of successive halving (Jamieson and Talwalkar, AISTATS 2016): all trials get few epochs, the
/// best 1 / reduction of them get `reduction` times as many, and so on; the last stage has
/// `max_epochs`. `min_epochs` of 0 is chosen so that one trial, or a few, are left for it.
std::vector<Rung> halving_rungs(int64_t trials, int64_t min_epochs, int64_t max_epochs,
                                int64_t reduction);

/// The `count` best of the values, best first; ties and what is left go to the lower index. NaN is
/// never among them.
std::vector<size_t> best_of(const std::vector<double>& values, size_t count, bool higher_is_better);

}  // namespace reckon
