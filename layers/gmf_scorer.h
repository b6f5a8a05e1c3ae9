#pragma once

#include "layers/scorer.h"

namespace reckon {

/// Generalised matrix factorisation (He, Liao, Zhang, Nie, Hu, Chua, "Neural Collaborative Filtering",
/// WWW 2017): an inner product in which each factor has a trained weight.
///
///   score = sum_d w[d] u[d] i[d]
class GmfScorer : public Scorer {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };

  GmfScorer(const Options& options, const Deps& deps);
  torch::Tensor forward(const ScorerSide& users, const ScorerSide& items) override;
  bool is_inner_product() const override { return true; }
  torch::Tensor query_form(const ScorerSide& users) override;
  InnerProduct item_form(const ScorerSide& items) override;

 private:
  torch::Tensor weight_;  // [D]
};

}  // namespace reckon
