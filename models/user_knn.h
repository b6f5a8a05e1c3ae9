#pragma once

#include "kernels/sparse_rows.h"
#include "models/model.h"
#include "models/similarity.h"

namespace reckon {

/// User-based neighbourhood: what those chose whose histories are like this one (Resnick et al., CSCW
/// 1994; for sets of items Breese, Heckerman, Kadie, UAI 1998).
///
/// score(history, j) = sum over the `neighbors` users v most similar to the history who have j of
/// similarity(history, v)
///
/// A history is compared when it is asked for, so that new users are served as known ones are; who
/// stands in the training data is a neighbour of its own history, which speaks only of what it has.
/// Histories have no ratings: measures and weightings are those of sets. The model, and so the file,
/// holds the items of every training user, without names.
class UserKnn : public Model, public Fittable {
 public:
  struct Options {
    int64_t neighbors = 200;
    SimilarityOptions similarity;
    static void describe(Schema<Options>& schema);
  };

  UserKnn(const Options& options, const Deps& deps);

  double fit(const Interactions& train, const Context& context) override;

  RequestNeeds request_needs() const override {
    return {.max_length = RequestNeeds::kWholeHistory};
  }
  Contract contract() const override { return {.new_user_with_history = true}; }
  int64_t num_items() const override { return num_items_; }
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;
  std::optional<Explains> explains() const override { return Explains{.by = Explains::By::kUsers}; }
  Explanation contributions(const Batch& request, const torch::Tensor& items) override;
  torch::Tensor usable(const Batch& request) override;
  void check_buffers() const override;
  Fittable* fittable() override { return this; }

 private:
  torch::Tensor similarities(const torch::Tensor& items) const;

  Options options_;
  int64_t num_users_;
  int64_t num_items_;
  torch::Tensor user_offsets_;  // [U + 1] int64
  torch::Tensor user_items_;    // [E] int32
  torch::Tensor item_offsets_;  // [I + 1] int64
  torch::Tensor item_users_;    // [E] int32
  torch::Tensor item_squares_;  // [I], what a common item adds to the product
  torch::Tensor user_squares_;  // [U], the same over all of a user's items
};

}  // namespace reckon
