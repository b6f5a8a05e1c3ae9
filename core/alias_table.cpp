#include "core/alias_table.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace reckon {

AliasTable::AliasTable(std::span<const double> probabilities)
    : keep_(probabilities.size(), std::numeric_limits<uint32_t>::max()),
      alias_(probabilities.size()) {
  const auto size = probabilities.size();
  // Vose: pair each place that is too rare for its share of the line with one that is too frequent.
  constexpr double kScale = 4294967296.0;
  std::iota(alias_.begin(), alias_.end(), 0);
  std::vector<double> share(size);
  std::vector<size_t> rare, frequent;
  for (size_t i = 0; i < size; ++i) {
    share[i] = probabilities[i] * static_cast<double>(size);
    (share[i] < 1.0 ? rare : frequent).push_back(i);
  }
  while (!rare.empty() && !frequent.empty()) {
    const auto small = rare.back();
    rare.pop_back();
    const auto large = frequent.back();
    keep_[small] = static_cast<uint32_t>(share[small] * kScale);
    alias_[small] = static_cast<int32_t>(large);
    share[large] -= 1.0 - share[small];
    if (share[large] >= 1.0) continue;
    frequent.pop_back();
    rare.push_back(large);
  }
  // Rounding may leave places over whose share is one; but one that is never drawn must stay so.
  for (const auto place : rare)
    if (probabilities[place] == 0) {
      keep_[place] = 0;
      alias_[place] = static_cast<int32_t>(
          std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
    }
}

}  // namespace reckon
