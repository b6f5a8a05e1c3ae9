#include "evaluation/metric_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

#include "core/diagnostics.h"

namespace reckon {
namespace {

struct Word {
  const char* text;
  Metric metric;
  bool has_cutoff;
  bool higher_is_better;
};

// In the order of the enumeration.
constexpr std::array<Word, 16> kWords = {{
    {"recall", Metric::kRecall, true, true},
    {"ndcg", Metric::kNdcg, true, true},
    {"hit_rate", Metric::kHitRate, true, true},
    {"mrr", Metric::kMrr, true, true},
    {"map", Metric::kMap, true, true},
    {"precision", Metric::kPrecision, true, true},
    {"auc", Metric::kAuc, false, true},
    {"rmse", Metric::kRmse, false, false},
    {"mae", Metric::kMae, false, false},
    {"coverage", Metric::kCoverage, true, true},
    {"gini", Metric::kGini, true, false},
    {"popularity", Metric::kPopularity, true, false},
    {"novelty", Metric::kNovelty, true, true},
    {"diversity", Metric::kDiversity, true, true},
    {"miscalibration", Metric::kMiscalibration, true, false},
    {"category_coverage", Metric::kCategoryCoverage, true, true},
}};

const Word& word_of(Metric metric) { return kWords[static_cast<size_t>(metric)]; }

/// Why a text is no metric; empty when it is one.
struct Problem {
  std::string message, hint;
};

Problem parse_into(const std::string& text, MetricName& value) {
  const auto at = text.find('@');
  const auto name = text.substr(0, at);
  const auto* word = std::find_if(kWords.begin(), kWords.end(),
                                  [&](const Word& known) { return name == known.text; });
  if (word == kWords.end()) {
    return {"there is no metric '" + name + "'", suggest(name, MetricName::words())};
  }
  value = {word->metric, 0};
  if (at == std::string::npos) {
    if (!word->has_cutoff) return {};
    return {"'" + name + "' needs a cut-off", "write it as '" + name + "@10'"};
  }
  if (!word->has_cutoff) return {"'" + name + "' has no cut-off", "write '" + name + "' alone"};
  const auto* first = text.data() + at + 1;
  const auto* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, value.k);
  if (error == std::errc() && end == last && value.k >= 1 && value.k <= MetricName::kMaxCutoff) {
    return {};
  }
  return {"'" + text.substr(at + 1) + "' is no cut-off",
          "a whole number from 1 to " + std::to_string(MetricName::kMaxCutoff) + ", such as '" +
              name + "@10'"};
}

}  // namespace

MetricName MetricName::parse(std::string_view text) {
  MetricName value;
  const auto problem = parse_into(std::string(text), value);
  if (!problem.message.empty()) {
    throw std::invalid_argument(problem.message + "; " + problem.hint);
  }
  return value;
}

std::vector<std::string> MetricName::words() {
  std::vector<std::string> texts;
  for (const auto& word : kWords) texts.emplace_back(word.text);
  return texts;
}

std::string MetricName::to_string() const {
  const std::string text = word_of(metric).text;
  return k > 0 ? text + "@" + std::to_string(k) : text;
}

bool MetricName::higher_is_better() const { return word_of(metric).higher_is_better; }

void Codec<MetricName>::read(const Cursor& at, MetricName& value) {
  if (!at.node().is_scalar()) {
    return at.fail("expected a metric such as ndcg@10, got " + at.node().describe());
  }
  const auto problem = parse_into(at.node().scalar_text(), value);
  if (!problem.message.empty()) at.fail(problem.message, problem.hint);
}

ConfigNode Codec<MetricName>::emit(const MetricName& value, const Catalog*) {
  return ConfigNode::text(value.to_string());
}

}  // namespace reckon
