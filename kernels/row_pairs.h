#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

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

namespace row_pairs_detail {

// Rows that a thread takes at a time: rows of much work lie beside each other in many files.
inline constexpr int64_t kBlock = 32;

struct Found {
  std::vector<int64_t> counts;
  std::vector<int32_t> columns;
  std::vector<float> values;
};

struct Candidate {
  float value;
  int32_t row;
};

// Keeps the k largest, ties by the lower row, and puts them in the order of rows.
inline void keep_largest(std::vector<Candidate>& all, int64_t k) {
  if (k > 0 && static_cast<int64_t>(all.size()) > k) {
    std::nth_element(all.begin(), all.begin() + k, all.end(),
                     [](const Candidate& a, const Candidate& b) {
                       return a.value != b.value ? a.value > b.value : a.row < b.row;
                     });
    all.resize(static_cast<size_t>(k));
  }
  std::sort(all.begin(), all.end(),
            [](const Candidate& a, const Candidate& b) { return a.row < b.row; });
}

SparseRows join(std::vector<Found>& blocks);

}  // namespace row_pairs_detail

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
  using namespace row_pairs_detail;
  const int64_t num_rows = rows.num_rows();
  const int64_t num_blocks = (num_rows + kBlock - 1) / kBlock;
  const auto* row_offset = rows.offsets.const_data_ptr<int64_t>();
  const auto* row_column = rows.columns.const_data_ptr<int32_t>();
  const auto* row_value = rows.values.const_data_ptr<float>();
  const auto* column_offset = columns.offsets.const_data_ptr<int64_t>();
  const auto* column_row = columns.columns.const_data_ptr<int32_t>();
  const auto* column_value = columns.values.const_data_ptr<float>();
  std::vector<Found> blocks(static_cast<size_t>(num_blocks));
  std::atomic<int64_t> next{0};
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
    std::vector<Sums> sums(static_cast<size_t>(num_rows));
    std::vector<int32_t> touched(static_cast<size_t>(num_rows) + 1);
    std::vector<Candidate> candidates;
    for (int64_t block = next++; block < num_blocks; block = next++) {
      auto& found = blocks[static_cast<size_t>(block)];
      for (int64_t r = block * kBlock; r < std::min(num_rows, (block + 1) * kBlock); ++r) {
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
        candidates.clear();
        for (int64_t t = 0; t < num_touched; ++t) {
          const int32_t other = touched[static_cast<size_t>(t)];
          auto& sum = sums[static_cast<size_t>(other)];
          if (other != r) {
            const float value = similarity(r, other, sum);
            if (value > 0.0f) candidates.push_back({value, other});
          }
          sum = Sums{};
        }
        keep_largest(candidates, k);
        found.counts.push_back(static_cast<int64_t>(candidates.size()));
        for (const auto& candidate : candidates) {
          found.columns.push_back(candidate.row);
          found.values.push_back(candidate.value);
        }
      }
    }
  });
  return join(blocks);
}

}  // namespace reckon
