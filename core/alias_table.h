#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace reckon {

/// Draws of a fixed distribution over 0 .. n - 1, each from 64 random bits and in constant time (alias
/// method: Walker, Electronics Letters 1974; Vose, IEEE TSE 1991). What has no probability is never drawn.
class AliasTable {
 public:
  AliasTable() = default;
  /// `probabilities` add up to one. At most 2^31 of them.
  explicit AliasTable(std::span<const double> probabilities);

  size_t size() const { return keep_.size(); }

  int64_t draw(uint64_t bits) const {
    // The upper half chooses the place, the lower one whether its alias takes it.
    const auto place = static_cast<size_t>(((bits >> 32) * keep_.size()) >> 32);
    return static_cast<uint32_t>(bits) < keep_[place] ? static_cast<int64_t>(place) : alias_[place];
  }

 private:
  // Place i stays with probability keep_[i] (of 2^32), else alias_[i] takes it.
  std::vector<uint32_t> keep_;
  std::vector<int32_t> alias_;
};

}  // namespace reckon
