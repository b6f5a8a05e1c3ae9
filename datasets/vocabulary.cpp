#include "datasets/vocabulary.h"

#include <algorithm>

namespace reckon {

Vocabulary VocabularyBuilder::build(int64_t min_count) const {
  std::vector<std::map<std::string, int64_t>::const_iterator> kept;
  for (auto entry = counts_.begin(); entry != counts_.end(); ++entry)
    if (entry->second >= min_count) kept.push_back(entry);
  // The map has them by their bytes already.
  std::stable_sort(kept.begin(), kept.end(),
                   [](const auto& a, const auto& b) { return a->second > b->second; });
  Vocabulary out;
  for (const auto& entry : kept) {
    out.values_.add(entry->first);
    out.counts_.push_back(entry->second);
  }
  return out;
}

std::string_view without_blanks(std::string_view text) {
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::vector<std::string_view> split_values(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> values;
  while (true) {
    const auto end = separator.empty() ? std::string_view::npos : text.find(separator);
    if (const auto value = without_blanks(text.substr(0, end)); !value.empty())
      values.push_back(value);
    if (end == std::string_view::npos) return values;
    text.remove_prefix(end + separator.size());
  }
}

}  // namespace reckon
