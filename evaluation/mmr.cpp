#include "evaluation/mmr.h"

#include <algorithm>
#include <limits>

namespace reckon {

void Mmr::Options::describe(Schema<Options>& schema) {
  schema.field("diversity", &Options::diversity)
      .must_be_in(0.0, 1.0)
      .doc("Weight of being unlike what is chosen; 0 leaves the order as it is.");
  schema.field("similarity", &Options::similarity)
      .doc("What makes items alike: the model's item vectors, or evaluation.categories.");
}

Mmr::Mmr(const Options& options, const Deps& deps)
    : options_(options), similarity_(options.similarity, deps) {}

std::vector<size_t> Mmr::choose(const RerankRequest& request, size_t length) const {
  const auto count = request.items.size();
  length = std::min(length, count);
  const double diversity = options_.diversity;
  std::vector<double> nearest(count, -std::numeric_limits<double>::infinity()), cosines(count);
  std::vector<uint8_t> is_chosen(count, 0);
  std::vector<size_t> list;
  while (list.size() < length) {
    size_t best = count;
    double highest = 0.0;
    for (size_t i = 0; i < count; ++i) {
      if (is_chosen[i] != 0) continue;
      const double value =
          (1.0 - diversity) * request.relevance[i] - (list.empty() ? 0.0 : diversity * nearest[i]);
      if (best == count || value > highest) {
        best = i;
        highest = value;
      }
    }
    is_chosen[best] = 1;
    list.push_back(best);
    if (list.size() == length) break;
    similarity_.cosines(request.items[best], request.items, cosines);
    for (size_t i = 0; i < count; ++i) nearest[i] = std::max(nearest[i], cosines[i]);
  }
  return list;
}

}  // namespace reckon
