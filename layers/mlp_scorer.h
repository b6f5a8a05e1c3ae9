#pragma once

#include <torch/nn/modules/linear.h>

#include <vector>

#include "layers/mlp.h"
#include "layers/scorer.h"

namespace reckon {

/// A network over user state, item vector and, with `product`, their element-wise product (He et al.,
/// "Neural Collaborative Filtering", WWW 2017, joins the same three).
///
///   score = w' mlp([u, i, u * i])
/// The first layer is linear in the three parts and is applied to each alone, so that a user's part
/// is not repeated for every candidate.
class MlpScorer : public Scorer {
 public:
  struct Options {
    std::vector<int64_t> hidden_units = {64};
    Activation activation = Activation::kRelu;
    double dropout = 0.0;
    bool product = true;
    static void describe(Schema<Options>& schema);
  };

  MlpScorer(const Options& options, const Deps& deps);
  torch::Tensor forward(const ScorerSide& users, const ScorerSide& items) override;

 private:
  Options options_;
  torch::nn::Linear user_{nullptr};
  torch::nn::Linear item_{nullptr};
  torch::nn::Linear product_{nullptr};
  Mlp tower_{nullptr};  // hidden layers behind the first, if there are any
  torch::nn::Linear output_{nullptr};
};

}  // namespace reckon
