#pragma once

#include "models/item_weights.h"

namespace reckon {

/// Graph filters in closed form (GF-CF: Shen et al., How powerful is graph convolution for
/// recommendation?, CIKM 2021): a linear low-pass filter and an ideal one.
///
///   A = D_U^-1/2 X D_I^-1/2,  V its `factors` largest right singular vectors
///   score(u) = x_u A^T A + alpha x_u D_I^-1/2 V V^T D_I^1/2
///
/// The diagonal of A^T A, which speaks of what a user has already, is left out. Of each row of A^T A
/// the `neighbors` largest elements are kept.
class GfCf : public Model, public Fittable {
 public:
  struct Options {
    double alpha = 0.3;
    int64_t factors = 256;
    int64_t iterations = 6;
    int64_t neighbors = 0;
    static void describe(Schema<Options>& schema);
  };

  GfCf(const Options& options, const Deps& deps);

  double fit(const Interactions& train, const Context& context) override;

  RequestNeeds request_needs() const override { return weights_->request_needs(); }
  Contract contract() const override { return {.new_user_with_history = true}; }
  int64_t num_items() const override { return weights_->num_items(); }
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override;
  void check_buffers() const override;
  Fittable* fittable() override { return this; }

 private:
  Options options_;
  ItemWeights weights_;
  torch::Tensor inputs_;   // [I, D], rows of D_I^-1/2 V
  torch::Tensor outputs_;  // [I, D], rows of alpha D_I^1/2 V
};

}  // namespace reckon
