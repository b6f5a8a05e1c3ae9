#pragma once

#include "models/item_weights.h"
#include "models/similarity.h"

namespace reckon {

/// Item-based neighbourhood: what is like what the user chose (Sarwar et al., WWW 2001; Deshpande,
/// Karypis, TOIS 2004).
///
/// score(u, j) = sum over the items i of u of similarity(i, j), where j is one of the `neighbors` most
/// similar items of i, or i one of those of j.
class ItemKnn : public ItemWeightsModel {
 public:
  /// Whose neighbours are counted.
  enum class NeighborsOf { kHistory, kCandidate };

  struct Options {
    int64_t neighbors = 200;
    NeighborsOf neighbors_of = NeighborsOf::kHistory;
    SimilarityOptions similarity;
    static void describe(Schema<Options>& schema);
  };

  ItemKnn(const Options& options, const Deps& deps);

  double fit(const Interactions& train, const Context& context) override;

 private:
  Options options_;
};

template <>
struct EnumNames<ItemKnn::NeighborsOf> {
  static std::vector<std::pair<std::string, ItemKnn::NeighborsOf>> all() {
    return {{"history", ItemKnn::NeighborsOf::kHistory},
            {"candidate", ItemKnn::NeighborsOf::kCandidate}};
  }
};

}  // namespace reckon
