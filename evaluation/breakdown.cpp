#include "evaluation/breakdown.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "evaluation/metrics.h"
#include "evaluation/tally.h"

namespace reckon {

std::vector<Bucket> quantile_buckets(std::span<const int64_t> values, int64_t max_buckets) {
  TORCH_CHECK(max_buckets >= 1, "quantile_buckets: expected at least one bucket, got ",
              max_buckets);
  std::vector<int64_t> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<Bucket> buckets;
  size_t begin = 0;
  while (begin < sorted.size()) {
    // What is left is divided among the buckets that are left, so that one large group of equal
    // values does not starve those behind it.
    const auto left = static_cast<size_t>(max_buckets) - buckets.size();
    size_t end = begin + (sorted.size() - begin + left - 1) / left;
    while (end < sorted.size() && sorted[end] == sorted[end - 1]) ++end;
    buckets.push_back({sorted[begin], sorted[end - 1], static_cast<int64_t>(end - begin)});
    begin = end;
  }
  return buckets;
}

int64_t bucket_of(const std::vector<Bucket>& buckets, int64_t value) {
  const auto found = std::find_if(buckets.begin(), buckets.end(),
                                  [value](const Bucket& bucket) { return bucket.holds(value); });
  return found == buckets.end() ? -1 : found - buckets.begin();
}

std::vector<int64_t> relevant_popularity(const EvaluationInput& input,
                                         std::optional<double> relevant_from) {
  const auto relevant = relevant_items(input.data, relevant_from);
  const auto counts = input.item_counts.to(torch::kInt64).contiguous();  // [I]
  std::vector<int64_t> popularity;
  popularity.reserve(relevant.items.size());
  for (const int64_t item : relevant.items)
    popularity.push_back(counts.const_data_ptr<int64_t>()[item]);
  return popularity;
}

std::vector<Share> found_by_popularity(const RankedLists& lists, const EvaluationInput& input,
                                       std::optional<double> relevant_from, int64_t k,
                                       const std::vector<Bucket>& buckets) {
  const auto relevant = relevant_items(input.data, relevant_from);
  const auto counts = input.item_counts.to(torch::kInt64).contiguous();  // [I]
  const auto list_users = lists.users.contiguous();                      // [V]
  const auto list_offsets = lists.offsets.contiguous();                  // [V + 1]
  const auto list_items = lists.items.contiguous();                      // [N]
  std::unordered_map<int64_t, int64_t> row_of;
  for (int64_t row = 0; row < lists.num_users(); ++row)
    row_of.emplace(list_users.const_data_ptr<int64_t>()[row], row);

  struct UserPairs {
    double found = 0.0, pairs = 0.0;
  };
  std::vector<std::vector<UserPairs>> by_bucket(buckets.size());
  for (int64_t row = 0; row < input.data.users.size(0); ++row) {
    const auto found = row_of.find(input.data.users.const_data_ptr<int64_t>()[row]);
    std::unordered_set<int64_t> list;
    if (found != row_of.end()) {
      const int64_t begin = list_offsets.const_data_ptr<int64_t>()[found->second];
      const int64_t end = list_offsets.const_data_ptr<int64_t>()[found->second + 1];
      const int64_t* items = list_items.const_data_ptr<int64_t>();
      list.insert(items + begin, items + std::min(end, begin + k));
    }
    std::vector<UserPairs> of_user(buckets.size());
    for (const int64_t item : relevant.of(row)) {
      const auto bucket = bucket_of(buckets, counts.const_data_ptr<int64_t>()[item]);
      if (bucket < 0) continue;
      of_user[bucket].pairs += 1.0;
      of_user[bucket].found += static_cast<double>(list.count(item));
    }
    for (size_t b = 0; b < buckets.size(); ++b)
      if (of_user[b].pairs > 0.0) by_bucket[b].push_back(of_user[b]);
  }

  std::vector<Share> shares;
  for (const auto& users : by_bucket) {
    double found = 0.0, pairs = 0.0;
    for (const auto& user : users) {
      found += user.found;
      pairs += user.pairs;
    }
    Share share{kNaN, kNaN, static_cast<int64_t>(pairs)};
    if (pairs > 0.0) share.value = found / pairs;
    const auto num_users = static_cast<double>(users.size());
    if (num_users >= 2.0) {
      double squares = 0.0;
      for (const auto& user : users) {
        const double deviation = user.found - share.value * user.pairs;
        squares += deviation * deviation;
      }
      share.standard_error = std::sqrt(squares * num_users / (num_users - 1.0)) / pairs;
    }
    shares.push_back(share);
  }
  return shares;
}

std::vector<int64_t> recommendation_counts(const RankedLists& lists, int64_t num_items, int64_t k) {
  std::vector<int64_t> counts(static_cast<size_t>(num_items), 0);
  const auto offsets = lists.offsets.contiguous();  // [V + 1]
  const auto items = lists.items.contiguous();      // [N]
  for (int64_t row = 0; row < lists.num_users(); ++row) {
    const int64_t begin = offsets.const_data_ptr<int64_t>()[row];
    const int64_t end = std::min(offsets.const_data_ptr<int64_t>()[row + 1], begin + k);
    for (int64_t place = begin; place < end; ++place) {
      const int64_t item = items.const_data_ptr<int64_t>()[place];
      if (item >= 0) ++counts.at(static_cast<size_t>(item));
    }
  }
  return counts;
}

std::vector<CurvePoint> long_tail(std::span<const int64_t> counts,
                                  std::span<const int64_t> item_counts, int64_t max_points) {
  TORCH_CHECK(counts.size() == item_counts.size(), "long_tail: expected counts of ",
              item_counts.size(), " items, got ", counts.size());
  const auto num_items = static_cast<int64_t>(counts.size());
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  if (total == 0.0) return {};
  std::vector<int64_t> order(counts.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return item_counts[a] > item_counts[b]; });
  std::vector<CurvePoint> points = {{0.0, 0.0}};
  const int64_t num_points = std::min(max_points, num_items);
  int64_t sum = 0, next = 0;
  for (int64_t point = 1; point <= num_points; ++point) {
    const int64_t end = num_items * point / num_points;
    for (; next < end; ++next) sum += counts[order[next]];
    points.push_back({static_cast<double>(end) / static_cast<double>(num_items),
                      static_cast<double>(sum) / total});
  }
  return points;
}

}  // namespace reckon
