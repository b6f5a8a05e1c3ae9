#include "training/search.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "core/files.h"
#include "core/format.h"
#include "core/random.h"

namespace reckon {

template <>
struct EnumNames<SearchType> {
  static std::vector<std::pair<std::string, SearchType>> all() {
    return {{"grid", SearchType::kGrid},
            {"random", SearchType::kRandom},
            {"halving", SearchType::kHalving}};
  }
};

namespace {

using Kind = ParameterRange::Kind;

const std::vector<std::pair<std::string, Kind>> kRanges = {{"uniform", Kind::kUniform},
                                                           {"log_uniform", Kind::kLogUniform},
                                                           {"integer", Kind::kInteger},
                                                           {"log_integer", Kind::kLogInteger}};

// A stream of its own, beside those of RandomStream.
constexpr uint64_t kSearchStream = 0x74756e65;
// Draws for a trial that is like no other, before the search is taken as exhausted.
constexpr uint64_t kAttempts = 1000;

bool is_whole(Kind kind) { return kind == Kind::kInteger || kind == Kind::kLogInteger; }
bool is_logarithmic(Kind kind) { return kind == Kind::kLogUniform || kind == Kind::kLogInteger; }

std::vector<std::string> range_words() {
  std::vector<std::string> words;
  for (const auto& [word, kind] : kRanges) words.push_back(word);
  return words;
}

void read_choices(const Cursor& at, ParameterRange& range) {
  if (at.node().items().empty())
    return at.fail("an empty list tries nothing", "give the values to try");
  for (const auto& item : at.node().items()) {
    for (const auto& other : range.choices)
      if (other == item)
        return at.fail_at(item.location(), "names " + emit_flow(item) + " twice", "leave one out");
    range.choices.push_back(item);
  }
}

void read_bounds(const Cursor& at, ParameterRange& range) {
  const auto& entry = at.node().entries().front();
  const auto words = range_words();
  const auto word = std::find(words.begin(), words.end(), entry.key);
  if (word == words.end())
    return at.fail_at(entry.key_location, "there is no range '" + entry.key + "'",
                      suggest(entry.key, words));
  range.kind = kRanges[static_cast<size_t>(word - words.begin())].second;
  std::array<double, 2> bounds{};
  const auto problems = at.num_problems();
  Codec<std::array<double, 2>>::read(at.entry(entry), bounds);
  if (at.num_problems() != problems) return;
  range.low = bounds[0];
  range.high = bounds[1];
  const auto where = at.entry(entry);
  if (!std::isfinite(range.low) || !std::isfinite(range.high) || range.low >= range.high)
    return where.fail("must be two numbers, the lower one first");
  if (is_logarithmic(range.kind) && range.low <= 0.0)
    return where.fail("must be above zero: a logarithm is taken",
                      "`uniform` and `integer` take none");
  if (is_whole(range.kind) &&
      (range.low != std::round(range.low) || range.high != std::round(range.high) ||
       std::abs(range.low) > 1e15 || std::abs(range.high) > 1e15))
    return where.fail("must be whole numbers");
}

double round_to_digits(double value, std::string& text) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.6g", value);
  text = digits;
  return std::stod(text);
}

ConfigNode draw(const ParameterRange& range, const std::string& name, const RandomKey& key) {
  const auto counter = hash64(name);
  if (range.kind == Kind::kChoices)
    return range.choices[random_below(key, counter, range.choices.size())];
  const double share = random_uniform(key, counter);
  // A whole number has the same room as each other one.
  const double high = range.high + (is_whole(range.kind) ? 1.0 : 0.0);
  double value =
      is_logarithmic(range.kind)
          ? std::exp(std::log(range.low) + share * (std::log(high) - std::log(range.low)))
          : range.low + share * (high - range.low);
  std::string text;
  if (is_whole(range.kind)) {
    text =
        std::to_string(static_cast<int64_t>(std::clamp(std::floor(value), range.low, range.high)));
  } else if (const double rounded = round_to_digits(value, text);
             rounded < range.low || rounded > range.high) {
    // Six digits may be more than there is between the bounds.
    text = format_significant(std::clamp(value, range.low, range.high), 17);
  }
  auto node = ConfigNode::plain(text);
  node.set_locations(range.where);
  return node;
}

std::string text_of(const Trial& trial) {
  std::string text;
  for (const auto& [path, value] : trial.values) text += path + "=" + emit_flow(value) + "\n";
  return text;
}

std::vector<Trial> make_grid(const TuneOptions& options) {
  Problems problems;
  double size = 1.0;
  for (const auto& [path, range] : options.parameters) {
    if (range.kind != Kind::kChoices)
      problems.add(range.where, "tune.parameters." + path + ": a grid needs a list of values",
                   "search: random draws from a range");
    size *= static_cast<double>(std::max<size_t>(1, range.choices.size()));
  }
  if (size > static_cast<double>(TuneOptions::kMaxTrials))
    problems.add(options.parameters.begin()->second.where,
                 "tune.parameters: the grid has " + format_significant(size, 6) +
                     " combinations, more than " + format_count(TuneOptions::kMaxTrials),
                 "search: random tries a part of them");
  problems.throw_if_any();
  std::vector<Trial> trials;
  for (int64_t number = 1; number <= static_cast<int64_t>(size); ++number) {
    Trial trial;
    trial.number = number;
    auto rest = static_cast<size_t>(number - 1);
    for (auto it = options.parameters.rbegin(); it != options.parameters.rend(); ++it) {
      const auto& choices = it->second.choices;
      trial.values.emplace_back(it->first, choices[rest % choices.size()]);
      rest /= choices.size();
    }
    std::reverse(trial.values.begin(), trial.values.end());
    trials.push_back(std::move(trial));
  }
  return trials;
}

}  // namespace

void Codec<ParameterRange>::read(const Cursor& at, ParameterRange& value) {
  value = {};
  value.where = at.key_location();
  if (at.node().is_list()) return read_choices(at, value);
  if (at.node().is_map() && at.node().entries().size() == 1) return read_bounds(at, value);
  at.fail("expected a list of values or one range, such as {log_uniform: [1e-4, 1e-2]}, got " +
              at.node().describe(),
          "ranges: " + join(range_words()));
}

ConfigNode Codec<ParameterRange>::emit(const ParameterRange& value, const Catalog*) {
  auto list = ConfigNode::list();
  if (value.kind == Kind::kChoices) {
    for (const auto& choice : value.choices) list.append(choice);
    return list;
  }
  list.append(ConfigNode::plain(format_significant(value.low, 17)));
  list.append(ConfigNode::plain(format_significant(value.high, 17)));
  auto map = ConfigNode::map();
  for (const auto& [word, kind] : kRanges)
    if (kind == value.kind) map.set(word, list);
  return map;
}

void TuneOptions::describe(Schema<TuneOptions>& schema) {
  schema.field("search", &TuneOptions::search)
      .doc(
          "Every combination of lists, drawn ones, or drawn ones that get epochs as they do well.");
  schema.field("trials", &TuneOptions::trials)
      .must_be_in(1, kMaxTrials)
      .doc("How many are drawn; 20 when not given.");
  schema.field("metric", &TuneOptions::metric).doc("What is looked at, on the validation part.");
  schema.field("seed", &TuneOptions::seed).at_least(0).doc("Of the drawn values.");
  schema.field("min_epochs", &TuneOptions::min_epochs)
      .at_least(1)
      .doc(
          "What each trial of `halving` gets first; chosen by the number of trials when not "
          "given.");
  schema.field("reduction", &TuneOptions::reduction)
      .at_least(2)
      .doc("One of so many goes on at each stage of `halving`, with so many times the epochs; 3.");
  schema.field("parameters", &TuneOptions::parameters)
      .required()
      .non_empty()
      .doc("By the path of a value, what it may be: a list, or a range of numbers.");
  schema.invariant("trials", "is not read with `search: grid`, which tries all combinations",
                   [](const TuneOptions& o) { return !o.trials || o.search != SearchType::kGrid; });
  schema.invariant("min_epochs", "is of `search: halving` alone", [](const TuneOptions& o) {
    return !o.min_epochs || o.search == SearchType::kHalving;
  });
  schema.invariant("reduction", "is of `search: halving` alone", [](const TuneOptions& o) {
    return !o.reduction || o.search == SearchType::kHalving;
  });
}

std::vector<Trial> make_trials(const TuneOptions& options) {
  if (options.search == SearchType::kGrid) return make_grid(options);
  const auto seed = static_cast<uint64_t>(options.seed);
  std::vector<Trial> trials;
  std::set<std::string> known;
  for (int64_t number = 1; number <= options.trials.value_or(TuneOptions::kDefaultTrials);
       ++number) {
    bool is_new = false;
    for (uint64_t attempt = 0; attempt < kAttempts && !is_new; ++attempt) {
      const RandomKey key(seed, kSearchStream, static_cast<uint64_t>(number), attempt);
      Trial trial;
      trial.number = number;
      for (const auto& [path, range] : options.parameters)
        trial.values.emplace_back(path, draw(range, path, key));
      is_new = known.insert(text_of(trial)).second;
      if (is_new) trials.push_back(std::move(trial));
    }
    if (!is_new) break;
  }
  return trials;
}

std::vector<Rung> halving_rungs(int64_t trials, int64_t min_epochs, int64_t max_epochs,
                                int64_t reduction) {
  if (trials < 1 || max_epochs < 1 || reduction < 2 || min_epochs < 0)
    throw std::invalid_argument(
        "halving_rungs: expected trials and epochs, and a reduction from 2");
  if (min_epochs == 0) {
    min_epochs = max_epochs;
    for (int64_t left = trials; left >= reduction && min_epochs > 1; left /= reduction)
      min_epochs = (min_epochs + reduction - 1) / reduction;
  }
  std::vector<Rung> rungs;
  int64_t epochs = std::min(min_epochs, max_epochs);
  while (true) {
    rungs.push_back({epochs, trials});
    if (epochs == max_epochs) return rungs;
    trials = std::max<int64_t>(1, trials / reduction);
    // One that is alone needs no more stages.
    epochs = trials == 1 || epochs > max_epochs / reduction ? max_epochs : epochs * reduction;
  }
}

std::vector<size_t> best_of(const std::vector<double>& values, size_t count,
                            bool higher_is_better) {
  std::vector<size_t> order;
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return higher_is_better ? values[a] > values[b] : values[a] < values[b];
  });
  order.resize(std::min(order.size(), count));
  return order;
}

}  // namespace reckon
