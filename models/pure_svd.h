#pragma once

#include "models/model.h"

namespace reckon {

/// Matrix factorisation with zeros where nothing is known: the truncated singular value decomposition
/// of users by items (PureSVD, Cremonesi, Koren, Turrin, RecSys 2010).
///
/// score(u, j) = <sum over the items i of u of V[i], V[j]>, V the right singular vectors
///
/// so that every history folds in, known user or not.
class PureSvd : public Model, public Fittable {
 public:
  struct Options {
    int64_t factors = 64;
    int64_t iterations = 6;
    static void describe(Schema<Options>& schema);
  };

  PureSvd(const Options& options, const Deps& deps);

  double fit(const Interactions& train, const Context& context) override;

  RequestNeeds request_needs() const override {
    return {.max_length = RequestNeeds::kWholeHistory};
  }
  Contract contract() const override { return {.new_user_with_history = true}; }
  int64_t num_items() const override { return num_items_; }
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  std::optional<Factors> factors() override { return Factors{.items = vectors_, .item_bias = {}}; }
  torch::Tensor queries(const State& state) override;
  std::optional<torch::Tensor> item_vectors() override { return vectors_; }
  std::optional<Explains> explains() const override { return Explains{}; }
  Explanation contributions(const Batch& request, const torch::Tensor& items) override;
  void check_buffers() const override;
  Fittable* fittable() override { return this; }

 private:
  Options options_;
  int64_t num_items_;
  torch::Tensor vectors_;  // [I, D]
};

}  // namespace reckon
