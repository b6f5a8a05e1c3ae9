#include "evaluation/breakdown.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/random.h"
#include "tests/evaluation/evaluation_support.h"

namespace reckon::breakdown_test {
namespace {

std::vector<int64_t> random_values(int64_t count, int64_t below, uint64_t seed) {
  CounterRng random(RandomKey{seed});
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(below))));
  return values;
}

RankedLists lists_of(const std::vector<std::pair<int64_t, std::vector<int64_t>>>& lists) {
  std::vector<int64_t> users, offsets = {0}, items;
  for (const auto& [user, list] : lists) {
    users.push_back(user);
    items.insert(items.end(), list.begin(), list.end());
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  return {.users = torch::tensor(users, torch::kInt64),                   // [V]
          .offsets = torch::tensor(offsets, torch::kInt64),               // [V + 1]
          .items = torch::tensor(items, torch::kInt64),                   // [N]
          .scores = torch::zeros({static_cast<int64_t>(items.size())})};  // [N]
}

TEST(Breakdown, EachValueStandsInOneBucketAndEqualValuesInTheSame) {
  for (const int64_t count : {1, 2, 7, 100})
    for (const int64_t below : {1, 3, 50})
      for (const int64_t most : {1, 2, 6}) {
        const auto values = random_values(count, below, static_cast<uint64_t>(count * below));
        const auto buckets = quantile_buckets(values, most);
        ASSERT_LE(static_cast<int64_t>(buckets.size()), most);
        std::vector<int64_t> counts(buckets.size(), 0);
        for (const auto value : values) {
          int64_t holders = 0;
          for (const auto& bucket : buckets) holders += bucket.holds(value) ? 1 : 0;
          ASSERT_EQ(holders, 1) << value;
          ++counts[static_cast<size_t>(bucket_of(buckets, value))];
        }
        for (size_t b = 0; b < buckets.size(); ++b) {
          EXPECT_EQ(counts[b], buckets[b].count);
          for (const auto end : {buckets[b].low, buckets[b].high})
            EXPECT_NE(std::find(values.begin(), values.end(), end), values.end())
                << end << " is the end of a bucket and no value";
        }
      }
}

TEST(Breakdown, DistinctValuesAreDividedEvenly) {
  std::vector<int64_t> values(60);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>((i * 7) % 60);
  const auto buckets = quantile_buckets(values, 6);
  ASSERT_EQ(buckets.size(), 6U);
  for (size_t b = 0; b < 6; ++b) {
    EXPECT_EQ(buckets[b].count, 10);
    EXPECT_EQ(buckets[b].low, static_cast<int64_t>(b) * 10);
  }
  EXPECT_TRUE(quantile_buckets({}, 6).empty());
  EXPECT_EQ(bucket_of(buckets, 60), -1);
}

TEST(Breakdown, PairsAreFoundAsALoopOverThemCountsThem) {
  for (const int64_t num_users : {1, 3, 40}) {
    const int64_t num_items = 12;
    const auto users = random_users(num_users, num_items, static_cast<uint64_t>(num_users));
    const auto input = input_of(users, num_items);
    const auto buckets = quantile_buckets(relevant_popularity(input, std::nullopt), 3);
    std::vector<std::pair<int64_t, std::vector<int64_t>>> lists;
    CounterRng random(RandomKey{5});
    // The last user has no list: nothing of theirs is found.
    for (int64_t user = 0; user + 1 < std::max<int64_t>(2, num_users); ++user) {
      std::vector<int64_t> list(num_items);
      for (int64_t i = 0; i < num_items; ++i) list[i] = i;
      shuffle(std::span(list), RandomKey{static_cast<uint64_t>(user)});
      lists.emplace_back(user, list);
    }
    const int64_t k = 4;
    const auto shares = found_by_popularity(lists_of(lists), input, std::nullopt, k, buckets);
    ASSERT_EQ(shares.size(), buckets.size());
    for (size_t b = 0; b < buckets.size(); ++b) {
      std::vector<std::pair<double, double>> by_user;
      double found = 0, pairs = 0;
      for (int64_t user = 0; user < num_users; ++user) {
        double user_found = 0, user_pairs = 0;
        const auto& targets = users[static_cast<size_t>(user)].targets;
        for (const int64_t item : std::set<int64_t>(targets.begin(), targets.end())) {
          if (!buckets[b].holds(input.item_counts[item].item<int64_t>())) continue;
          ++user_pairs;
          for (const auto& [of, list] : lists)
            if (of == user) user_found += std::count(list.begin(), list.begin() + k, item);
        }
        if (user_pairs == 0) continue;
        by_user.emplace_back(user_found, user_pairs);
        found += user_found;
        pairs += user_pairs;
      }
      EXPECT_EQ(shares[b].num_pairs, pairs);
      EXPECT_DOUBLE_EQ(shares[b].value, found / pairs);
      if (by_user.size() < 2) {
        EXPECT_TRUE(std::isnan(shares[b].standard_error));
        continue;
      }
      double squares = 0;
      for (const auto& [f, p] : by_user) squares += std::pow(f - found / pairs * p, 2);
      const auto n = static_cast<double>(by_user.size());
      EXPECT_DOUBLE_EQ(shares[b].standard_error, std::sqrt(n / (n - 1) * squares) / pairs);
    }
  }
}

TEST(Breakdown, RecommendationsAreCountedInTheFirstPlacesOnly) {
  const auto lists = lists_of({{0, {3, 1, 0}}, {1, {3}}, {2, {}}, {3, {-1, 3, 2}}});
  EXPECT_EQ(recommendation_counts(lists, 5, 2), (std::vector<int64_t>{0, 1, 0, 3, 0}));
  EXPECT_EQ(recommendation_counts(lists, 5, 9), (std::vector<int64_t>{1, 1, 1, 3, 0}));
}

TEST(Breakdown, TheTailIsTheCumulativeShareByPopularity) {
  // By popularity: items 1, 3, 0, 2 (0 before 2, as the index decides).
  const std::vector<int64_t> popularity = {2, 9, 2, 5}, counts = {1, 4, 0, 3};
  const auto curve = long_tail(counts, popularity);
  ASSERT_EQ(curve.size(), 5U);
  const double places[] = {0.0, 4.0 / 8, 7.0 / 8, 1.0, 1.0};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_DOUBLE_EQ(curve[i].items, static_cast<double>(i) / 4);
    EXPECT_DOUBLE_EQ(curve[i].places, places[i]);
  }
  EXPECT_TRUE(long_tail(std::vector<int64_t>{0, 0}, std::vector<int64_t>{1, 2}).empty());
}

TEST(Breakdown, ATailOfFewPointsPassesThroughThoseOfAll) {
  const auto popularity = random_values(997, 50, 3), counts = random_values(997, 9, 4);
  const auto all = long_tail(counts, popularity, 997), few = long_tail(counts, popularity, 10);
  ASSERT_EQ(all.size(), 998U);
  ASSERT_EQ(few.size(), 11U);
  for (const auto& point : few) {
    const auto same = all[static_cast<size_t>(std::llround(point.items * 997))];
    EXPECT_DOUBLE_EQ(point.items, same.items);
    EXPECT_DOUBLE_EQ(point.places, same.places);
  }
  EXPECT_DOUBLE_EQ(few.back().places, 1.0);
}

}  // namespace
}  // namespace reckon::breakdown_test
