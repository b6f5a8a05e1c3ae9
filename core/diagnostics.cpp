#include "core/diagnostics.h"

#include <algorithm>
#include <cctype>
#include <tuple>

namespace reckon {

namespace {

std::string render(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const auto& diagnostic : diagnostics) {
    if (!text.empty()) text += '\n';
    const auto where = diagnostic.where.to_string();
    if (!where.empty()) text += where + ": ";
    text += "error: " + diagnostic.message;
    if (!diagnostic.hint.empty()) text += "\n    hint: " + diagnostic.hint;
  }
  return text;
}

std::string render(const std::string& path, int64_t line, const std::string& message,
                   const std::string& hint) {
  std::string text = path + (line > 0 ? ":" + std::to_string(line) : "") + ": error: " + message;
  if (!hint.empty()) text += "\n    hint: " + hint;
  return text;
}

std::string folded(const std::string& word) {
  std::string out = word;
  for (auto& c : out)
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Damerau-Levenshtein in its restricted form: a swap of neighbours counts as one edit.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string SourceLocation::to_string() const {
  if (line <= 0) return file;
  std::string text = file + ":" + std::to_string(line);
  if (column > 0) text += ":" + std::to_string(column);
  return text;
}

ConfigError::ConfigError(std::vector<Diagnostic> diagnostics)
    : std::runtime_error(render(diagnostics)), diagnostics_(std::move(diagnostics)) {}

ConfigError::ConfigError(const std::string& message, const std::string& hint)
    : ConfigError(std::vector<Diagnostic>{{{}, message, hint}}) {}

DataError::DataError(const std::string& path, int64_t line, const std::string& message,
                     const std::string& hint)
    : std::runtime_error(render(path, line, message, hint)), path_(path), line_(line) {}

void Problems::add(const ConfigError& error) {
  diagnostics_.insert(diagnostics_.end(), error.diagnostics().begin(), error.diagnostics().end());
}

void Problems::throw_if_any() const {
  if (diagnostics_.empty()) return;
  // Files stay in the order in which they were read; inside one, the reader goes from top to bottom.
  std::vector<std::string> files;
  for (const auto& diagnostic : diagnostics_)
    if (std::find(files.begin(), files.end(), diagnostic.where.file) == files.end())
      files.push_back(diagnostic.where.file);
  std::vector<std::tuple<std::ptrdiff_t, int, int, size_t>> order;
  for (size_t i = 0; i < diagnostics_.size(); ++i) {
    const auto& where = diagnostics_[i].where;
    const auto file = std::find(files.begin(), files.end(), where.file) - files.begin();
    order.emplace_back(file, where.line, where.column, i);
  }
  std::sort(order.begin(), order.end());
  std::vector<Diagnostic> sorted;
  for (const auto& place : order) sorted.push_back(diagnostics_[std::get<3>(place)]);
  throw ConfigError(std::move(sorted));
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  // Nobody means a key by a whole paragraph, and the distance costs the product of the lengths.
  constexpr size_t kLongestWord = 64;
  if (word.empty() || word.size() > kLongestWord) return "";
  const auto wanted = folded(word);
  std::string best;
  size_t best_distance = std::max<size_t>(1, wanted.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const auto distance = edit_distance(wanted, folded(candidate));
    // A distance of the whole length shares nothing with the word.
    if (distance < best_distance && distance < std::max(wanted.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string suggest(const std::string& word, const std::vector<std::string>& candidates) {
  const auto near = nearest(word, candidates);
  if (!near.empty()) return "did you mean '" + near + "'?";
  return candidates.empty() ? "" : "known: " + join(candidates);
}

std::string join(const std::vector<std::string>& words, const std::string& separator) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) text += (i ? separator : "") + words[i];
  return text;
}

}  // namespace reckon
