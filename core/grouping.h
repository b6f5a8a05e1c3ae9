#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

namespace reckon {

/// Calls `body(part)` for the parts 0 to `num_parts` - 1, each on a thread of its own.
/// Throws what a body threw, when all of them have ended.
template <class Body>
void run_parts(int num_parts, const Body& body) {
  std::vector<std::future<void>> others;
  for (int part = 1; part < num_parts; ++part)
    others.push_back(std::async(std::launch::async, [&body, part] { body(part); }));
  body(0);
  for (auto& other : others) other.get();
}

/// From `begin` to before `end`.
struct Stretch {
  int64_t begin = 0, end = 0;
};

/// Part number `part` when 0 to `count` is divided into `num_parts` of about equal length.
inline Stretch stretch_of(int64_t count, int part, int num_parts) {
  const auto begin_of = [=](int64_t number) {
    return count / num_parts * number + std::min(count % num_parts, number);
  };
  return {begin_of(part), begin_of(part + 1)};
}

/// As many as a thread is worth starting for, and as many as lie in a cache wherever they are.
constexpr int64_t kWorthAThread = int64_t{1} << 16;

/// Calls `body(begin, end)` for stretches that make up 0 to `count`, on at most `num_threads` threads.
template <class Body>
void run_stretches(int64_t count, int num_threads, const Body& body) {
  const int num_parts = count < kWorthAThread ? 1 : std::max(num_threads, 1);
  run_parts(num_parts, [&](int part) {
    const auto [begin, end] = stretch_of(count, part, num_parts);
    body(begin, end);
  });
}

/// Puts entries of one key next to one another, in the order in which they come: a stable counting sort.
///
/// `visit(begin, end, emit)` calls emit(entry) for the entries of elements `begin` to before `end`, of `count` in all,
/// and the same ones whenever it is called. An Entry has a `key` from 0 to `num_keys` - 1. `put(place, entry)` is called
/// once for each, by several threads and in no order; `offsets`, [num_keys + 1], receives where the entries of each
/// key begin.
///
/// A table of a million keys is written to all over, and each write waits for memory. Entries are
/// therefore divided into ranges of keys first, and then each range is put in order within a cache.
template <class Entry, class Visit, class Put>
void group_by_key(int64_t count, int64_t num_keys, int64_t* offsets, int num_threads,
                  const Visit& visit, const Put& put) {
  if (count < kWorthAThread) {
    std::fill(offsets, offsets + num_keys + 1, 0);
    visit(0, count, [&](const Entry& entry) { ++offsets[entry.key + 1]; });
    std::partial_sum(offsets, offsets + num_keys + 1, offsets);
    std::vector<int64_t> places(offsets, offsets + num_keys);
    return visit(0, count,
                 [&](const Entry& entry) { put(places[static_cast<size_t>(entry.key)]++, entry); });
  }

  // Places that are written to in turn: as many as caches and address translation hold.
  constexpr int64_t kRanges = 512;
  int shift = 0;
  while (((num_keys - 1) >> shift) >= kRanges) ++shift;
  const int num_parts = std::max(num_threads, 1);
  const auto visit_part = [&](int part, const auto& emit) {
    const auto [begin, end] = stretch_of(count, part, num_parts);
    visit(begin, end, emit);
  };
  // [part, range]: how many entries, then where the next of them belongs.
  std::vector<int64_t> next(static_cast<size_t>(num_parts * kRanges), 0);
  const auto next_of = [&](int part) { return next.data() + part * kRanges; };
  run_parts(num_parts, [&](int part) {
    auto* counts = next_of(part);
    visit_part(part, [&](const Entry& entry) { ++counts[entry.key >> shift]; });
  });
  std::vector<int64_t> begins;
  int64_t total = 0;
  for (int64_t range = 0; range < kRanges; ++range) {
    begins.push_back(total);
    for (int part = 0; part < num_parts; ++part)
      total += std::exchange(next_of(part)[range], total);
  }
  begins.push_back(total);

  const auto divided = std::make_unique_for_overwrite<Entry[]>(static_cast<size_t>(total));
  run_parts(num_parts, [&](int part) {
    auto* places = next_of(part);
    visit_part(part, [&](const Entry& entry) { divided[places[entry.key >> shift]++] = entry; });
  });
  std::atomic<int64_t> next_range{0};
  run_parts(num_parts, [&](int) {
    const int64_t width = int64_t{1} << shift;
    std::vector<int64_t> places(static_cast<size_t>(width));
    for (int64_t range; (range = next_range++) < kRanges && range << shift < num_keys;) {
      const auto first_key = range << shift;
      const auto last_key = std::min(first_key + width, num_keys);
      const auto begin = begins[static_cast<size_t>(range)];
      const auto end = begins[static_cast<size_t>(range) + 1];
      std::fill(places.begin(), places.end(), 0);
      for (auto i = begin; i < end; ++i) ++places[static_cast<size_t>(divided[i].key - first_key)];
      auto place = begin;
      for (auto key = first_key; key < last_key; ++key) {
        offsets[key] = place;
        auto& next_place = places[static_cast<size_t>(key - first_key)];
        place += std::exchange(next_place, place);
      }
      for (auto i = begin; i < end; ++i)
        put(places[static_cast<size_t>(divided[i].key - first_key)]++, divided[i]);
    }
  });
  offsets[num_keys] = total;
}

/// Turns lists round: those that name a key, in their order, for each key from 0 to `num_keys` - 1.
///
/// List l has the keys `keys[e]`, e from `list_offsets[l]` to before `list_offsets[l + 1]`. `put(place, l, e)` is called once
/// for each e, by several threads and in no order; `offsets`, [num_keys + 1], receives where the places of each
/// key begin.
template <class Put>
void turn_lists(int64_t num_lists, const int64_t* list_offsets, const int32_t* keys,
                int64_t num_keys, int64_t* offsets, int num_threads, const Put& put) {
  struct Entry {
    int64_t e;
    int32_t list, key;
  };
  const auto first = list_offsets[0];
  group_by_key<Entry>(
      list_offsets[num_lists] - first, num_keys, offsets, num_threads,
      [&](int64_t begin, int64_t end, const auto& emit) {
        auto e = first + begin;
        auto list = std::upper_bound(list_offsets, list_offsets + num_lists, e) - list_offsets - 1;
        for (; e < first + end; ++list)
          for (const auto last = std::min(first + end, list_offsets[list + 1]); e < last; ++e)
            emit(Entry{e, static_cast<int32_t>(list), keys[e]});
      },
      [&put](int64_t place, const Entry& entry) { put(place, entry.list, entry.e); });
}

}  // namespace reckon
