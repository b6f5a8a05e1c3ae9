#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace reckon {

/// What randomness is for, so that two uses of one seed never draw the same numbers. Any value is
/// allowed; these are the ones in use across rooms.
enum class RandomStream : uint64_t {
  kShuffle = 1,
  kNegatives = 2,
  kDropout = 3,
  kInitialization = 4,
  kSplit = 5,
  kMask = 6,
  kBootstrap = 7,
  kWalks = 8,
};

/// Scrambles 64 bits one to one (Stafford's variant 13 of the murmur finaliser).
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Names one sequence of random numbers: a pure function of what it is made from.
///
/// Every number is `random_bits(key, counter)`: any of them can be asked for in any order and on any
/// thread, and the same question has the same answer everywhere.
class RandomKey {
 public:
  constexpr explicit RandomKey(uint64_t seed, uint64_t stream = 0, uint64_t epoch = 0,
                               uint64_t example = 0)
      : low_(mix64(seed + kGolden)), high_(mix64(seed ^ kSilver)) {
    absorb(stream);
    absorb(epoch);
    absorb(example);
  }
  constexpr RandomKey(uint64_t seed, RandomStream stream, uint64_t epoch = 0, uint64_t example = 0)
      : RandomKey(seed, static_cast<uint64_t>(stream), epoch, example) {}

  /// A key for one more level of counting.
  constexpr RandomKey child(uint64_t index) const {
    RandomKey key = *this;
    key.absorb(index);
    return key;
  }

  /// The number at `counter`; `attempt` gives further ones to those that must reject some.
  constexpr uint64_t bits(uint64_t counter, uint64_t attempt = 0) const {
    return mix64(mix64(counter * kGolden + low_) ^ (high_ + attempt * kSilver));
  }

 private:
  static constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ULL;
  static constexpr uint64_t kSilver = 0xd1342543de82ef95ULL;

  constexpr void absorb(uint64_t value) {
    low_ = mix64(low_ ^ (value * kGolden + kSilver));
    high_ = mix64(high_ + (value ^ kGolden) * kSilver);
  }

  uint64_t low_;
  uint64_t high_;
};

/// 64 random bits.
constexpr uint64_t random_bits(const RandomKey& key, uint64_t counter) { return key.bits(counter); }

/// Uniform in [0, 1), a multiple of 2^-53.
constexpr double random_uniform(const RandomKey& key, uint64_t counter) {
  return static_cast<double>(key.bits(counter) >> 11) * 0x1p-53;
}

/// Uniform in [0, 1), a multiple of 2^-24.
constexpr float random_uniform_float(const RandomKey& key, uint64_t counter) {
  return static_cast<float>(key.bits(counter) >> 40) * 0x1p-24F;
}

/// Uniform in [0, bound), without the bias of a remainder (Lemire, "Fast Random Integer Generation
/// in an Interval", ACM TOMACS 2019). `bound` must be positive.
inline uint64_t random_below(const RandomKey& key, uint64_t counter, uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(key.bits(counter)) * bound;
  auto fraction = static_cast<uint64_t>(product);
  if (fraction < bound) {
    const uint64_t rejected = (0 - bound) % bound;
    for (uint64_t attempt = 1; fraction < rejected; ++attempt) {
      product = static_cast<Wide>(key.bits(counter, attempt)) * bound;
      fraction = static_cast<uint64_t>(product);
    }
  }
  return static_cast<uint64_t>(product >> 64);
}

/// A sequence read one after the other; a UniformRandomBitGenerator for the standard library (whose
/// distributions differ between implementations: prefer the members here where results must not).
class CounterRng {
 public:
  using result_type = uint64_t;

  explicit CounterRng(const RandomKey& key, uint64_t counter = 0) : key_(key), counter_(counter) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() { return random_bits(key_, counter_++); }

  double uniform() { return random_uniform(key_, counter_++); }
  float uniform_float() { return random_uniform_float(key_, counter_++); }
  uint64_t below(uint64_t bound) { return random_below(key_, counter_++, bound); }

  /// How many numbers were drawn; with the key this is the whole state.
  uint64_t counter() const { return counter_; }
  void set_counter(uint64_t counter) { counter_ = counter; }

 private:
  RandomKey key_;
  uint64_t counter_;
};

/// Puts values into a random order that depends on the key and their number alone.
template <class T>
void shuffle(std::span<T> values, const RandomKey& key) {
  for (size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[random_below(key, i, i)]);
}

/// The numbers 0 .. n - 1 in a random order.
std::vector<int64_t> permutation(int64_t n, const RandomKey& key);

}  // namespace reckon
