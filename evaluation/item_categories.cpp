#include "evaluation/item_categories.h"

#include <torch/types.h>

#include <algorithm>
#include <unordered_map>

#include "core/diagnostics.h"

namespace reckon {

void CategoryOptions::describe(Schema<CategoryOptions>& schema) {
  schema.field("column", &CategoryOptions::column)
      .required()
      .non_empty()
      .doc(
          "Column of the table of items that names the categories; data.files.items.display keeps "
          "it.");
  schema.field("separator", &CategoryOptions::separator)
      .non_empty()
      .doc("What stands between two categories of an item.");
}

ItemCategories::ItemCategories(const std::vector<TableColumn>* columns,
                               const CategoryOptions& options, int64_t num_items) {
  std::vector<std::string> known;
  const TableColumn* found = nullptr;
  if (columns != nullptr)
    for (const auto& column : *columns) {
      known.push_back(column.name);
      if (column.name == options.column) found = &column;
    }
  if (found == nullptr)
    throw ConfigError({{{"evaluation"},
                        "categories.column: the items have no column '" + options.column + "'",
                        known.empty() ? "give the table of items with data.files.items"
                                      : suggest(options.column, known)}});
  TORCH_CHECK(static_cast<int64_t>(found->values.size()) == num_items, "categories: expected ",
              num_items, " cells, got ", found->values.size());
  const auto& separator = options.separator;
  std::unordered_map<std::string, int32_t> ids;
  for (const auto& cell : found->values) {
    const auto first = static_cast<std::ptrdiff_t>(categories_.size());
    for (size_t begin = 0; begin < cell.size();) {
      const auto end = std::min(cell.find(separator, begin), cell.size());
      if (end > begin) {
        const auto [entry, is_new] = ids.emplace(cell.substr(begin, end - begin), count_);
        if (is_new) ++count_;
        categories_.push_back(entry->second);
      }
      begin = end + separator.size();
    }
    std::sort(categories_.begin() + first, categories_.end());
    categories_.erase(std::unique(categories_.begin() + first, categories_.end()),
                      categories_.end());
    offsets_.push_back(categories_.size());
  }
}

template <class Id>
std::vector<double> ItemCategories::shares_of(std::span<const Id> items) const {
  std::vector<double> shares(static_cast<size_t>(count_), 0.0);
  double total = 0.0;
  for (const auto item : items) {
    if (item < 0) continue;
    const auto own = of(item);
    if (own.empty()) continue;
    total += 1.0;
    for (const auto category : own)
      shares[static_cast<size_t>(category)] += 1.0 / static_cast<double>(own.size());
  }
  if (total > 0.0)
    for (auto& share : shares) share /= total;
  return shares;
}

template std::vector<double> ItemCategories::shares_of(std::span<const int32_t>) const;
template std::vector<double> ItemCategories::shares_of(std::span<const int64_t>) const;

}  // namespace reckon
