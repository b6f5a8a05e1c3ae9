#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
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

/// Where part number `part` of `num_parts` begins, of `count` in all.
inline int64_t part_begin(int64_t count, int part, int num_parts) {
  return count / num_parts * part + std::min<int64_t>(count % num_parts, part);
}

namespace grouping_detail {

// Places that are written to in turn: what caches and address translation hold.
constexpr int64_t kRanges = 512;
// Below, everything lies in a cache anyway.
constexpr int64_t kFewEntries = int64_t{1} << 16;

inline void sum_up(int64_t* offsets, int64_t num_keys) {
  for (int64_t key = 0; key < num_keys; ++key) offsets[key + 1] += offsets[key];
}

}  // namespace grouping_detail

/// Puts entries of one key next to one another, in the order in which they come: a stable counting sort.
///
/// `visit(part, num_parts, emit)` calls emit(entry) for each entry of a part; the parts behind one another are
/// all entries, and a part is visited more than once. An Entry has a `key` from 0 to `num_keys` - 1. `put(place, entry)` is
/// called once for each, by several threads and in no order; `offsets`, [num_keys + 1], receives where the entries
/// of each key begin.
///
/// A table of a million keys is written to all over, and each write waits for memory. Entries are
/// therefore divided into ranges of keys first, and then each range is put in order within a cache.
template <class Entry, class Visit, class Put>
void group_by_key(int64_t num_keys, int64_t* offsets, int num_threads, const Visit& visit,
                  const Put& put) {
  using grouping_detail::kRanges;
  std::fill(offsets, offsets + num_keys + 1, 0);
  int shift = 0;
  while (((num_keys - 1) >> shift) >= kRanges) ++shift;
  const int num_parts = std::max(num_threads, 1);

  // [part, range]: how many entries, then where the next of them belongs.
  std::vector<int64_t> next(static_cast<size_t>(num_parts * kRanges), 0);
  const auto next_of = [&](int part) { return next.data() + part * kRanges; };
  run_parts(num_parts, [&](int part) {
    auto* counts = next_of(part);
    visit(part, num_parts, [&](const Entry& entry) { ++counts[entry.key >> shift]; });
  });
  std::vector<int64_t> begins(kRanges + 1, 0);
  int64_t total = 0;
  for (int64_t range = 0; range < kRanges; ++range) {
    begins[static_cast<size_t>(range)] = total;
    for (int part = 0; part < num_parts; ++part) {
      const auto count = next_of(part)[range];
      next_of(part)[range] = total;
      total += count;
    }
  }
  begins.back() = total;

  if (shift == 0) {  // ranges are keys
    std::copy(begins.begin(), begins.begin() + num_keys + 1, offsets);
    return run_parts(num_parts, [&](int part) {
      auto* places = next_of(part);
      visit(part, num_parts, [&](const Entry& entry) { put(places[entry.key]++, entry); });
    });
  }
  if (total < grouping_detail::kFewEntries) {
    visit(0, 1, [&](const Entry& entry) { ++offsets[entry.key + 1]; });
    grouping_detail::sum_up(offsets, num_keys);
    std::vector<int64_t> places(offsets, offsets + num_keys);
    return visit(0, 1,
                 [&](const Entry& entry) { put(places[static_cast<size_t>(entry.key)]++, entry); });
  }

  const auto divided = std::make_unique_for_overwrite<Entry[]>(static_cast<size_t>(total));
  run_parts(num_parts, [&](int part) {
    auto* places = next_of(part);
    visit(part, num_parts,
          [&](const Entry& entry) { divided[places[entry.key >> shift]++] = entry; });
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
  const auto first = list_offsets[0], count = list_offsets[num_lists] - first;
  group_by_key<Entry>(
      num_keys, offsets, num_threads,
      [&](int part, int num_parts, const auto& emit) {
        auto e = first + part_begin(count, part, num_parts);
        const auto end = first + part_begin(count, part + 1, num_parts);
        auto list = std::upper_bound(list_offsets, list_offsets + num_lists, e) - list_offsets - 1;
        for (; e < end; ++list)
          for (const auto last = std::min(end, list_offsets[list + 1]); e < last; ++e)
            emit(Entry{e, static_cast<int32_t>(list), keys[e]});
      },
      [&put](int64_t place, const Entry& entry) { put(place, entry.list, entry.e); });
}

}  // namespace reckon
