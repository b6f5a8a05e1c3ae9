#include "evaluation/popularity_discount.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace reckon {

void PopularityDiscount::Options::describe(Schema<Options>& schema) {
  schema.field("discount", &Options::discount)
      .at_least(0.0)
      .doc("What the most popular item loses, in units of the scores' range; 0 keeps the order.");
}

PopularityDiscount::PopularityDiscount(const Options& options, const Deps& deps) {
  TORCH_CHECK(deps.item_counts.defined() && deps.item_counts.numel() == deps.num_items,
              "popularity_discount: expected item counts [", deps.num_items, "]");
  const auto counts = deps.item_counts.to(torch::kInt64).contiguous();  // [I]
  const int64_t* count = counts.const_data_ptr<int64_t>();
  int64_t largest = 1;
  for (int64_t i = 0; i < deps.num_items; ++i) largest = std::max(largest, count[i]);
  for (int64_t i = 0; i < deps.num_items; ++i)
    discounts_.push_back(options.discount * std::log1p(static_cast<double>(count[i])) /
                         std::log1p(static_cast<double>(largest)));
}

std::vector<size_t> PopularityDiscount::choose(const RerankRequest& request, size_t length) const {
  std::vector<double> values;
  values.reserve(request.items.size());
  for (size_t i = 0; i < request.items.size(); ++i)
    values.push_back(request.relevance[i] - discounts_[static_cast<size_t>(request.items[i])]);
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] > values[b]; });
  order.resize(std::min(order.size(), length));
  return order;
}

}  // namespace reckon
