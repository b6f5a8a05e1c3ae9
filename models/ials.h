#pragma once

#include "core/schema.h"
#include "kernels/sparse_rows.h"
#include "models/model.h"

namespace reckon {

/// Matrix factorisation by alternating least squares.
///
/// Of what happened alone (Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback
/// Datasets", ICDM 2008), over all users u and items i, with the confidence c = 1 + alpha * w of a pair
/// whose interactions weigh w together and p = 1 where there are any, else 0:
///
///   minimise  sum_ui c_ui (p_ui - <x_u, y_i>)^2 + sum_u l_u |x_u|^2 + sum_i l_i |y_i|^2
///
/// Of ratings (Zhou, Wilkinson, Schreiber, Pan, "Large-scale Parallel Collaborative Filtering for the
/// Netflix Prize", AAIM 2008): the sum goes over the pairs that were rated, c = 1 and p is the rating less
/// the mean of all.
///
/// A round solves for all users and then for all items. Who has no vector is served by the same formula:
/// the vector that least squares give a history of items, each weighing one.
class Ials : public Model, public Fittable {
 public:
  enum class Solver { kCg, kCholesky };
  enum class Ratings { kIgnored, kConfidence, kTarget };

  struct Options {
    int64_t dim = 64;
    int64_t iterations = 15;
    double alpha = 40.0;
    double regularization = 10.0;
    bool per_interaction = false;
    Ratings ratings = Ratings::kIgnored;
    Solver solver = Solver::kCg;
    int64_t cg_steps = 3;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   ConfigError when ratings are asked for that the data does not have.
  Ials(const Options& options, const Deps& deps);

  int64_t num_rounds() const override { return options_.iterations; }
  /// Returns  what is minimised, divided by the number of training interactions.
  /// Throws   std::invalid_argument at a negative rating that should be a confidence.
  double fit(const Interactions& train, const Context& context) override;

  RequestNeeds request_needs() const override;
  Contract contract() const override;
  int64_t num_items() const override { return items_.size(0); }
  torch::Tensor known_users(const torch::Tensor& users) override;
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  std::optional<Factors> factors() override;
  torch::Tensor queries(const State& state) override;
  std::optional<torch::Tensor> item_vectors() override { return items_; }
  std::optional<torch::Tensor> user_vectors() override { return users_; }
  /// Of what happened alone: share of an item j of the history in the score of i, with W the inverse of the
  /// history's own system, y_i^T W c_j y_j (section 5 of the paper). The rest of a known user is what the
  /// stored vector says beside that; a new user has none.
  std::optional<Explains> explains() const override;
  Explanation contributions(const Batch& request, const torch::Tensor& items) override;
  Fittable* fittable() override { return this; }

 private:
  bool learns_ratings() const { return options_.ratings == Ratings::kTarget; }
  void read(const Interactions& train);
  void solve(const SparseRows& matrix, const torch::Tensor& fixed, const torch::Tensor& rows);
  double loss() const;
  // The factor by Cholesky of the least squares of histories [B, T].   Shapes  -> [B, D, D]
  torch::Tensor factor_of(const torch::Tensor& history) const;
  // Vectors of histories [B, T] by least squares.   Shapes  -> [B, D]
  torch::Tensor fold_in(const torch::Tensor& history);

  Options options_;
  torch::Tensor users_;           // [U, D]
  torch::Tensor items_;           // [I, D]
  torch::Tensor gram_;            // [D, D], of items_
  torch::Tensor mean_;            // [] of the ratings, where they are learnt
  torch::Tensor known_;           // [U] bool
  SparseRows by_user_, by_item_;  // the training interactions, once a fit has begun
};

template <>
struct EnumNames<Ials::Solver> {
  static std::vector<std::pair<std::string, Ials::Solver>> all() {
    return {{"cg", Ials::Solver::kCg}, {"cholesky", Ials::Solver::kCholesky}};
  }
};

template <>
struct EnumNames<Ials::Ratings> {
  static std::vector<std::pair<std::string, Ials::Ratings>> all() {
    return {{"ignored", Ials::Ratings::kIgnored},
            {"confidence", Ials::Ratings::kConfidence},
            {"target", Ials::Ratings::kTarget}};
  }
};

}  // namespace reckon
