#pragma once

#include <optional>

#include "layers/triple_scorer.h"

namespace reckon {

/// TransE in a space of each relation's own (TransR: Lin, Liu, Sun, Liu, Zhu, "Learning Entity and
/// Relation Embeddings for Knowledge Graph Completion", AAAI 2015).
///
///   score = -|h M_r + r - t M_r|^2
/// With `normalize`, h, r, t and the two projections are divided by their lengths; the paper keeps them
/// at most one. Matrices begin as the identity, as in the paper.
/// Shapes   M_r [D, relation_dim]
class TransrScorer : public TripleScorer {
 public:
  struct Options {
    std::optional<int64_t> relation_dim;
    bool normalize = true;
    static void describe(Schema<Options>& schema);
  };

  TransrScorer(const Options& options, const Deps& deps);
  torch::Tensor forward(const torch::Tensor& heads, const torch::Tensor& relations,
                        const torch::Tensor& tails) override;

 private:
  Options options_;
  torch::Tensor relations_;  // [R, K]
  torch::Tensor matrices_;   // [R, D, K]
};

}  // namespace reckon
