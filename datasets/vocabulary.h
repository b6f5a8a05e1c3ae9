#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/id_map.h"

namespace reckon {

/// The values that texts of a column take, numbered from 0: the most frequent first, those equally
/// frequent by their bytes. So the numbers depend on the values alone, never on the order of the rows.
class Vocabulary {
 public:
  Vocabulary() = default;

  int64_t size() const { return values_.size(); }

  /// The number of a value, kUnknownId (core/ids.h) of any other text.
  int64_t find(std::string_view value) const { return values_.find(value); }

  /// Throws std::out_of_range outside [0, size()).
  std::string_view value(int64_t number) const { return values_.raw(number); }

  /// How often each value was counted, by its number.
  const std::vector<int64_t>& counts() const { return counts_; }

 private:
  friend class VocabularyBuilder;

  IdMap values_;
  std::vector<int64_t> counts_;
};

/// Counts values until they are a vocabulary.
class VocabularyBuilder {
 public:
  void add(std::string_view value) { ++counts_[std::string(value)]; }

  /// Values counted less than `min_count` times are left out.
  Vocabulary build(int64_t min_count) const;

 private:
  std::map<std::string, int64_t> counts_;
};

/// What stands around a value and is no part of it.
inline constexpr std::string_view kBlanks = " \t\r\n";

/// The text without kBlanks on both sides.
std::string_view without_blanks(std::string_view text);

/// The values of a list such as `Drama|War`: without blanks, empty ones left out; in order, and as often as
/// they stand there.
std::vector<std::string_view> split_values(std::string_view text, std::string_view separator);

}  // namespace reckon
