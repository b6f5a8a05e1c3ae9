#include "evaluation/dpp.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace reckon {

namespace {
// Share of an item's own weight that is left beside the list, below which it is taken as within the
// list's span: rounding of float32 vectors.
constexpr double kNothingLeft = 1e-6;
}  // namespace

void Dpp::Options::describe(Schema<Options>& schema) {
  schema.field("relevance", &Options::relevance)
      .must_be_in(0.0, 1.0)
      .doc(
          "Weight of the scores against being unlike each other; 1 leaves the order as it is, 0 "
          "looks at likeness alone.");
  schema.field("similarity", &Options::similarity)
      .doc("What makes items alike: the model's item vectors, or evaluation.categories.");
}

Dpp::Dpp(const Options& options, const Deps& deps)
    : options_(options), similarity_(options.similarity, deps) {}

std::vector<size_t> Dpp::choose(const RerankRequest& request, size_t length) const {
  const auto count = request.items.size();
  length = std::min(length, count);
  const double weight = options_.relevance;
  std::vector<size_t> list;
  // There is no determinant that a weight of nothing could not outdo.
  if (weight == 1.0) {
    fill_as_ranked(list, count, length);
    return list;
  }
  // Rows of the Cholesky factor of S; the quality q_i only scales what is left of item i.
  std::vector<double> rows(count * length, 0.0), left(count, 1.0), cosines(count);
  std::vector<uint8_t> is_chosen(count, 0);
  while (list.size() < length) {
    size_t best = count;
    double highest = 0.0;
    for (size_t i = 0; i < count; ++i) {
      if (is_chosen[i] != 0 || left[i] < kNothingLeft) continue;
      const double value = weight * request.relevance[i] + (1.0 - weight) * std::log(left[i]);
      if (best == count || value > highest) {
        best = i;
        highest = value;
      }
    }
    if (best == count) break;
    const auto place = static_cast<std::ptrdiff_t>(list.size());
    is_chosen[best] = 1;
    list.push_back(best);
    if (list.size() == length) break;
    similarity_.cosines(request.items[best], request.items, cosines);
    const double root = std::sqrt(left[best]);
    const double* chosen = rows.data() + best * length;
    for (size_t i = 0; i < count; ++i) {
      if (is_chosen[i] != 0) continue;
      double* own = rows.data() + i * length;
      const double similarity = (1.0 + cosines[i]) / 2.0;
      own[place] = (similarity - std::inner_product(own, own + place, chosen, 0.0)) / root;
      left[i] -= own[place] * own[place];
    }
  }
  fill_as_ranked(list, count, length);
  return list;
}

}  // namespace reckon
