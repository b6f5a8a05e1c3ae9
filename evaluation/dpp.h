#pragma once

#include "evaluation/item_similarity.h"
#include "evaluation/reranker.h"

namespace reckon {

/// Greedy choice by a determinantal point process with the kernel
///
///   L_ij = q_i q_j S_ij,   q_i = exp(a relevance(i)),   a = w / (2 (1 - w)),
///   S_ij = (1 + cos(i, j)) / 2,   S_ii = 1
///
/// where w is the option `relevance`: each place takes the candidate that makes the determinant of L
/// over the list the largest (Chen, Zhang and Zhou, "Fast Greedy MAP Inference for Determinantal Point
/// Process to Improve Recommendation Diversity", NeurIPS 2018). Since log det L = 2 a sum relevance(i)
/// + log det S, that is the candidate with the highest
///
///   w relevance(i) + (1 - w) log d_i^2,   d_i^2 = det S(list + i) / det S(list)
///
/// and d_i is kept up to date by an incremental Cholesky factorisation: O(length x candidates x
/// (length + D)) in all. Of equal ones the better ranked is taken. Where every further item would make
/// the determinant zero, which happens behind D + 1 places at the latest, the rest follow as ranked.
class Dpp : public Reranker {
 public:
  struct Options {
    double relevance = 0.7;
    ItemSimilarity::Kind similarity = ItemSimilarity::Kind::kVectors;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   ConfigError when there is nothing to compare items by.
  Dpp(const Options& options, const Deps& deps);
  std::vector<size_t> choose(const RerankRequest& request, size_t length) const override;

 private:
  Options options_;
  ItemSimilarity similarity_;
};

}  // namespace reckon
