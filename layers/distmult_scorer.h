#pragma once

#include "layers/triple_scorer.h"

namespace reckon {

/// A relation weighs the factors of an inner product (DistMult: Yang, Yih, He, Gao, Deng, "Embedding
/// Entities and Relations for Learning and Inference in Knowledge Bases", ICLR 2015).
///
///   score = sum_d h_d r_d t_d
/// Symmetric in h and t. With `normalize`, h and t are divided by their lengths, as in the paper.
class DistmultScorer : public TripleScorer {
 public:
  struct Options {
    bool normalize = true;
    static void describe(Schema<Options>& schema);
  };

  DistmultScorer(const Options& options, const Deps& deps);
  torch::Tensor forward(const torch::Tensor& heads, const torch::Tensor& relations,
                        const torch::Tensor& tails) override;

 private:
  Options options_;
  torch::Tensor relations_;  // [R, D]
};

}  // namespace reckon
