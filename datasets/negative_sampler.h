#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/alias_table.h"
#include "core/random.h"
#include "datasets/interactions.h"
#include "datasets/needs.h"

namespace reckon {

/// Draws items that a user did not choose, each draw a function of a random key and a counter alone.
///
/// Uniform, or by popularity ^ exponent. With exclusion, draws follow the same distribution given that
/// the item is not among the user's; a user who has every item that could be drawn gets any other item
/// uniformly, and one who has every item there is gets draws without exclusion. Safe from several
/// threads.
class NegativeSampler {
 public:
  NegativeSampler(const Interactions& train, const NegativeNeeds& needs);

  /// What one user's draws must avoid. Holds memory of its thread: one at a time.
  class Exclusion {
   public:
    /// Excludes nothing.
    Exclusion() = default;
    /// `num_draws` is how many will follow; draws depend on it, their distribution does not.
    Exclusion(const NegativeSampler& sampler, std::span<const int32_t> items, size_t num_draws);
    ~Exclusion();
    Exclusion(const Exclusion&) = delete;
    Exclusion& operator=(const Exclusion&) = delete;

   private:
    friend class NegativeSampler;
    std::span<const int32_t> items_;
    uint64_t* bits_ = nullptr;                         // a bit per item; null: look through items_
    const std::vector<int32_t>* allowed_ = nullptr;    // set when rejection would take too long
    const std::vector<double>* cumulative_ = nullptr;  // its distribution; null when uniform
  };

  /// Fills `out` with the draws of `key`.
  void draw(const RandomKey& key, const Exclusion& exclusion, std::span<int64_t> out) const;

  /// log q(i), without exclusion; -infinity for items that are never drawn.   Shapes  [I]
  std::span<const float> log_q() const { return log_q_; }

 private:
  int64_t draw_one(const RandomKey& key, uint64_t counter, uint64_t attempt) const;
  void draw_allowed(const RandomKey& key, const Exclusion& exclusion, std::span<int64_t> out) const;
  template <class IsExcluded>
  void draw_unless(const RandomKey& key, const IsExcluded& is_excluded,
                   std::span<int64_t> out) const;

  int64_t num_items_;
  bool is_uniform_;
  std::vector<double> probabilities_;  // [I], empty when uniform
  std::vector<float> log_q_;
  AliasTable aliases_;  // empty when uniform
};

}  // namespace reckon
