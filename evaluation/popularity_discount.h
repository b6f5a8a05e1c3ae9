#pragma once

#include "evaluation/reranker.h"

namespace reckon {

/// Candidates ordered by
///
///   relevance(i) - discount log(1 + count_i) / log(1 + largest count of all items)
///
/// count_i being its training interactions; of equal ones the better ranked comes first.
class PopularityDiscount : public Reranker {
 public:
  struct Options {
    double discount = 0.2;
    static void describe(Schema<Options>& schema);
  };

  PopularityDiscount(const Options& options, const Deps& deps);
  std::vector<size_t> choose(const RerankRequest& request, size_t length) const override;

 private:
  std::vector<double> discounts_;  // [I]
};

}  // namespace reckon
