#pragma once

#include <torch/types.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"
#include "evaluation/reranker.h"

namespace reckon {

/// How alike two items are, for lists of items that are unlike.
class ItemSimilarity {
 public:
  enum class Kind { kVectors, kCategories };

  /// Throws   ConfigError when the model has no vectors, or the config names no categories.
  ItemSimilarity(Kind kind, const Reranker::Deps& deps);

  /// The cosine of `item` with each of `others`: of the model's item vectors, or of the items' sets of
  /// categories, |A n B| / sqrt(|A| |B|). A zero vector and an empty set are at 0 from all.
  void cosines(int64_t item, std::span<const int64_t> others, std::span<double> out) const;

 private:
  torch::Tensor vectors_;                             // [I, D], undefined for categories
  std::shared_ptr<const ItemCategories> categories_;  // null for vectors
};

template <>
struct EnumNames<ItemSimilarity::Kind> {
  static std::vector<std::pair<std::string, ItemSimilarity::Kind>> all() {
    return {{"vectors", ItemSimilarity::Kind::kVectors},
            {"categories", ItemSimilarity::Kind::kCategories}};
  }
};

}  // namespace reckon
