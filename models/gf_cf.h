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
class GfCf : public ItemWeightsModel {
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

  State encode(const Batch& request) override;
  torch::Tensor score_all(const State& state) override;
  void check_buffers() const override;

 protected:
  torch::Tensor summands(const State& state, const torch::Tensor& items) const override;

 private:
  Options options_;
  torch::Tensor inputs_;   // [I, D], rows of D_I^-1/2 V
  torch::Tensor outputs_;  // [I, D], rows of alpha D_I^1/2 V
};

}  // namespace reckon
