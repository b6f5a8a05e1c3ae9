#include "datasets/negative_sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>

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

// A user with fewer draws than this is looked through item by item instead of being marked first.
constexpr size_t kFewDraws = 8;

// Items are listed 64 at a time; that pays off from this many draws per word of them on.
constexpr size_t kDrawsPerWord = 32;

// The upper half of bits x bound: uniform in [0, bound) up to a bias below bound / 2^64.
uint64_t scaled(uint64_t bits, uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(bits) * bound) >> 64);
}

// Written without an early exit, so that it is compiled to comparisons of many items at once.
bool contains(std::span<const int32_t> items, int64_t wanted) {
  const auto item = static_cast<int32_t>(wanted);
  bool found = false;
  for (const auto candidate : items) found |= candidate == item;
  return found;
}

// Fills `out` with value(r), r uniform below `bound` (at most 2^31). Half a random number is enough
// for one draw; what is left over of 2^32 is drawn again, so that nothing is favoured (Lemire, ACM
// TOMACS 2019).
template <class Value>
void draw_below(const RandomKey& key, uint64_t bound, std::span<int64_t> out, const Value& value) {
  const auto left_over = static_cast<uint32_t>((uint64_t{1} << 32) % bound);
  const auto put = [&](size_t i, uint32_t bits) {
    auto product = bits * bound;
    for (uint64_t attempt = 1; static_cast<uint32_t>(product) < left_over; ++attempt)
      product = (key.bits(i, attempt << 32) >> 32) * bound;
    out[i] = value(product >> 32);
  };
  size_t i = 0;
  for (; i + 1 < out.size(); i += 2) {
    const auto bits = key.bits(i / 2);
    put(i, static_cast<uint32_t>(bits >> 32));
    put(i + 1, static_cast<uint32_t>(bits));
  }
  if (i < out.size()) put(i, static_cast<uint32_t>(key.bits(i / 2) >> 32));
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
  aliases_ = AliasTable(probabilities_);
}

NegativeSampler::Exclusion::Exclusion(const NegativeSampler& sampler,
                                      std::span<const int32_t> items, size_t num_draws)
    : items_(items) {
  // How much is excluded at most, repetitions counted: often that is enough to know.
  const auto at_most = static_cast<double>(items.size()) / static_cast<double>(sampler.num_items_);
  if (num_draws < kFewDraws && sampler.is_uniform_ && 1.0 - at_most >= 1.0 / kMaxTries) return;

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
  const bool pays_off = sampler.is_uniform_ && num_draws >= num_words * kDrawsPerWord;
  if (1.0 - excluded >= 1.0 / kMaxTries && !pays_off) return;

  // A list of what is left: rejection would take too long, or costs more than making the list.
  memory.allowed.clear();
  memory.cumulative.clear();
  allowed_ = &memory.allowed;
  if (sampler.is_uniform_) {
    for (size_t word = 0; word < num_words; ++word) {
      auto free = ~bits_[word];
      if (word + 1 == num_words && sampler.num_items_ % 64 != 0)
        free &= (uint64_t{1} << (sampler.num_items_ % 64)) - 1;
      for (; free != 0; free &= free - 1)
        memory.allowed.push_back(static_cast<int32_t>(word * 64) + std::countr_zero(free));
    }
    return;
  }
  double total = 0;
  for (int64_t item = 0; item < sampler.num_items_; ++item) {
    if (has_bit(bits_, item)) continue;
    memory.allowed.push_back(static_cast<int32_t>(item));
    memory.cumulative.push_back(total += sampler.probabilities_[static_cast<size_t>(item)]);
  }
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
  return aliases_.draw(bits);
}

void NegativeSampler::draw_allowed(const RandomKey& key, const Exclusion& exclusion,
                                   std::span<int64_t> out) const {
  const auto& allowed = *exclusion.allowed_;
  if (exclusion.cumulative_ == nullptr) {
    draw_below(key, allowed.size(), out, [&](uint64_t place) { return int64_t{allowed[place]}; });
    return;
  }
  const auto& cumulative = *exclusion.cumulative_;
  for (size_t i = 0; i < out.size(); ++i) {
    const auto point = random_uniform(key, i) * cumulative.back();
    const auto place = static_cast<size_t>(
        std::upper_bound(cumulative.begin(), cumulative.end(), point) - cumulative.begin());
    out[i] = allowed[std::min(place, allowed.size() - 1)];
  }
}

template <class IsExcluded>
void NegativeSampler::draw_unless(const RandomKey& key, const IsExcluded& is_excluded,
                                  std::span<int64_t> out) const {
  const auto redraw = [&](size_t i) {
    for (uint64_t attempt = 1;; ++attempt) {
      const auto item = draw_one(key, i, attempt);
      if (!is_excluded(item)) return item;
    }
  };
  if (!is_uniform_) {
    for (size_t i = 0; i < out.size(); ++i) {
      const auto item = draw_one(key, i, 0);
      out[i] = is_excluded(item) ? redraw(i) : item;
    }
    return;
  }
  draw_below(key, static_cast<uint64_t>(num_items_), out,
             [](uint64_t item) { return static_cast<int64_t>(item); });
  // Rejection comes second, so that the loop above is free of branches.
  for (size_t i = 0; i < out.size(); ++i)
    if (is_excluded(out[i])) out[i] = redraw(i);
}

void NegativeSampler::draw(const RandomKey& key, const Exclusion& exclusion,
                           std::span<int64_t> out) const {
  if (exclusion.allowed_ != nullptr && !exclusion.allowed_->empty())
    return draw_allowed(key, exclusion, out);
  if (exclusion.items_.empty() || exclusion.allowed_ != nullptr)
    return draw_unless(key, [](int64_t) { return false; }, out);
  if (exclusion.bits_ == nullptr)
    return draw_unless(key, [&](int64_t item) { return contains(exclusion.items_, item); }, out);
  draw_unless(key, [bits = exclusion.bits_](int64_t item) { return has_bit(bits, item); }, out);
}

}  // namespace reckon
