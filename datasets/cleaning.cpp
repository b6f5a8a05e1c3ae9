#include "datasets/cleaning.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <unordered_set>

#include "core/grouping.h"

namespace reckon {
namespace {

std::vector<int64_t> counts_of(const std::vector<int32_t>& ids, int64_t num_ids,
                               const std::vector<uint8_t>& is_kept) {
  std::vector<int64_t> counts(static_cast<size_t>(num_ids), 0);
  for (size_t row = 0; row < ids.size(); ++row)
    if (is_kept[row] != 0) ++counts[static_cast<size_t>(ids[row])];
  return counts;
}

int64_t remove_by_ranges(const Rows& rows, const CountRange& users, const CountRange& items,
                         std::vector<uint8_t>& is_kept) {
  const auto user_counts = counts_of(rows.user, rows.users.size(), is_kept);
  const auto item_counts = counts_of(rows.item, rows.items.size(), is_kept);
  int64_t removed = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (is_kept[row] == 0) continue;
    if (users.holds(user_counts[static_cast<size_t>(rows.user[row])]) &&
        items.holds(item_counts[static_cast<size_t>(rows.item[row])]))
      continue;
    is_kept[row] = 0;
    ++removed;
  }
  return removed;
}

}  // namespace

int64_t remove_other_items(const Rows& rows, const std::unordered_set<std::string>& items,
                           std::vector<uint8_t>& is_kept) {
  std::vector<uint8_t> is_wanted;
  for (int64_t item = 0; item < rows.items.size(); ++item)
    is_wanted.push_back(items.contains(std::string(rows.items.raw(item))) ? 1 : 0);
  int64_t removed = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (is_kept[row] == 0 || is_wanted[static_cast<size_t>(rows.item[row])] != 0) continue;
    is_kept[row] = 0;
    ++removed;
  }
  return removed;
}

namespace {

// Keeps the given rows of a column, in their order, and then the same once more.
template <class T>
void take_twice(std::vector<T>& column, const std::vector<size_t>& kept) {
  if (column.empty()) return;
  for (size_t i = 0; i < kept.size(); ++i) column[i] = column[kept[i]];
  column.resize(kept.size());
  column.reserve(2 * kept.size());
  for (size_t i = 0; i < kept.size(); ++i) column.push_back(column[i]);
}

}  // namespace

std::vector<CleaningStep> pair_up(Rows& rows) {
  std::vector<int32_t> user_of;  // by the id among items
  for (int64_t id = 0; id < rows.items.size(); ++id)
    user_of.push_back(static_cast<int32_t>(rows.users.add(rows.items.raw(id))));
  for (auto& item : rows.item) item = user_of[static_cast<size_t>(item)];
  rows.items = rows.users;
  std::vector<size_t> kept;
  std::unordered_set<uint64_t> pairs;
  int64_t num_loops = 0, num_repeated = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    const auto [low, high] = std::minmax({rows.user[row], rows.item[row]});
    const auto pair = (static_cast<uint64_t>(low) << 32) | static_cast<uint64_t>(high);
    if (low == high)
      ++num_loops;
    else if (!pairs.insert(pair).second)
      ++num_repeated;
    else
      kept.push_back(row);
  }
  for (auto* ids : {&rows.user, &rows.item}) take_twice(*ids, kept);
  for (size_t row = 0; row < kept.size(); ++row)
    std::swap(rows.user[kept.size() + row], rows.item[kept.size() + row]);
  take_twice(rows.label, kept);
  take_twice(rows.time, kept);
  take_twice(rows.weight, kept);
  take_twice(rows.event, kept);
  take_twice(rows.origin, kept);
  return {{"of one with itself", num_loops, ""}, {"given before, either way", num_repeated, ""}};
}

RowOrder order_rows(const Rows& rows, const std::vector<uint8_t>& is_kept) {
  // A time travels with its row, so that sorting a user does not jump about in the table.
  struct Entry {
    int64_t time;
    int32_t row, key;
    bool operator<(const Entry& other) const {  // ties in file order
      return time != other.time ? time < other.time : row < other.row;
    }
  };
  const int num_threads = at::get_num_threads();
  const auto num_users = rows.users.size();
  const auto num_rows = static_cast<int64_t>(rows.size());
  const auto num_kept = std::count(is_kept.begin(), is_kept.end(), uint8_t{1});
  RowOrder order;
  order.user_offsets.resize(static_cast<size_t>(num_users) + 1);
  order.rows.resize(static_cast<size_t>(num_kept));
  const auto entries = std::make_unique_for_overwrite<Entry[]>(static_cast<size_t>(num_kept));
  group_by_key<Entry>(
      num_rows, num_users, order.user_offsets.data(), num_threads,
      [&](int64_t begin, int64_t end, const auto& emit) {
        for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
          if (is_kept[i] != 0)
            emit(Entry{rows.has_times() ? rows.time[i] : 0, static_cast<int32_t>(i), rows.user[i]});
      },
      [&](int64_t place, const Entry& entry) { entries[static_cast<size_t>(place)] = entry; });
  run_parts(num_threads, [&](int part) {
    const auto [first, last] = stretch_of(num_users, part, num_threads);
    for (auto user = static_cast<size_t>(first); user < static_cast<size_t>(last); ++user) {
      auto* begin = entries.get() + order.user_offsets[user];
      auto* end = entries.get() + order.user_offsets[user + 1];
      if (!std::is_sorted(begin, end)) std::sort(begin, end);
      auto* row = order.rows.data() + order.user_offsets[user];
      for (const auto* entry = begin; entry < end; ++entry) *row++ = entry->row;
    }
  });
  return order;
}

void drop_rows(RowOrder& order, const std::vector<uint8_t>& is_kept) {
  size_t place = 0;
  for (size_t user = 0; user + 1 < order.user_offsets.size(); ++user) {
    const auto begin = static_cast<size_t>(order.user_offsets[user]);
    const auto end = static_cast<size_t>(order.user_offsets[user + 1]);
    order.user_offsets[user] = static_cast<int64_t>(place);
    for (size_t i = begin; i < end; ++i)
      if (is_kept[static_cast<size_t>(order.rows[i])] != 0) order.rows[place++] = order.rows[i];
  }
  order.user_offsets.back() = static_cast<int64_t>(place);
  order.rows.resize(place);
}

int64_t remove_duplicates(Rows& rows, const RowOrder& order, CleaningOptions::Duplicates policy,
                          std::vector<uint8_t>& is_kept) {
  using Duplicates = CleaningOptions::Duplicates;
  if (policy == Duplicates::kKeepAll) return 0;
  if (policy == Duplicates::kMerge && rows.weight.empty()) rows.weight.assign(rows.size(), 1.0f);
  int64_t removed = 0;
  // What makes two rows the same, then their order in time.
  std::vector<std::tuple<int32_t, uint8_t, uint8_t, int64_t>> keys;
  for (size_t user = 0; user + 1 < order.user_offsets.size(); ++user) {
    keys.clear();
    for (auto i = order.user_offsets[user]; i < order.user_offsets[user + 1]; ++i) {
      const auto row = static_cast<size_t>(order.rows[static_cast<size_t>(i)]);
      const uint8_t event = rows.event.empty() ? 0 : rows.event[row];
      keys.emplace_back(rows.item[row], event, rows.origin[row], i);
    }
    std::sort(keys.begin(), keys.end());
    const auto row_of = [&](size_t i) {
      return static_cast<size_t>(order.rows[static_cast<size_t>(std::get<3>(keys[i]))]);
    };
    const auto is_same = [&](size_t i, size_t j) {
      return std::get<0>(keys[i]) == std::get<0>(keys[j]) &&
             std::get<1>(keys[i]) == std::get<1>(keys[j]) &&
             std::get<2>(keys[i]) == std::get<2>(keys[j]);
    };
    for (size_t begin = 0, end = 0; begin < keys.size(); begin = end) {
      for (end = begin + 1; end < keys.size() && is_same(begin, end);) ++end;
      const auto kept = row_of(policy == Duplicates::kKeepFirst ? begin : end - 1);
      for (size_t i = begin; i < end; ++i) {
        const auto row = row_of(i);
        if (row == kept) continue;
        if (policy == Duplicates::kMerge) rows.weight[kept] += rows.weight[row];
        is_kept[row] = 0;
        ++removed;
      }
    }
  }
  return removed;
}

int64_t remove_by_counts(const Rows& rows, const CountOptions& counts,
                         std::vector<uint8_t>& is_kept) {
  return remove_by_ranges(rows, counts.users, counts.items, is_kept);
}

int64_t remove_outside_core(const Rows& rows, const CoreOptions& core,
                            std::vector<uint8_t>& is_kept, int64_t& num_rounds) {
  num_rounds = 0;
  const CountRange users{core.users, std::nullopt}, items{core.items, std::nullopt};
  int64_t removed = 0;
  for (;;) {
    const auto now = remove_by_ranges(rows, users, items, is_kept);
    if (now == 0) return removed;
    removed += now;
    ++num_rounds;
  }
}

}  // namespace reckon
