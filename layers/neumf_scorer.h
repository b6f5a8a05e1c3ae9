#pragma once

#include "layers/gmf_scorer.h"
#include "layers/mlp_scorer.h"

namespace reckon {

/// Neural matrix factorisation (He et al., "Neural Collaborative Filtering", WWW 2017): the sum of
/// generalised matrix factorisation and of a network, each over vectors of its own.
///
///   score = sum_d w[d] u_g[d] i_g[d] + v' mlp([u_m, i_m])
/// The two tables of a side are one of their joint width: its first gmf_width numbers are u_g (i_g),
/// the others u_m (i_m). The last layer over both parts is linear, hence the sum.
class NeumfScorer : public Scorer {
 public:
  struct Options {
    int64_t gmf_width = 0;
    std::vector<int64_t> hidden_units = {64, 32, 16};
    Activation activation = Activation::kRelu;
    double dropout = 0.0;
    static void describe(Schema<Options>& schema);
  };

  /// Throws std::invalid_argument when the width leaves one of the parts nothing.
  NeumfScorer(const Options& options, const Deps& deps);
  torch::Tensor forward(const ScorerSide& users, const ScorerSide& items) override;

 private:
  int64_t width_;
  int64_t gmf_width_;
  std::shared_ptr<GmfScorer> gmf_;
  std::shared_ptr<MlpScorer> mlp_;
};

}  // namespace reckon
