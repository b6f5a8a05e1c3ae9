#include "evaluation/category_caps.h"

#include <algorithm>

namespace reckon {

void CategoryCaps::Options::describe(Schema<Options>& schema) {
  schema.field("at_most", &Options::at_most)
      .positive()
      .doc("Items of one category in a list, which ends where the candidates have no other.");
}

CategoryCaps::CategoryCaps(const Options& options, const Deps& deps)
    : options_(options), categories_(require_categories(deps)) {}

std::vector<size_t> CategoryCaps::choose(const RerankRequest& request, size_t length) const {
  std::vector<int64_t> taken(static_cast<size_t>(categories_->count()), 0);
  std::vector<size_t> list;
  for (size_t i = 0; i < request.items.size() && list.size() < length; ++i) {
    const auto own = categories_->of(request.items[i]);
    const bool is_full = std::any_of(own.begin(), own.end(), [&](int32_t category) {
      return taken[static_cast<size_t>(category)] >= options_.at_most;
    });
    if (is_full) continue;
    for (const auto category : own) ++taken[static_cast<size_t>(category)];
    list.push_back(i);
  }
  return list;
}

}  // namespace reckon
