#pragma once

#include <optional>
#include <vector>

#include "layers/triple_scorer.h"

namespace reckon {

/// The place of each row when rows of one relation stand together, and how many each relation has.
struct GroupedRows {
  torch::Tensor order;    // [n] int64
  torch::Tensor inverse;  // [n] int64
  std::vector<int64_t> counts;
};

/// Shapes   relations [n] int64
GroupedRows grouped_by(const torch::Tensor& relations, int64_t num_relations);

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

  /// The vector of each relation.   Shapes   -> [R, K]
  const torch::Tensor& relation_vectors() const { return relations_; }

  /// Vectors in the spaces of relations, the first counts[0] of them in that of relation 0, and so on.
  /// Shapes   x [n, D] -> [n, K]
  torch::Tensor in_spaces(const torch::Tensor& x, const std::vector<int64_t>& counts) const;

 private:
  Options options_;
  torch::Tensor relations_;  // [R, K]
  torch::Tensor matrices_;   // [R, D, K]
};

}  // namespace reckon
