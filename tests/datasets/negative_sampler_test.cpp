#include "datasets/negative_sampler.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/datasets/datasets_support.h"

namespace reckon::testing::negative_sampler_test {
namespace {

// Chi-square of observed draws; for its degrees of freedom a value beyond mean + 6 deviations does not
// happen by chance.
void expect_distribution(const std::vector<int64_t>& counts, const std::vector<double>& expected) {
  double total = 0, chi = 0;
  int64_t freedom = -1;
  for (const auto count : counts) total += static_cast<double>(count);
  for (size_t i = 0; i < counts.size(); ++i) {
    const double mean = expected[i] * total;
    if (mean == 0) {
      EXPECT_EQ(counts[i], 0) << i;
      continue;
    }
    chi += (static_cast<double>(counts[i]) - mean) * (static_cast<double>(counts[i]) - mean) / mean;
    ++freedom;
  }
  EXPECT_LT(chi, static_cast<double>(freedom) + 6 * std::sqrt(2.0 * static_cast<double>(freedom)));
}

std::vector<int64_t> draw_many(const NegativeSampler& sampler, std::span<const int32_t> own,
                               int64_t num_items, size_t each = 16, int64_t rounds = 4000) {
  std::vector<int64_t> counts(num_items), draws(each);
  for (int64_t round = 0; round < rounds; ++round) {
    const NegativeSampler::Exclusion exclusion(sampler, own, each);
    sampler.draw(RandomKey(7, RandomStream::kNegatives, 0, static_cast<uint64_t>(round)), exclusion,
                 draws);
    for (const auto item : draws) ++counts.at(item);
  }
  return counts;
}

TEST(NegativeSampler, UniformDrawsAreUniform) {
  const NegativeSampler sampler(interactions_of({{0, 1}}, 23), {.count = 16});
  expect_distribution(draw_many(sampler, {}, 23), std::vector<double>(23, 1.0 / 23));
}

TEST(NegativeSampler, PopularityDrawsFollowCountToTheExponent) {
  // Counts 1, 2, 3, 0.
  const auto train = interactions_of({{0, 1, 2}, {1, 2}, {2}}, 4);
  const NegativeSampler sampler(train, {.count = 16,
                                        .distribution = NegativeNeeds::Distribution::kPopularity,
                                        .exponent = 0.5});
  const double sum = 1 + std::sqrt(2.0) + std::sqrt(3.0);
  expect_distribution(draw_many(sampler, {}, 4),
                      {1 / sum, std::sqrt(2.0) / sum, std::sqrt(3.0) / sum, 0});
  EXPECT_NEAR(sampler.log_q()[1], std::log(std::sqrt(2.0) / sum), 1e-5);
}

TEST(NegativeSampler, ExcludedItemsNeverComeAndTheRestKeepsItsDistribution) {
  const NegativeSampler uniform(interactions_of({{0, 1}}, 8), {.count = 16});
  for (const size_t each : {size_t{1}, size_t{16}, size_t{200}}) {
    // Few, and nearly all: rejection and the list of what is left.
    expect_distribution(draw_many(uniform, std::vector<int32_t>{2, 5}, 8, each, 2000),
                        {1 / 6., 1 / 6., 0, 1 / 6., 1 / 6., 0, 1 / 6., 1 / 6.});
    expect_distribution(draw_many(uniform, std::vector<int32_t>{0, 1, 2, 3, 4, 5}, 8, each, 2000),
                        {0, 0, 0, 0, 0, 0, 0.5, 0.5});
  }
}

TEST(NegativeSampler, AUserWhoHasEverythingGetsSomethingAll) {
  const NegativeSampler sampler(interactions_of({{0, 1, 2}}, 3), {.count = 16});
  const auto counts = draw_many(sampler, std::vector<int32_t>{0, 1, 2}, 3, 16, 200);
  EXPECT_EQ(counts[0] + counts[1] + counts[2], 16 * 200);
}

TEST(NegativeSampler, DrawsAreAFunctionOfTheKey) {
  const NegativeSampler sampler(interactions_of({{0, 1}}, 1000), {.count = 16});
  std::vector<int64_t> a(16), b(16), c(16);
  sampler.draw(RandomKey(1, RandomStream::kNegatives, 2, 3), {}, a);
  sampler.draw(RandomKey(1, RandomStream::kNegatives, 2, 3), {}, b);
  sampler.draw(RandomKey(1, RandomStream::kNegatives, 2, 4), {}, c);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

}  // namespace
}  // namespace reckon::testing::negative_sampler_test
