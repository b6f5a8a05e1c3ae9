#pragma once

#include "evaluation/item_similarity.h"
#include "evaluation/reranker.h"

namespace reckon {

/// Maximal marginal relevance: each place takes the candidate with the highest
///
///   (1 - diversity) relevance(i) - diversity max_{j chosen} cos(i, j)
///
/// (Carbonell and Goldstein, SIGIR 1998, whose lambda is 1 - diversity); of equal ones the better
/// ranked. The first place is the best ranked item's. Each step compares the item that was chosen last
/// with all candidates and nothing else: O(length x candidates x D).
class Mmr : public Reranker {
 public:
  struct Options {
    double diversity = 0.3;
    ItemSimilarity::Kind similarity = ItemSimilarity::Kind::kVectors;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   ConfigError when there is nothing to compare items by.
  Mmr(const Options& options, const Deps& deps);
  std::vector<size_t> choose(const RerankRequest& request, size_t length) const override;

 private:
  Options options_;
  ItemSimilarity similarity_;
};

}  // namespace reckon
