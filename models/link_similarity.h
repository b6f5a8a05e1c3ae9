#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/item_weights.h"

namespace reckon {

/// Who may know whom, from the graph of who does: A of mutual interactions, N(u) the neighbours of u.
///
///   common_neighbours  |N(u) and N(v)|                                 = (A^2)_uv
///   adamic_adar        sum over z in N(u) and N(v) of 1 / log |N(z)|
///   katz               sum over l = 1 ... length of beta^l (A^l)_uv
///
/// (Liben-Nowell, Kleinberg, "The link-prediction problem for social networks", CIKM 2003; Adamic, Adar,
/// Social Networks 2003; Katz, Psychometrika 1953). Each is a sum over those whom u knows, and so of weights
/// of their rows. Histories of mutual data begin with the user, whose own row is made for that: the scores
/// of all whom u does not know yet are those above. Who comes with a list of people and no row of its own is
/// scored by the same rows; of katz, walks of length l then count beta^l less nearly beta^(l + 1).
class LinkSimilarity : public ItemWeightsModel {
 public:
  enum class Measure { kCommonNeighbours, kAdamicAdar, kKatz };

  struct Options {
    Measure measure = Measure::kCommonNeighbours;
    double beta = 0.005;
    int64_t length = 4;
    int64_t neighbors = 0;
    static void describe(Schema<Options>& schema);
  };

  /// Throws   ConfigError when users and items of the data are not the same.
  LinkSimilarity(const Options& options, const Deps& deps);

  double fit(const Interactions& train, const Context& context) override;

 private:
  // What each row is worth to all others, but for itself.
  std::vector<SparseElement> of_neighbours(const SparseRows& links, int64_t row) const;
  std::vector<SparseElement> of_walks(const SparseRows& links, int64_t row) const;

  Options options_;
};

template <>
struct EnumNames<LinkSimilarity::Measure> {
  static std::vector<std::pair<std::string, LinkSimilarity::Measure>> all() {
    return {{"common_neighbours", LinkSimilarity::Measure::kCommonNeighbours},
            {"adamic_adar", LinkSimilarity::Measure::kAdamicAdar},
            {"katz", LinkSimilarity::Measure::kKatz}};
  }
};

}  // namespace reckon
