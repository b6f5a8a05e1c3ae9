#include "models/motif_channels.h"

#include <algorithm>
#include <vector>

#include "kernels/row_pairs.h"

namespace reckon {

namespace {

// Rows of a matrix whose columns ascend.
class SortedRows {
 public:
  explicit SortedRows(const SparseRows& matrix)
      : offset_(matrix.offsets.const_data_ptr<int64_t>()),
        column_(matrix.columns.const_data_ptr<int32_t>()) {}

  const int32_t* begin(int64_t row) const { return column_ + offset_[row]; }
  const int32_t* end(int64_t row) const { return column_ + offset_[row + 1]; }
  bool holds(int64_t row, int64_t column) const {
    return std::binary_search(begin(row), end(row), static_cast<int32_t>(column));
  }
  int64_t num_common(int64_t row, int64_t other) const {
    int64_t count = 0;
    const auto *a = begin(row), *b = begin(other);
    while (a < end(row) && b < end(other)) {
      count += *a == *b ? 1 : 0;
      const bool moves_a = *a <= *b, moves_b = *b <= *a;
      a += moves_a ? 1 : 0;
      b += moves_b ? 1 : 0;
    }
    return count;
  }

 private:
  const int64_t* offset_;
  const int32_t* column_;
};

// A row of a sum, of elements above zero that come in any order.
class RowSum {
 public:
  explicit RowSum(int64_t num_columns) : sums_(static_cast<size_t>(num_columns)) {}

  void add(int32_t column, float value) {
    auto& sum = sums_[static_cast<size_t>(column)];
    if (sum == 0.0F) touched_.push_back(column);
    sum += value;
  }
  float at(int32_t column) const { return sums_[static_cast<size_t>(column)]; }
  const std::vector<int32_t>& in_order() {
    std::sort(touched_.begin(), touched_.end());
    return touched_;
  }
  void clear() {
    for (const auto column : touched_) sums_[static_cast<size_t>(column)] = 0.0F;
    touched_.clear();
  }

 private:
  std::vector<float> sums_;
  std::vector<int32_t> touched_;
};

// Asks row by row for the elements, columns ascending.
template <class Fill>
SparseRows rows_by(int64_t num_rows, const Fill& fill) {
  std::vector<RowBlock> blocks(1);
  std::vector<SparseElement> row;
  for (int64_t r = 0; r < num_rows; ++r) {
    row.clear();
    fill(r, row);
    blocks[0].add(row);
  }
  return join_blocks(blocks);
}

// Calls visit(column, value) for each element of a row.
template <class Visit>
void for_row(const SparseRows& matrix, int64_t row, const Visit& visit) {
  const auto* offset = matrix.offsets.const_data_ptr<int64_t>();
  const auto* column = matrix.columns.const_data_ptr<int32_t>();
  const auto* value = matrix.values.const_data_ptr<float>();
  for (int64_t e = offset[row]; e < offset[row + 1]; ++e) visit(column[e], value[e]);
}

// (a b) * mask, with memory for the elements of the mask alone.
SparseRows product_where(const SparseRows& a, const SparseRows& b, const SparseRows& mask) {
  const int64_t num_users = mask.num_rows();
  const auto* masked = mask.offsets.const_data_ptr<int64_t>();
  RowSum sum(num_users);
  return rows_by(num_users, [&](int64_t r, std::vector<SparseElement>& row) {
    if (masked[r] == masked[r + 1]) return;
    for_row(a, r, [&](int32_t between, float own) {
      for_row(b, between, [&](int32_t column, float value) { sum.add(column, own * value); });
    });
    for_row(mask, r, [&](int32_t column, float value) {
      if (sum.at(column) > 0.0F) row.push_back({sum.at(column) * value, column});
    });
    sum.clear();
  });
}

// The sum of matrices of users by users.
SparseRows sum_of_matrices(int64_t num_users, const std::vector<SparseRows>& matrices) {
  RowSum sum(num_users);
  return rows_by(num_users, [&](int64_t r, std::vector<SparseElement>& row) {
    for (const auto& matrix : matrices)
      for_row(matrix, r, [&](int32_t column, float value) { sum.add(column, value); });
    for (const auto column : sum.in_order()) row.push_back({sum.at(column), column});
    sum.clear();
  });
}

// Friendships that are named both ways, or one way; nobody's with oneself.
SparseRows friends_that_are(bool mutual, const SparseRows& friends) {
  const SortedRows sorted(friends);
  return rows_by(friends.num_rows(), [&](int64_t r, std::vector<SparseElement>& row) {
    for (const auto* other = sorted.begin(r); other < sorted.end(r); ++other)
      if (*other != r && sorted.holds(*other, r) == mutual) row.push_back({1.0F, *other});
  });
}

// (R R^T) * mask.
SparseRows common_items_where(const SparseRows& mask, const SparseRows& interactions) {
  const SortedRows items(interactions);
  return rows_by(mask.num_rows(), [&](int64_t r, std::vector<SparseElement>& row) {
    for_row(mask, r, [&](int32_t other, float) {
      if (const auto count = items.num_common(r, other); count > 0)
        row.push_back({static_cast<float>(count), other});
    });
  });
}

SparseRows social_channel(const SparseRows& both, const SparseRows& one) {
  const int64_t num_users = both.num_rows();
  const auto back = transpose(one, num_users);
  auto terms =
      std::vector<SparseRows>{product_where(one, one, back),  // M1
                              product_where(both, one, back), product_where(one, both, back),
                              product_where(one, one, both),  // M2
                              product_where(both, both, one), product_where(both, one, both),
                              product_where(one, both, both),  // M3
                              product_where(one, one, one),   product_where(one, back, one),
                              product_where(back, one, one)};  // M5
  const auto num_turned = terms.size();
  for (size_t t = 0; t < num_turned; ++t) terms.push_back(transpose(terms[t], num_users));
  terms.push_back(product_where(both, both, both));  // M4
  terms.push_back(product_where(one, both, one));    // M6
  terms.push_back(product_where(both, back, back));
  terms.push_back(product_where(back, one, both));
  terms.push_back(product_where(back, both, back));  // M7
  terms.push_back(product_where(both, one, one));
  terms.push_back(product_where(one, back, both));
  return sum_of_matrices(num_users, terms);
}

}  // namespace

MotifChannels motif_channels(const SparseRows& friends, const SparseRows& interactions,
                             int64_t num_items, const MotifOptions& options) {
  const auto both = friends_that_are(true, friends), one = friends_that_are(false, friends);
  const auto of_one = common_items_where(one, interactions);
  const SortedRows known(friends);
  const auto stranger_worth = [&](int64_t user, int64_t other, const PairProduct& common) {
    const bool counts = common.count >= options.common_items && !known.holds(user, other) &&
                        !known.holds(other, user);
    return counts ? static_cast<float>(common.count) : 0.0F;
  };
  return {.social = social_channel(both, one),
          .joint =
              sum_of_matrices(friends.num_rows(), {common_items_where(both, interactions), of_one,
                                                   transpose(of_one, friends.num_rows())}),
          .purchase =
              most_similar_rows<PairProduct>(interactions, transpose(interactions, num_items),
                                             options.max_strangers, stranger_worth)};
}

}  // namespace reckon
