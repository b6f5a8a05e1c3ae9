#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "datasets/data_options.h"
#include "datasets/rows.h"

namespace reckon {

/// Rows by user, then time, ties in file order.
struct RowOrder {
  std::vector<int64_t> user_offsets;  ///< [U + 1]
  std::vector<int32_t> rows;          ///< Indices into Rows.
};

/// Removes the rows of items that are not among `items`, given by their raw ids.
int64_t remove_other_items(const Rows& rows, const std::unordered_set<std::string>& items,
                           std::vector<uint8_t>& is_kept);

/// Makes of pairs of users what recommends them to each other: ids of both columns become the same, and
/// row r + n is row r the other way round, n being how many are left. Pairs of one with itself go, and
/// those that stood there before in either direction; both are counted.
std::vector<CleaningStep> pair_up(Rows& rows);

/// Orders the rows that `is_kept` flags.
RowOrder order_rows(const Rows& rows, const std::vector<uint8_t>& is_kept);

/// Takes the rows that `is_kept` no longer flags out of an order.
void drop_rows(RowOrder& order, const std::vector<uint8_t>& is_kept);

/// Removes repetitions of a user's item (and kind of event) within files of one role.
///
/// kKeepFirst and kKeepLast keep the first or last in time; kMerge keeps the last, whose weight
/// becomes the sum of all their weights (where the data has none, of ones).
int64_t remove_duplicates(Rows& rows, const RowOrder& order, CleaningOptions::Duplicates policy,
                          std::vector<uint8_t>& is_kept);

/// Removes, once, the rows of users and items whose number of rows is outside the ranges; both are
/// counted before anything is removed.
int64_t remove_by_counts(const Rows& rows, const CountOptions& counts,
                         std::vector<uint8_t>& is_kept);

/// Removes users and items with too few rows until none is left (k-core). `num_rounds` is how many
/// passes that took.
int64_t remove_outside_core(const Rows& rows, const CoreOptions& core,
                            std::vector<uint8_t>& is_kept, int64_t& num_rounds);

}  // namespace reckon
