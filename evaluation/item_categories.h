#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/schema.h"
#include "datasets/table_column.h"

namespace reckon {

/// Where the categories of items stand.
struct CategoryOptions {
  std::string column;
  std::string separator = "|";
  static void describe(Schema<CategoryOptions>& schema);
};

/// What to say where something asks for categories that the config does not name, and the hint.
inline constexpr const char* kWithoutCategories =
    "looks at the categories of items, and evaluation.categories names none";
inline constexpr const char* kHowToNameCategories =
    "add `categories: {column: genres}`, with a column of the table of items";

/// The categories of each item, from a column of its table.
class ItemCategories {
 public:
  /// Cells are divided at the separator; an empty cell names no category, and one that is named twice
  /// counts once. `columns` may be null: there is no table then.
  /// Throws   ConfigError when there is no such column.
  ItemCategories(const std::vector<TableColumn>* columns, const CategoryOptions& options,
                 int64_t num_items);

  /// Ascending numbers in [0, count()).
  std::span<const int32_t> of(int64_t item) const {
    return {categories_.data() + offsets_[static_cast<size_t>(item)],
            categories_.data() + offsets_[static_cast<size_t>(item) + 1]};
  }
  int32_t count() const { return count_; }

  /// The mean over `items` of an even share for each category of an item. Items without a category, and
  /// negative ids, are left out; all zero when that leaves none.   Shapes  -> [count()]
  std::vector<double> shares(std::span<const int64_t> items) const { return shares_of(items); }
  std::vector<double> shares(std::span<const int32_t> items) const { return shares_of(items); }

 private:
  template <class Id>
  std::vector<double> shares_of(std::span<const Id> items) const;

  std::vector<size_t> offsets_ = {0};
  std::vector<int32_t> categories_;
  int32_t count_ = 0;
};

}  // namespace reckon
