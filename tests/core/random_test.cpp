#include "core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <random>
#include <set>

namespace reckon::random_test {
namespace {

static_assert(std::uniform_random_bit_generator<CounterRng>);

TEST(RandomKey, IsAFunctionOfItsArgumentsAlone) {
  const RandomKey key(5, RandomStream::kNegatives, 2, 9);
  EXPECT_EQ(random_bits(key, 3), random_bits(RandomKey(5, RandomStream::kNegatives, 2, 9), 3));
  CounterRng rng(key);
  const auto first = rng();
  rng();
  rng.set_counter(0);
  EXPECT_EQ(rng(), first);
  EXPECT_EQ(first, random_bits(key, 0));
}

TEST(RandomKey, EveryArgumentMatters) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 6; ++seed)
    for (uint64_t stream = 0; stream < 6; ++stream)
      for (uint64_t epoch = 0; epoch < 6; ++epoch)
        for (uint64_t example = 0; example < 6; ++example)
          for (uint64_t counter = 0; counter < 6; ++counter)
            seen.insert(random_bits(RandomKey(seed, stream, epoch, example), counter));
  EXPECT_EQ(seen.size(), 7776U);
}

// A change of one bit in any argument changes each bit of the result half of the time.
TEST(RandomBits, AvalancheFromEveryArgument) {
  constexpr int kTrials = 2000;
  for (int argument = 0; argument < 5; ++argument) {
    std::array<int, 64> flips{};
    for (uint64_t trial = 0; trial < kTrials; ++trial) {
      std::array<uint64_t, 5> a = {trial, trial / 3, trial % 7, trial * 5, trial};
      auto b = a;
      b[static_cast<size_t>(argument)] ^= uint64_t{1} << (trial % 64);
      const auto x = random_bits(RandomKey(a[0], a[1], a[2], a[3]), a[4]);
      const auto y = random_bits(RandomKey(b[0], b[1], b[2], b[3]), b[4]);
      for (size_t bit = 0; bit < 64; ++bit) flips[bit] += ((x ^ y) >> bit) & 1;
    }
    // Five standard deviations of a binomial with 2,000 trials.
    for (const int count : flips) EXPECT_NEAR(count, kTrials / 2, 112) << "argument " << argument;
  }
}

double chi_squared(const std::vector<int64_t>& counts, double expected) {
  double sum = 0;
  for (const auto count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

TEST(RandomBelow, FillsEveryBoundEvenly) {
  for (const uint64_t bound : {1U, 2U, 3U, 10U, 100U}) {
    std::vector<int64_t> counts(bound);
    const RandomKey key(1, bound);
    constexpr int64_t kDraws = 200'000;
    for (uint64_t i = 0; i < kDraws; ++i) ++counts[random_below(key, i, bound)];
    const auto expected = static_cast<double>(kDraws) / static_cast<double>(bound);
    // Mean bound - 1, variance 2 (bound - 1): five standard deviations above.
    const auto freedom = static_cast<double>(bound - 1);
    EXPECT_LE(chi_squared(counts, expected), freedom + 5 * std::sqrt(2 * freedom) + 5) << bound;
  }
}

// With bound = 3 * 2^62 a plain remainder would give the lowest quarter twice as often.
TEST(RandomBelow, HasNoBiasWhereARemainderHasOne) {
  const uint64_t bound = uint64_t{3} << 62;
  const RandomKey key(4);
  int64_t low = 0;
  constexpr int64_t kDraws = 30'000;
  for (uint64_t i = 0; i < kDraws; ++i) {
    const auto value = random_below(key, i, bound);
    ASSERT_LT(value, bound);
    low += value < (uint64_t{1} << 62) ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(low) / kDraws, 1.0 / 3, 0.014);
}

TEST(RandomUniform, LiesInTheUnitIntervalWithItsMoments) {
  const RandomKey key(9);
  double sum = 0;
  double squares = 0;
  double products = 0;
  double last = 0;
  constexpr int kDraws = 200'000;
  for (uint64_t i = 0; i < kDraws; ++i) {
    const auto value = random_uniform(key, i);
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    ASSERT_LT(random_uniform_float(key, i), 1.0F);
    sum += value;
    squares += value * value;
    products += (value - 0.5) * (last - 0.5);
    last = value;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.0033);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.0034);
  EXPECT_NEAR(products / kDraws, 0.0, 0.001);
}

// Neighbouring examples must not be neighbours in what they draw.
TEST(RandomUniform, ExamplesAreIndependentOfEachOther) {
  double products = 0;
  constexpr uint64_t kExamples = 100'000;
  for (uint64_t i = 0; i < kExamples; ++i)
    products += (random_uniform(RandomKey(3, 1, 0, i), 0) - 0.5) *
                (random_uniform(RandomKey(3, 1, 0, i + 1), 0) - 0.5);
  EXPECT_NEAR(products / kExamples, 0.0, 0.0014);
}

TEST(Permutation, HoldsEachNumberOnceAndDependsOnTheKey) {
  auto order = permutation(1000, RandomKey(1));
  EXPECT_EQ(order, permutation(1000, RandomKey(1)));
  EXPECT_NE(order, permutation(1000, RandomKey(2)));
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(order[static_cast<size_t>(i)], i);
  EXPECT_TRUE(permutation(0, RandomKey(1)).empty());
}

TEST(Permutation, EveryOrderIsAsLikely) {
  std::vector<int64_t> counts(24);
  constexpr int64_t kDraws = 48'000;
  for (uint64_t i = 0; i < kDraws; ++i) {
    const auto order = permutation(4, RandomKey(8, 0, 0, i));
    int64_t rank = 0;
    for (int64_t a = 0; a < 4; ++a) {
      int64_t smaller = 0;
      for (int64_t b = a + 1; b < 4; ++b)
        smaller += order[static_cast<size_t>(b)] < order[static_cast<size_t>(a)] ? 1 : 0;
      rank = rank * (4 - a) + smaller;
    }
    ++counts[static_cast<size_t>(rank)];
  }
  EXPECT_LE(chi_squared(counts, kDraws / 24.0), 23 + 5 * std::sqrt(46.0));
}

TEST(RandomBits, StayTheSameFromVersionToVersion) {
  // Written down once: stored runs depend on these numbers.
  EXPECT_EQ(random_bits(RandomKey(0), 0), 0xa3cd6260876fc5dfULL);
  EXPECT_EQ(random_bits(RandomKey(42, RandomStream::kNegatives, 3, 1000), 17),
            0x7c0a278f51dd5fc3ULL);
}

}  // namespace
}  // namespace reckon::random_test
