#include "core/grouping.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

#include "core/random.h"

namespace reckon::grouping_test {
namespace {

struct Entry {
  int64_t number;
  int32_t key;
  bool operator==(const Entry&) const = default;
};

struct Grouped {
  std::vector<int64_t> offsets;
  std::vector<Entry> entries;
};

// Keys drawn with a few that are frequent, some that nothing has.
std::vector<int32_t> some_keys(int64_t count, int64_t num_keys) {
  CounterRng rng(RandomKey(7));
  std::vector<int32_t> keys(static_cast<size_t>(count));
  for (auto& key : keys) {
    const auto bits = static_cast<int64_t>(rng() >> 2);
    key = static_cast<int32_t>(bits % 5 == 0 ? num_keys - 1 : bits / 5 % num_keys / 2);
  }
  return keys;
}

Grouped grouped(const std::vector<int32_t>& keys, int64_t num_keys, int num_threads) {
  Grouped out{std::vector<int64_t>(static_cast<size_t>(num_keys) + 1, -1),
              std::vector<Entry>(keys.size(), Entry{-1, -1})};
  group_by_key<Entry>(
      static_cast<int64_t>(keys.size()), num_keys, out.offsets.data(), num_threads,
      [&](int64_t begin, int64_t end, const auto& emit) {
        for (auto i = begin; i < end; ++i) emit(Entry{i, keys[static_cast<size_t>(i)]});
      },
      [&](int64_t place, const Entry& entry) { out.entries[static_cast<size_t>(place)] = entry; });
  return out;
}

// The same by the library's sort, equals in their order.
Grouped sorted(const std::vector<int32_t>& keys, int64_t num_keys) {
  Grouped out{std::vector<int64_t>(static_cast<size_t>(num_keys) + 1, 0), {}};
  for (size_t i = 0; i < keys.size(); ++i) {
    out.entries.push_back({static_cast<int64_t>(i), keys[i]});
    ++out.offsets[static_cast<size_t>(keys[i]) + 1];
  }
  std::partial_sum(out.offsets.begin(), out.offsets.end(), out.offsets.begin());
  std::sort(out.entries.begin(), out.entries.end(), [](const Entry& a, const Entry& b) {
    return a.key != b.key ? a.key < b.key : a.number < b.number;
  });
  return out;
}

// Few entries and many take different ways; 513 and 70,000 keys leave ranges without keys.
TEST(Grouping, IsAStableSortOnAnyNumberOfThreads) {
  for (const int64_t num_keys : {1, 2, 512, 513, 4096, 70'000})
    for (const int64_t count : {0, 1, 1000, 65'536, 200'001}) {
      const auto keys = some_keys(count, num_keys);
      const auto expected = sorted(keys, num_keys);
      for (const int num_threads : {0, 1, 2, 5}) {
        const auto actual = grouped(keys, num_keys, num_threads);
        ASSERT_EQ(actual.offsets, expected.offsets) << num_keys << " keys, " << count << " entries";
        ASSERT_EQ(actual.entries, expected.entries) << num_keys << " keys, " << count << " entries";
      }
    }
}

TEST(Grouping, OfNoKeysIsEmpty) {
  const auto actual = grouped({}, 0, 2);
  EXPECT_EQ(actual.offsets, std::vector<int64_t>{0});
}

TEST(Grouping, StretchesFollowEachOtherAndAreAllOfIt) {
  for (const int64_t count : {0, 1, 7, 100})
    for (const int num_parts : {1, 2, 3, 8}) {
      int64_t end = 0;
      for (int part = 0; part < num_parts; ++part) {
        const auto stretch = stretch_of(count, part, num_parts);
        EXPECT_EQ(stretch.begin, end);
        EXPECT_LE(stretch.end - stretch.begin, count / num_parts + 1);
        end = stretch.end;
      }
      EXPECT_EQ(end, count);
    }
}

TEST(Grouping, RunsEachElementOnceOnAnyNumberOfThreads) {
  for (const int64_t count : {int64_t{0}, int64_t{5}, 2 * kWorthAThread + 1})
    for (const int num_threads : {0, 1, 3}) {
      std::vector<int> times(static_cast<size_t>(count), 0);
      run_stretches(count, num_threads, [&times](int64_t begin, int64_t end) {
        for (auto i = begin; i < end; ++i) ++times[static_cast<size_t>(i)];
      });
      EXPECT_EQ(std::count(times.begin(), times.end(), 1), count);
    }
}

// Lists of several lengths, empty ones at both ends and between, cut by threads within a list.
TEST(Grouping, TurnsListsRound) {
  constexpr int64_t kNumKeys = 2000;
  const auto keys = some_keys(150'000, kNumKeys);
  std::vector<int64_t> offsets = {0, 0};
  CounterRng rng(RandomKey(8));
  while (offsets.back() < static_cast<int64_t>(keys.size()))
    offsets.push_back(std::min(offsets.back() + static_cast<int64_t>(rng() % 9 * (rng() % 400)),
                               static_cast<int64_t>(keys.size())));
  offsets.push_back(offsets.back());
  const auto num_lists = static_cast<int64_t>(offsets.size()) - 1;
  std::vector<std::vector<std::pair<int32_t, int64_t>>> expected(kNumKeys);
  for (int64_t list = 0; list < num_lists; ++list)
    for (auto e = offsets[static_cast<size_t>(list)]; e < offsets[static_cast<size_t>(list) + 1];
         ++e)
      expected[static_cast<size_t>(keys[static_cast<size_t>(e)])].emplace_back(list, e);
  for (const int num_threads : {1, 3}) {
    std::vector<int64_t> turned(kNumKeys + 1);
    std::vector<std::pair<int32_t, int64_t>> actual(keys.size());
    turn_lists(num_lists, offsets.data(), keys.data(), kNumKeys, turned.data(), num_threads,
               [&](int64_t place, int32_t list, int64_t e) {
                 actual[static_cast<size_t>(place)] = {list, e};
               });
    for (size_t key = 0; key < kNumKeys; ++key) {
      const std::vector of_key(actual.begin() + turned[key], actual.begin() + turned[key + 1]);
      ASSERT_EQ(of_key, expected[key]) << "key " << key;
    }
  }
}

TEST(Grouping, SaysWhatAPartThrew) {
  for (const int thrower : {0, 2})
    EXPECT_THROW(run_parts(3,
                           [thrower](int part) {
                             if (part == thrower) throw std::runtime_error("no");
                           }),
                 std::runtime_error);
}

}  // namespace
}  // namespace reckon::grouping_test
