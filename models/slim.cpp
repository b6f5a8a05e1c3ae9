#include "models/slim.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "models/interaction_matrix.h"

namespace reckon {

namespace {

struct Column {
  std::vector<int32_t> items;
  std::vector<float> values;
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
      out.items.push_back(item);
      out.values.push_back(weight);
      out.loss += options_.l1 * std::abs(weight) + 0.5 * options_.l2 * weight * weight;
      weight = 0.0f;
    }
    keep_largest(out);
    return out;
  }

  void keep_largest(Column& column) const {
    const auto size = static_cast<int64_t>(column.items.size());
    if (options_.keep == 0 || size <= options_.keep) return;
    std::vector<int32_t> order(column.items.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    std::nth_element(order.begin(), order.begin() + options_.keep, order.end(),
                     [&](int32_t a, int32_t b) {
                       const float x = std::abs(column.values[static_cast<size_t>(a)]);
                       const float y = std::abs(column.values[static_cast<size_t>(b)]);
                       return x != y ? x > y : a < b;
                     });
    order.resize(static_cast<size_t>(options_.keep));
    std::sort(order.begin(), order.end());
    Column kept;
    kept.loss = column.loss;
    for (const int32_t i : order) {
      kept.items.push_back(column.items[static_cast<size_t>(i)]);
      kept.values.push_back(column.values[static_cast<size_t>(i)]);
    }
    column = std::move(kept);
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

Slim::Slim(const Options& options, const Deps& deps)
    : options_(options), weights_(register_module("weights", ItemWeights(deps.num_items))) {}

double Slim::fit(const Interactions& train, const Context&) {
  TORCH_CHECK(train.num_items == num_items(), "slim: made for ", num_items(),
              " items, got data of ", train.num_items);
  const auto users = interaction_matrix(train);
  const auto items = transpose(users, num_items());
  std::vector<Column> columns(static_cast<size_t>(num_items()));
  std::atomic<int64_t> next{0};
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
    Descent descent(users, items, options_);
    for (int64_t item = next++; item < num_items(); item = next++)
      columns[static_cast<size_t>(item)] = descent.solve(item);
  });
  double loss = 0.0;
  int64_t size = 0;
  for (const auto& column : columns) {
    loss += column.loss;
    size += static_cast<int64_t>(column.items.size());
  }
  SparseRows by_candidate{torch::zeros({num_items() + 1}, torch::kLong),  // [I + 1]
                          torch::empty({size}, torch::kInt),              // [E]
                          torch::empty({size})};                          // [E]
  auto* offset = by_candidate.offsets.data_ptr<int64_t>();
  auto* item = by_candidate.columns.data_ptr<int32_t>();
  auto* value = by_candidate.values.data_ptr<float>();
  for (const auto& column : columns) {
    offset[1] = offset[0] + static_cast<int64_t>(column.items.size());
    ++offset;
    item = std::copy(column.items.begin(), column.items.end(), item);
    value = std::copy(column.values.begin(), column.values.end(), value);
  }
  weights_->fill(transpose(by_candidate, num_items()));
  return loss / static_cast<double>(std::max<int64_t>(1, num_items()));
}

torch::Tensor Slim::score(const State& state, const torch::Tensor& candidates) {
  return score_all(state).gather(1, candidates);  // [B, C]
}

}  // namespace reckon
