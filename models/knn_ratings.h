#pragma once

#include "models/baseline_estimates.h"
#include "models/rating_model.h"

namespace reckon {

/// Predicts a rating from those that the most similar users gave the item, or that the user gave
/// the most similar items.
///
/// With x the side that has neighbours and y the other, N the `neighbors` most similar of those x'
/// that have a rating with y, among them the ones with s(x, x') > 0:
///   plain     sum s r / sum s
///   centred   mean_x + sum s (r - mean_x') / sum s
///   z_score   mean_x + dev_x sum s (r - mean_x') / dev_x' / sum s
///   baseline  b_xy + sum s (r - b_x'y) / sum s
/// (Herlocker, Konstan, Borchers, Riedl, SIGIR 1999; Koren, "Factor in the Neighbors", TKDD 2010).
/// Similarities look at the y that both have: `cosine` of the ratings, `msd` 1 / (1 + mean squared
/// difference), `pearson` correlation, `pearson_baseline` correlation of what is left by the
/// baseline, times (n - 1) / (n - 1 + shrinkage). With less than `min_support` common ones they are
/// 0, and x is no neighbour of itself. Where less than `min_neighbors` are left, what stands before
/// the sum is predicted: the mean of x (for `plain` too) or b_xy, and where x is unknown the mean
/// of y. Among equally similar ones the lower id counts first. Memory is X x X similarities.
class KnnRatings : public FittedRatingModel {
 public:
  struct Options {
    enum class Side { kUsers, kItems };
    enum class Kind { kPlain, kCentred, kZScore, kBaseline };
    enum class Similarity { kCosine, kMsd, kPearson, kPearsonBaseline };

    RatingScale scale;
    Side side = Side::kUsers;
    Kind kind = Kind::kPlain;
    Similarity similarity = Similarity::kMsd;
    int64_t neighbors = 40;
    int64_t min_neighbors = 1;
    int64_t min_support = 1;
    double shrinkage = 100.0;
    BaselineOptions baseline;
    static void describe(Schema<Options>& schema);
  };

  KnnRatings(const Options& options, const Deps& deps);

  double fit(const Interactions& train, const Context& context) override;

  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  void check_buffers() const override;
  /// By the neighbours whose ratings are averaged: users who rated the item, or items that the user rated.
  std::optional<Explains> explains() const override {
    return Explains{.by = is_of_users() ? Explains::By::kUsers : Explains::By::kItems};
  }
  Explanation contributions(const Batch& request, const torch::Tensor& items) override;

  const torch::Tensor& similarities() const { return similarities_; }  // [X, X]

 private:
  /// Weighted sums over neighbours: of values, of similarities, and how many there are.
  struct Sums {
    torch::Tensor values, similarities, counts;  // [P] each
  };

  /// The raters of y of all pairs, the nearest of each pair first, and which of them are neighbours.
  struct Neighbors {
    torch::Tensor pairs, ranks, kept;  // [L]
    torch::Tensor similarities;        // [L], zero where not kept
    torch::Tensor places;              // [L] int64, of raters_ and values_
  };

  bool is_of_users() const { return options_.side == Options::Side::kUsers; }
  int64_t num_sides() const { return is_of_users() ? user_bias_.size(0) : item_bias_.size(0); }
  Sums sums_of(const torch::Tensor& x, const torch::Tensor& y) const;
  /// The same in operations that a trace keeps.
  Sums sums_of(const Neighbors& near, const torch::Tensor& x) const;
  Neighbors neighbors_of(const torch::Tensor& x, const torch::Tensor& y) const;

  Options options_;
  torch::Tensor user_bias_, item_bias_;  // [U], [I]; of the baseline
  torch::Tensor deviations_;             // [X]; what z_score multiplies with, else ones
  torch::Tensor similarities_;           // [X, X]
  torch::Tensor offsets_;                // [Y + 1] int64, of the two below
  torch::Tensor raters_;                 // [E] int64: each x with a rating of y
  torch::Tensor values_;                 // [E]: what is averaged
};

template <>
struct EnumNames<KnnRatings::Options::Side> {
  static std::vector<std::pair<std::string, KnnRatings::Options::Side>> all() {
    return {{"users", KnnRatings::Options::Side::kUsers},
            {"items", KnnRatings::Options::Side::kItems}};
  }
};

template <>
struct EnumNames<KnnRatings::Options::Kind> {
  static std::vector<std::pair<std::string, KnnRatings::Options::Kind>> all() {
    return {{"plain", KnnRatings::Options::Kind::kPlain},
            {"centred", KnnRatings::Options::Kind::kCentred},
            {"z_score", KnnRatings::Options::Kind::kZScore},
            {"baseline", KnnRatings::Options::Kind::kBaseline}};
  }
};

template <>
struct EnumNames<KnnRatings::Options::Similarity> {
  static std::vector<std::pair<std::string, KnnRatings::Options::Similarity>> all() {
    return {{"cosine", KnnRatings::Options::Similarity::kCosine},
            {"msd", KnnRatings::Options::Similarity::kMsd},
            {"pearson", KnnRatings::Options::Similarity::kPearson},
            {"pearson_baseline", KnnRatings::Options::Similarity::kPearsonBaseline}};
  }
};

}  // namespace reckon
