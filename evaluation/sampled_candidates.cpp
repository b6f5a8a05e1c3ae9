#include "evaluation/sampled_candidates.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/random.h"

namespace reckon {
namespace {

// Draws by rejection before the rest is taken from an explicit list of what is left. Where that many
// would be as many as there are items, the list comes first.
constexpr int64_t kDrawsPerItem = 4;

// Keeps these draws apart from the negatives of training (whose epochs count from 0).
constexpr uint64_t kEvaluation = ~uint64_t{0};

}  // namespace

SampledCandidates::SampledCandidates(int64_t num_items, const torch::Tensor& item_counts,
                                     const NegativeSampling& options)
    : num_items_(num_items),
      count_(std::min(options.count, num_items)),
      options_(options),
      cumulative_(num_items) {
  const bool by_popularity = options.distribution == NegativeSampling::Distribution::kPopularity;
  TORCH_CHECK(!by_popularity || (item_counts.defined() && item_counts.numel() == num_items),
              "sampled evaluation: expected item counts [", num_items, "] for popular negatives");
  const auto counts = by_popularity ? item_counts.to(torch::kInt64).contiguous()
                                    : torch::ones({num_items}, torch::kInt64);  // [I]
  int64_t sum = 0;
  for (int64_t item = 0; item < num_items; ++item) {
    sum += counts.const_data_ptr<int64_t>()[item];
    cumulative_[item] = sum;
  }
}

int64_t SampledCandidates::weight(int64_t item) const {
  return cumulative_[item] - (item == 0 ? 0 : cumulative_[item - 1]);
}

std::vector<int64_t> SampledCandidates::draw(int64_t user,
                                             const std::unordered_set<int64_t>& excluded) const {
  CounterRng random(RandomKey(static_cast<uint64_t>(options_.seed), RandomStream::kNegatives,
                              kEvaluation, static_cast<uint64_t>(user)));
  std::unordered_set<int64_t> drawn;
  const auto count = static_cast<size_t>(count_);
  const int64_t total = num_items_ == 0 ? 0 : cumulative_.back();
  const int64_t draws = kDrawsPerItem * count_ < num_items_ ? kDrawsPerItem * count_ : 0;
  for (int64_t i = 0; total > 0 && i < draws && drawn.size() < count; ++i) {
    const auto ticket = static_cast<int64_t>(random.below(static_cast<uint64_t>(total)));
    const int64_t item =
        std::upper_bound(cumulative_.begin(), cumulative_.end(), ticket) - cumulative_.begin();
    if (excluded.count(item) == 0) drawn.insert(item);
  }
  if (drawn.size() < count) {
    // Few are left, or one takes nearly all draws. Exponential keys go on with the same distribution
    // (Efraimidis and Spirakis, 2006): the smallest -log(u) / weight come first.
    std::vector<std::pair<double, int64_t>> keys;
    for (int64_t item = 0; item < num_items_; ++item) {
      if (weight(item) == 0 || excluded.count(item) != 0 || drawn.count(item) != 0) continue;
      keys.emplace_back(-std::log1p(-random.uniform()) / static_cast<double>(weight(item)), item);
    }
    const auto missing = std::min(keys.size(), count - drawn.size());
    std::partial_sort(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(missing),
                      keys.end());
    for (size_t i = 0; i < missing; ++i) drawn.insert(keys[i].second);
  }
  std::vector<int64_t> items(drawn.begin(), drawn.end());
  std::sort(items.begin(), items.end());
  return items;
}

}  // namespace reckon
