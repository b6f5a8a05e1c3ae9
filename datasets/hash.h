#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace reckon {

/// Folds the 128-bit product of two words into one: the mixing step of the hashes below.
inline uint64_t fold_multiply(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const auto product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

namespace hash_detail {
inline constexpr uint64_t kMix[4] = {0x9e3779b97f4a7c15ULL, 0xd1b54a32d192ed03ULL,
                                     0x8cb92ba72f3d8dd7ULL, 0xaef17502108ef2d9ULL};

inline uint64_t load64(const char* p) {
  uint64_t word = 0;
  std::memcpy(&word, p, sizeof word);
  return word;
}

inline uint64_t load_tail(const char* p, size_t size) {
  uint64_t word = 0;
  std::memcpy(&word, p, size);
  return word;
}
}  // namespace hash_detail

/// A 64-bit hash of bytes, good for tables and for noticing changes; not for adversaries.
///
/// Part of the cache format: files written with one definition are not read with another.
inline uint64_t hash_bytes(std::string_view bytes, uint64_t seed = 0) {
  using namespace hash_detail;
  const char* p = bytes.data();
  size_t left = bytes.size();
  uint64_t lane[4] = {seed ^ kMix[0], seed ^ kMix[1], seed ^ kMix[2], seed ^ kMix[3]};
  // Four independent lanes keep the multipliers busy on long inputs.
  for (; left >= 64; p += 64, left -= 64)
    for (int i = 0; i < 4; ++i)
      lane[i] = fold_multiply(load64(p + 16 * i) ^ lane[i], load64(p + 16 * i + 8) ^ kMix[i]);
  uint64_t hash = lane[0] ^ fold_multiply(lane[1], kMix[1]) ^ fold_multiply(lane[2], kMix[2]) ^
                  fold_multiply(lane[3], kMix[3]);
  for (; left >= 8; p += 8, left -= 8) hash = fold_multiply(load64(p) ^ hash, kMix[0]);
  if (left > 0) hash = fold_multiply(load_tail(p, left) ^ hash, kMix[1]);
  return fold_multiply(hash ^ bytes.size(), kMix[2] ^ seed);
}

/// Sixteen hexadecimal digits.
inline std::string to_hex(uint64_t value) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; value >>= 4) text[i] = kDigits[value & 15];
  return text;
}

/// 128 bits of all that was added, in its order.
class Digest {
 public:
  void add(std::string_view bytes) {
    // Two hashes in one walk over the bytes: the second finds a chunk in the processor's cache.
    constexpr size_t kChunk = size_t{1} << 18;
    const auto size = bytes.size();
    while (!bytes.empty()) {
      const auto chunk = bytes.substr(0, kChunk);
      bytes.remove_prefix(chunk.size());
      low_ = hash_bytes(chunk, low_);
      high_ = hash_bytes(chunk, high_);
    }
    low_ = hash_bytes({}, low_ ^ size);
    high_ = hash_bytes({}, high_ ^ size);
  }
  std::string hex() const { return to_hex(high_) + to_hex(low_); }

 private:
  uint64_t low_ = 1, high_ = 2;
};

}  // namespace reckon
