#include "core/alias_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/random.h"

namespace reckon::alias_table_test {
namespace {

std::vector<double> normalized(std::vector<double> weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (auto& weight : weights) weight /= total;
  return weights;
}

TEST(AliasTable, DrawsEachPlaceByItsProbability) {
  constexpr int64_t kDraws = 200'000;
  for (const auto& weights :
       {std::vector<double>{1}, {1, 1}, {3, 0, 1}, {0, 0, 5, 0.001, 2, 2, 9}}) {
    const auto probabilities = normalized(weights);
    const AliasTable table(probabilities);
    ASSERT_EQ(table.size(), weights.size());
    CounterRng rng(RandomKey(3));
    std::vector<double> shares(weights.size());
    for (int64_t draw = 0; draw < kDraws; ++draw)
      shares[static_cast<size_t>(table.draw(rng()))] += 1.0 / kDraws;
    for (size_t i = 0; i < weights.size(); ++i) {
      const double p = probabilities[i];
      // Five standard errors; what has no probability has no draw.
      EXPECT_NEAR(shares[i], p, 5.0 * std::sqrt(p * (1.0 - p) / kDraws) + 1e-9) << i;
    }
  }
}

}  // namespace
}  // namespace reckon::alias_table_test
