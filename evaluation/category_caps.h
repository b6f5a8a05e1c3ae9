#pragma once

#include <memory>

#include "evaluation/reranker.h"

namespace reckon {

/// At most `at_most` items of each category in a list: candidates are taken in their order, and one
/// that would be too many of any of its categories is left out. Items without a category are never too
/// many. Where the candidates run out the list is shorter: a cap holds for lists of any length.
class CategoryCaps : public Reranker {
 public:
  struct Options {
    int64_t at_most = 3;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   ConfigError when the config names no categories.
  CategoryCaps(const Options& options, const Deps& deps);
  std::vector<size_t> choose(const RerankRequest& request, size_t length) const override;

 private:
  Options options_;
  std::shared_ptr<const ItemCategories> categories_;
};

}  // namespace reckon
