#include "evaluation/calibrated.h"

#include <algorithm>

#include "evaluation/metrics.h"

namespace reckon {

namespace {
// Values nearer to each other than this are equal: their terms were added up in another order.
constexpr double kRounding = 1e-12;
}  // namespace

void Calibrated::Options::describe(Schema<Options>& schema) {
  schema.field("calibration", &Options::calibration)
      .must_be_in(0.0, 1.0)
      .doc("Weight of the categories against the scores; 0 leaves the order as it is.");
}

Calibrated::Calibrated(const Options& options, const Deps& deps)
    : options_(options), categories_(require_categories(deps)) {}

std::vector<size_t> Calibrated::choose(const RerankRequest& request, size_t length) const {
  const auto count = request.items.size();
  length = std::min(length, count);
  std::vector<size_t> list;
  const auto wanted = categories_->shares(request.history);
  if (std::all_of(wanted.begin(), wanted.end(), [](double share) { return share == 0.0; })) {
    fill_as_ranked(list, count, length);
    return list;
  }
  std::vector<double> sums(wanted.size(), 0.0);  // of the shares of the list's items
  double num_listed = 0.0;                       // of them those that have a category
  const auto term = [&](size_t g, double sum, double total) {
    return miscalibration_term(wanted[g], total > 0.0 ? sum / total : 0.0);
  };
  const auto divergence = [&](double total) {
    double all = 0.0;
    for (size_t g = 0; g < wanted.size(); ++g) all += term(g, sums[g], total);
    return all;
  };
  std::vector<uint8_t> is_chosen(count, 0);
  while (list.size() < length) {
    // Of the list as it is, and as it would be with an item of categories that nobody asked for.
    const double as_it_is = divergence(num_listed), beside = divergence(num_listed + 1.0);
    size_t best = count;
    double highest = 0.0;
    for (size_t i = 0; i < count; ++i) {
      if (is_chosen[i] != 0) continue;
      const auto own = categories_->of(request.items[i]);
      double with = own.empty() ? as_it_is : beside;
      for (const auto category : own) {
        const auto g = static_cast<size_t>(category);
        const double share = 1.0 / static_cast<double>(own.size());
        with += term(g, sums[g] + share, num_listed + 1.0) - term(g, sums[g], num_listed + 1.0);
      }
      // What was chosen before adds the same relevance to each candidate.
      const double value =
          (1.0 - options_.calibration) * request.relevance[i] - options_.calibration * with;
      if (best == count || value > highest + kRounding) {
        best = i;
        highest = value;
      }
    }
    const auto own = categories_->of(request.items[best]);
    for (const auto category : own)
      sums[static_cast<size_t>(category)] += 1.0 / static_cast<double>(own.size());
    num_listed += own.empty() ? 0.0 : 1.0;
    is_chosen[best] = 1;
    list.push_back(best);
  }
  return list;
}

}  // namespace reckon
