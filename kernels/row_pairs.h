#pragma once

#include <cstdint>
#include <vector>

#include "kernels/shared_parts.h"
#include "kernels/sparse_rows.h"

namespace reckon {

/// How many columns two rows have in common, and the sum of the products there.
struct PairProduct {
  int32_t count = 0;
  float product = 0.0f;

  void add(float a, float b) {
    ++count;
    product += a * b;
  }
};

/// The same with all sums of first and second degree over the common columns: `own` of the row that
/// is asked for, `other` of the one that it is compared with.
struct PairMoments {
  int32_t count = 0;
  float product = 0.0f;
  float own = 0.0f, other = 0.0f;
  float own_squares = 0.0f, other_squares = 0.0f;

  void add(float a, float b) {
    ++count;
    product += a * b;
    own += a;
    other += b;
    own_squares += a * a;
    other_squares += b * b;
  }
};

/// For each row of a sparse matrix the `k` other rows that are most similar to it (0: all), as a sparse
/// matrix of rows by rows.
///
/// Two rows are compared when they have a column in common: similarity(row, other, Sums) gives a
/// number, and what is above zero is kept, ties by the lower row. Columns of the result ascend.
/// Work is the sum over columns of (elements of the column)^2; memory is the result, and one Sums for
/// each row and thread. Threads take blocks of rows in any order, which does not show in the result.
///
/// `columns` is transpose(rows).
template <class Sums, class Similarity>
SparseRows most_similar_rows(const SparseRows& rows, const SparseRows& columns, int64_t k,
                             const Similarity& similarity) {
  // Rows that a thread takes at a time: rows of much work lie beside each other in many files.
  constexpr int64_t kRowsAtOnce = 32;
  const int64_t num_rows = rows.num_rows();
  const auto* row_offset = rows.offsets.const_data_ptr<int64_t>();
  const auto* row_column = rows.columns.const_data_ptr<int32_t>();
  const auto* row_value = rows.values.const_data_ptr<float>();
  const auto* column_offset = columns.offsets.const_data_ptr<int64_t>();
  const auto* column_row = columns.columns.const_data_ptr<int32_t>();
  const auto* column_value = columns.values.const_data_ptr<float>();
  std::vector<RowBlock> blocks(static_cast<size_t>((num_rows + kRowsAtOnce - 1) / kRowsAtOnce));
  share_parts(num_rows, kRowsAtOnce, [&](SharedParts& parts) {
    std::vector<Sums> sums(static_cast<size_t>(num_rows));
    std::vector<int32_t> touched(static_cast<size_t>(num_rows) + 1);
    std::vector<SparseElement> similar;
    for (int64_t begin, end; parts.take(begin, end);) {
      auto& block = blocks[static_cast<size_t>(begin / kRowsAtOnce)];
      for (int64_t r = begin; r < end; ++r) {
        int64_t num_touched = 0;
        for (int64_t p = row_offset[r]; p < row_offset[r + 1]; ++p) {
          const float own = row_value[p];
          const int64_t column = row_column[p], stop = column_offset[column + 1];
          for (int64_t q = column_offset[column]; q < stop; ++q) {
            auto& sum = sums[static_cast<size_t>(column_row[q])];
            touched[static_cast<size_t>(num_touched)] = column_row[q];
            num_touched += sum.count == 0 ? 1 : 0;
            sum.add(own, column_value[q]);
          }
        }
        similar.clear();
        for (int64_t t = 0; t < num_touched; ++t) {
          const int32_t other = touched[static_cast<size_t>(t)];
          auto& sum = sums[static_cast<size_t>(other)];
          if (other != r) {
            const float value = similarity(r, other, sum);
            if (value > 0.0f) similar.push_back({value, other});
          }
          sum = Sums{};
        }
        keep_largest(similar, k);
        block.add(similar);
      }
    }
  });
  return join_blocks(blocks);
}

}  // namespace reckon
