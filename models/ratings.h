#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/schema.h"
#include "datasets/interactions.h"
#include "kernels/rating_sgd.h"

namespace reckon {

/// The scale on which users rate, as the config declares it.
struct RatingScale {
  double low = 1.0;
  double high = 5.0;
  bool clip = true;

  static void describe(Schema<RatingScale>& schema);

  /// Predictions within the scale, where `clip` says so.   Shapes  [...] -> [...]
  torch::Tensor clipped(const torch::Tensor& predictions) const;
};

/// The ratings of one user, or of one item, as a view.
struct RatingsOfOne {
  const int32_t* others = nullptr;  ///< The items of a user, the users of an item.
  const float* values = nullptr;
  int64_t size = 0;
};

/// Training ratings as plain arrays, by user and by item, checked.
///
/// Each user's ratings keep the order of the interactions; an item's are ordered by user. Of
/// several ratings of one item by one user the last one counts.
class Ratings {
 public:
  /// Throws   std::invalid_argument with a sentence that begins with `model` when there is no
  ///          rating, or one is not finite or outside of the scale.
  /// Without `by_item`, of_item() must not be asked.
  Ratings(const Interactions& train, int64_t num_users, int64_t num_items, const RatingScale& scale,
          const std::string& model, bool by_item = true);

  /// Puts each user's ratings into an order that depends on the seed, the round and the user alone.
  /// In the order of time those next to each other resemble each other, and gradient descent ends a
  /// little worse.
  void shuffle_each_user(uint64_t seed, int64_t round);

  int64_t num_users() const { return num_users_; }
  int64_t num_items() const { return num_items_; }
  int64_t size() const { return items_.size(0); }
  double mean() const { return mean_; }

  const int64_t* user_offsets() const { return offsets_of_users_; }
  const int32_t* items() const { return item_of_; }
  const float* values() const { return value_of_; }

  RatingRows rows() const { return {user_offsets(), items(), values(), num_users()}; }

  RatingsOfOne of_user(int64_t user) const {
    const int64_t begin = user_offsets()[user];
    return {items() + begin, values() + begin, user_offsets()[user + 1] - begin};
  }
  RatingsOfOne of_item(int64_t item) const {
    const auto begin = item_offsets_[static_cast<size_t>(item)];
    return {users_.data() + begin, item_values_.data() + begin,
            item_offsets_[static_cast<size_t>(item) + 1] - begin};
  }

 private:
  /// Asking a tensor for its pointer costs more than a rating does.
  void take_pointers();
  void drop_repetitions();
  void order_by_item();

  int64_t num_users_, num_items_;
  torch::Tensor user_offsets_;  // [U + 1] int64
  torch::Tensor items_;         // [E] int32
  torch::Tensor values_;        // [E] float32
  const int64_t* offsets_of_users_ = nullptr;
  const int32_t* item_of_ = nullptr;
  const float* value_of_ = nullptr;
  double mean_ = 0.0;
  std::vector<int64_t> item_offsets_;
  std::vector<int32_t> users_;
  std::vector<float> item_values_;
};

/// The mean rating of all, of each user and of each item: what a model of ratings says where it
/// knows no better, and who it knows.
///
/// An unknown user has the mean of the item, an unknown item the mean of the user, and where both
/// are unknown it is the mean of all: known are those with a rating in training.
class RatingMeansImpl : public torch::nn::Module {
 public:
  RatingMeansImpl(int64_t num_users, int64_t num_items);

  void fit(const Ratings& ratings);

  const torch::Tensor& mean() const { return mean_; }       // []
  const torch::Tensor& of_users() const { return users_; }  // [U], of all where there is none
  const torch::Tensor& of_items() const { return items_; }  // [I], of all where there is none

  /// kUnknownId in place of all without a rating.   Shapes  [B] -> [B]
  torch::Tensor known_users(const torch::Tensor& users) const;

  /// Shapes   [...] -> [...] bool
  torch::Tensor known_items(const torch::Tensor& items) const;
  torch::Tensor all_known_users() const;  // [U] bool
  torch::Tensor all_known_items() const;  // [I] bool

  /// Shapes   users [B] with kUnknownId for unknown ones, items [B, C] -> [B, C]
  torch::Tensor predict(const torch::Tensor& users, const torch::Tensor& items) const;

  /// Of all items.   Shapes  users [B] with kUnknownId for unknown ones -> [B, I]
  torch::Tensor predict_all(const torch::Tensor& users) const;

 private:
  torch::Tensor mean_;         // [] float32
  torch::Tensor users_;        // [U] float32
  torch::Tensor items_;        // [I] float32
  torch::Tensor user_counts_;  // [U] int64
  torch::Tensor item_counts_;  // [I] int64
};
TORCH_MODULE(RatingMeans);

/// Rows of a table by ids; ids below zero have rows of zeros.   Shapes  [N, ...], [B] -> [B, ...]
torch::Tensor rows_of_known(const torch::Tensor& table, const torch::Tensor& ids);

/// Lists of rows, one behind the other.
struct RaggedRows {
  torch::Tensor segments;  // [L] int64, which of the B lists each entry belongs to
  torch::Tensor places;    // [L] int64, where it stands in the flat array
  torch::Tensor begins;    // [B] int64, where each list begins among the L
};

/// The entries of rows `ids` of a ragged array, none for ids below zero; a trace keeps all of it.
/// Shapes   offsets [N + 1], ids [B] int64
RaggedRows ragged_rows(const torch::Tensor& offsets, const torch::Tensor& ids);

/// Throws   std::invalid_argument that begins with `model` when the offsets do not divide the
///          entries, or an entry is not in [0, bound).
void check_ragged(const torch::Tensor& offsets, const torch::Tensor& entries, int64_t bound,
                  const std::string& model);

/// Independent normal numbers that depend on the seed, the table and the place alone.
/// Shapes   -> [num_rows, width] float32
torch::Tensor normal_table(int64_t num_rows, int64_t width, double mean, double deviation,
                           uint64_t seed, uint64_t table);

/// The same, uniform in [low, high).
torch::Tensor uniform_table(int64_t num_rows, int64_t width, double low, double high, uint64_t seed,
                            uint64_t table);

}  // namespace reckon
