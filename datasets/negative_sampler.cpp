#include "datasets/negative_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace reckon {
namespace {

// Rejection is kept while a draw is accepted at least once in this many tries on average.
constexpr double kMaxTries = 4.0;

/// What a thread keeps between examples, so that none allocates.
struct Scratch {
  std::vector<uint64_t> bits;
  std::vector<int32_t> allowed;
  std::vector<double> cumulative;
};

Scratch& scratch() {
  thread_local Scratch value;
  return value;
}

// The upper half of bits x bound: uniform in [0, bound) up to a bias below bound / 2^64.
uint64_t scaled(uint64_t bits, uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(bits) * bound) >> 64);
}

bool has_bit(const uint64_t* bits, int64_t item) {
  return ((bits[item >> 6] >> (item & 63)) & 1) != 0;
}

}  // namespace

NegativeSampler::NegativeSampler(const Interactions& train, const NegativeNeeds& needs)
    : num_items_(train.num_items),
      is_uniform_(needs.distribution == NegativeNeeds::Distribution::kUniform) {
  const auto num_items = static_cast<size_t>(num_items_);
  if (is_uniform_) {
    log_q_.assign(num_items, static_cast<float>(-std::log(static_cast<double>(num_items_))));
    return;
  }
  const auto counts = item_counts(train);  // [I]
  const auto* count = counts.data_ptr<int64_t>();
  probabilities_.resize(num_items);
  double total = 0;
  for (size_t i = 0; i < num_items; ++i) {
    probabilities_[i] = count[i] > 0 ? std::pow(static_cast<double>(count[i]), needs.exponent) : 0;
    total += probabilities_[i];
  }
  log_q_.resize(num_items);
  for (size_t i = 0; i < num_items; ++i) {
    probabilities_[i] /= total;
    log_q_[i] = static_cast<float>(std::log(probabilities_[i]));
  }

  // Vose: pair each item that is too rare for its share of the line with one that is too frequent.
  constexpr double kScale = 4294967296.0;
  keep_.assign(num_items, std::numeric_limits<uint32_t>::max());
  alias_.resize(num_items);
  std::iota(alias_.begin(), alias_.end(), 0);
  std::vector<double> share(num_items);
  std::vector<size_t> rare, frequent;
  for (size_t i = 0; i < num_items; ++i) {
    share[i] = probabilities_[i] * static_cast<double>(num_items);
    (share[i] < 1.0 ? rare : frequent).push_back(i);
  }
  while (!rare.empty() && !frequent.empty()) {
    const auto small = rare.back();
    rare.pop_back();
    const auto large = frequent.back();
    keep_[small] = static_cast<uint32_t>(share[small] * kScale);
    alias_[small] = static_cast<int32_t>(large);
    share[large] -= 1.0 - share[small];
    if (share[large] >= 1.0) continue;
    frequent.pop_back();
    rare.push_back(large);
  }
  // Rounding may leave items over whose share is one; but one that is never drawn must stay so.
  for (const auto item : rare)
    if (probabilities_[item] == 0) {
      keep_[item] = 0;
      alias_[item] = static_cast<int32_t>(
          std::max_element(probabilities_.begin(), probabilities_.end()) - probabilities_.begin());
    }
}

NegativeSampler::Exclusion::Exclusion(const NegativeSampler& sampler,
                                      std::span<const int32_t> items)
    : items_(items) {
  auto& memory = scratch();
  const auto num_words = static_cast<size_t>((sampler.num_items_ + 63) / 64);
  if (memory.bits.size() < num_words) memory.bits.resize(num_words, 0);
  bits_ = memory.bits.data();
  int64_t num_excluded = 0;
  double excluded = 0;
  for (const auto item : items_) {
    if (has_bit(bits_, item)) continue;
    bits_[item >> 6] |= uint64_t{1} << (item & 63);
    ++num_excluded;
    if (!sampler.is_uniform_) excluded += sampler.probabilities_[static_cast<size_t>(item)];
  }
  if (sampler.is_uniform_)
    excluded = static_cast<double>(num_excluded) / static_cast<double>(sampler.num_items_);
  if (1.0 - excluded >= 1.0 / kMaxTries) return;

  // Too much is excluded for rejection: draw from a list of what is left.
  memory.allowed.clear();
  memory.cumulative.clear();
  double total = 0;
  for (int64_t item = 0; item < sampler.num_items_; ++item) {
    if (has_bit(bits_, item)) continue;
    const auto weight =
        sampler.is_uniform_ ? 0.0 : sampler.probabilities_[static_cast<size_t>(item)];
    memory.allowed.push_back(static_cast<int32_t>(item));
    memory.cumulative.push_back(total += weight);
  }
  allowed_ = &memory.allowed;
  if (total > 0) cumulative_ = &memory.cumulative;
}

NegativeSampler::Exclusion::~Exclusion() {
  // Only the words that were touched: a user has few of all items.
  if (bits_ != nullptr)
    for (const auto item : items_) bits_[item >> 6] = 0;
}

inline int64_t NegativeSampler::draw_one(const RandomKey& key, uint64_t counter,
                                         uint64_t attempt) const {
  const auto bits = key.bits(counter, attempt);
  if (is_uniform_) return static_cast<int64_t>(scaled(bits, static_cast<uint64_t>(num_items_)));
  // The upper half chooses the item, the lower one whether its alias takes its place.
  const auto item = static_cast<size_t>(((bits >> 32) * static_cast<uint64_t>(num_items_)) >> 32);
  return static_cast<uint32_t>(bits) < keep_[item] ? static_cast<int64_t>(item) : alias_[item];
}

void NegativeSampler::draw(const RandomKey& key, uint64_t counter, const Exclusion& exclusion,
                           std::span<int64_t> out) const {
  if (exclusion.allowed_ != nullptr && !exclusion.allowed_->empty()) {
    const auto& allowed = *exclusion.allowed_;
    for (size_t i = 0; i < out.size(); ++i) {
      size_t place = scaled(key.bits(counter + i), allowed.size());
      if (exclusion.cumulative_ != nullptr) {
        const auto& cumulative = *exclusion.cumulative_;
        const auto point = random_uniform(key, counter + i) * cumulative.back();
        place = static_cast<size_t>(
            std::upper_bound(cumulative.begin(), cumulative.end(), point) - cumulative.begin());
        place = std::min(place, allowed.size() - 1);
      }
      out[i] = allowed[place];
    }
    return;
  }
  const bool excludes = exclusion.bits_ != nullptr && exclusion.allowed_ == nullptr;
  for (size_t i = 0; i < out.size(); ++i) {
    auto item = draw_one(key, counter + i, 0);
    if (excludes)
      for (uint64_t attempt = 1; has_bit(exclusion.bits_, item); ++attempt)
        item = draw_one(key, counter + i, attempt);
    out[i] = item;
  }
}

}  // namespace reckon
