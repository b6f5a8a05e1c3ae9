#include "models/slim.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/shared_parts.h"
#include "models/interaction_matrix.h"

namespace reckon {

namespace {

struct Column {
  std::vector<SparseElement> weights;
  double loss = 0.0;
};

/// One thread's work on single items.
class Descent {
 public:
  Descent(const SparseRows& users, const SparseRows& items, const Slim::Options& options)
      : user_offset_(users.offsets.const_data_ptr<int64_t>()),
        user_item_(users.columns.const_data_ptr<int32_t>()),
        item_offset_(items.offsets.const_data_ptr<int64_t>()),
        item_user_(items.columns.const_data_ptr<int32_t>()),
        options_(options),
        residual_(static_cast<size_t>(users.num_rows())),
        weight_(static_cast<size_t>(items.num_rows())),
        is_candidate_(static_cast<size_t>(items.num_rows())) {}

  Column solve(int64_t target) {
    find_candidates(target);
    std::vector<int32_t> active = candidates_;
    // Sweeps over what is not zero, until they change little; then one over all decides.
    bool is_whole = true;
    for (int64_t sweep = 0; sweep < options_.max_sweeps; ++sweep) {
      float largest = 0.0f;
      for (const int32_t item : active) largest = std::max(largest, step(item));
      const bool settled = largest <= options_.tolerance;
      if (settled && is_whole) break;
      if (settled) {
        active = candidates_;
        is_whole = true;
        continue;
      }
      if (!is_whole) continue;
      active.clear();
      for (const int32_t item : candidates_)
        if (weight_[static_cast<size_t>(item)] != 0.0f) active.push_back(item);
      is_whole = false;
    }
    return collect(target);
  }

 private:
  int64_t count_of(int64_t item) const { return item_offset_[item + 1] - item_offset_[item]; }

  void find_candidates(int64_t target) {
    candidates_.clear();
    is_candidate_[static_cast<size_t>(target)] = 1;
    for (int64_t p = item_offset_[target]; p < item_offset_[target + 1]; ++p) {
      const int64_t user = item_user_[p];
      residual_[static_cast<size_t>(user)] = 1.0f;
      for (int64_t q = user_offset_[user]; q < user_offset_[user + 1]; ++q) {
        auto& seen = is_candidate_[static_cast<size_t>(user_item_[q])];
        if (seen != 0) continue;
        seen = 1;
        candidates_.push_back(user_item_[q]);
      }
    }
    std::sort(candidates_.begin(), candidates_.end());
    is_candidate_[static_cast<size_t>(target)] = 0;
    for (const int32_t item : candidates_) is_candidate_[static_cast<size_t>(item)] = 0;
  }

  // The best value of one weight while all others stay; returns how much it changed.
  float step(int64_t item) {
    auto& weight = weight_[static_cast<size_t>(item)];
    const auto count = static_cast<float>(count_of(item));
    const int64_t begin = item_offset_[item], end = item_offset_[item + 1];
    float sum = 0.0f;
    for (int64_t p = begin; p < end; ++p) sum += residual_[static_cast<size_t>(item_user_[p])];
    const float pull = sum + count * weight;
    const auto l1 = static_cast<float>(options_.l1), l2 = static_cast<float>(options_.l2);
    float best = 0.0f;
    if (pull > l1) best = (pull - l1) / (count + l2);
    if (!options_.non_negative && pull < -l1) best = (pull + l1) / (count + l2);
    const float change = best - weight;
    if (change == 0.0f) return 0.0f;
    weight = best;
    for (int64_t p = begin; p < end; ++p) residual_[static_cast<size_t>(item_user_[p])] -= change;
    return std::abs(change);
  }

  // Takes the result out and leaves everything at zero for the next item.
  Column collect(int64_t target) {
    Column out;
    const auto clear = [&](int64_t item) {
      for (int64_t p = item_offset_[item]; p < item_offset_[item + 1]; ++p) {
        auto& rest = residual_[static_cast<size_t>(item_user_[p])];
        out.loss += 0.5 * rest * rest;
        rest = 0.0f;
      }
    };
    clear(target);
    for (const int32_t item : candidates_) {
      clear(item);
      auto& weight = weight_[static_cast<size_t>(item)];
      if (weight == 0.0f) continue;
      out.weights.push_back({weight, item});
      out.loss += options_.l1 * std::abs(weight) + 0.5 * options_.l2 * weight * weight;
      weight = 0.0f;
    }
    keep_largest(out.weights, options_.keep);
    return out;
  }

  const int64_t* user_offset_;
  const int32_t* user_item_;
  const int64_t* item_offset_;
  const int32_t* item_user_;
  const Slim::Options& options_;
  std::vector<float> residual_;        // [U] of x_j - X w
  std::vector<float> weight_;          // [I]
  std::vector<uint8_t> is_candidate_;  // [I]
  std::vector<int32_t> candidates_;
};

}  // namespace

void Slim::Options::describe(Schema<Options>& schema) {
  schema.field("l1", &Options::l1)
      .at_least(0.0)
      .doc("What a weight costs by its size; more makes more of them zero.");
  schema.field("l2", &Options::l2)
      .at_least(0.0)
      .doc("What a weight costs by its square; more makes them smaller.");
  schema.field("non_negative", &Options::non_negative)
      .doc("Whether weights below zero are left out, as in the paper.");
  schema.field("max_sweeps", &Options::max_sweeps)
      .at_least(1)
      .doc("Most passes over the weights of one item.");
  schema.field("tolerance", &Options::tolerance)
      .at_least(0.0)
      .doc("Largest change of a weight in a pass that counts as none.");
  schema.field("keep", &Options::keep)
      .at_least(0)
      .doc("Weights that are kept of each item, the largest by magnitude; 0: all.");
}

Slim::Slim(const Options& options, const Deps& deps) : ItemWeightsModel(deps), options_(options) {}

double Slim::fit(const Interactions& train, const Context&) {
  TORCH_CHECK(train.num_items == num_items(), "slim: made for ", num_items(),
              " items, got data of ", train.num_items);
  const auto users = interaction_matrix(train);
  const auto items = transpose(users, num_items());
  std::vector<RowBlock> by_candidate(static_cast<size_t>(num_items()));
  std::vector<double> losses(static_cast<size_t>(num_items()));
  share_parts(num_items(), 1, [&](SharedParts& parts) {
    Descent descent(users, items, options_);
    for (int64_t item, end; parts.take(item, end);) {
      const auto column = descent.solve(item);
      by_candidate[static_cast<size_t>(item)].add(column.weights);
      losses[static_cast<size_t>(item)] = column.loss;
    }
  });
  weights_->fill(transpose(join_blocks(by_candidate), num_items()));
  double loss = 0.0;
  for (const double of_item : losses) loss += of_item;
  return loss / static_cast<double>(std::max<int64_t>(1, num_items()));
}

}  // namespace reckon
