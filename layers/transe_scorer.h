#pragma once

#include "layers/triple_scorer.h"

namespace reckon {

/// A relation moves the head to the tail (TransE: Bordes, Usunier, Garcia-Duran, Weston, Yakhnenko,
/// "Translating Embeddings for Modeling Multi-relational Data", NeurIPS 2013).
///
///   score = -|h + r - t|, in the first or second norm
/// With `normalize`, h and t are divided by their lengths: the paper keeps entities on the unit sphere.
class TranseScorer : public TripleScorer {
 public:
  struct Options {
    int64_t norm = 2;
    bool normalize = true;
    static void describe(Schema<Options>& schema);
  };

  TranseScorer(const Options& options, const Deps& deps);
  torch::Tensor forward(const torch::Tensor& heads, const torch::Tensor& relations,
                        const torch::Tensor& tails) override;

 private:
  Options options_;
  torch::Tensor relations_;  // [R, D]
};

}  // namespace reckon
