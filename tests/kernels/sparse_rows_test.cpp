#include "kernels/sparse_rows.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "core/ids.h"
#include "kernels/row_pairs.h"

namespace reckon::sparse_rows_test {
namespace {

// A random matrix of small whole numbers, so that sums are exact in any order.
torch::Tensor some_matrix(int64_t rows, int64_t columns, double share = 0.3) {
  return torch::randint(1, 5, {rows, columns}) *
         torch::rand({rows, columns}).lt(share).to(torch::kFloat);  // [R, C]
}

SparseRows sparse(const torch::Tensor& matrix) {
  const auto places = matrix.nonzero();  // [E, 2]
  const auto counts = matrix.ne(0).sum(1);
  return {torch::cat({torch::zeros({1}, torch::kLong), counts.cumsum(0)}),
          places.select(1, 1).to(torch::kInt), matrix.masked_select(matrix.ne(0))};
}

torch::Tensor dense(const SparseRows& matrix, int64_t columns) {
  auto out = torch::zeros({matrix.num_rows(), columns});
  for (int64_t r = 0; r < matrix.num_rows(); ++r)
    for (int64_t e = matrix.offsets[r].item<int64_t>(); e < matrix.offsets[r + 1].item<int64_t>();
         ++e)
      out[r][matrix.columns[e].item<int64_t>()] = matrix.values[e];
  return out;
}

TEST(SparseElements, AreThoseOfTheDenseMatrixAndZeroForNegativeIds) {
  torch::manual_seed(2);
  for (const auto& [rows, columns, width] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{1, 1, 1}, {7, 5, 3}, {40, 61, 9}}) {
    const auto matrix = some_matrix(rows, columns, 0.6);
    const auto ids = torch::randint(-2, rows, {11, width}, torch::kLong);  // [B, T]
    const auto asked = torch::randint(0, columns, {11}, torch::kLong);     // [B]
    const auto got = sparse_elements(sparse(matrix), ids, asked);
    ASSERT_EQ(got.sizes(), ids.sizes());
    for (int64_t b = 0; b < 11; ++b)
      for (int64_t t = 0; t < width; ++t) {
        const auto id = ids[b][t].item<int64_t>();
        EXPECT_EQ(got[b][t].item<float>(),
                  id < 0 ? 0.0F : matrix[id][asked[b].item<int64_t>()].item<float>());
      }
  }
}

TEST(SparseElements, OfAMatrixWithoutElementsAreZero) {
  const auto got =
      sparse_elements(sparse(torch::zeros({3, 4})), torch::tensor({{0, 2}, {-2, 1}}, torch::kLong),
                      torch::tensor({3, 0}, torch::kLong));
  EXPECT_TRUE(torch::equal(got, torch::zeros({2, 2})));
}

TEST(SumSparseRows, EqualsTheProductWithTheDenseMatrix) {
  torch::manual_seed(1);
  for (const auto& [rows, columns, width] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{1, 1, 1}, {7, 5, 3}, {40, 61, 9}}) {
    const auto matrix = some_matrix(rows, columns);
    const auto ids = torch::randint(-2, rows, {11, width}, torch::kLong);  // [B, T]
    const auto weights = torch::randint(-3, 4, {11, width}).to(torch::kFloat);
    auto chosen = torch::zeros({11, rows}), times = torch::zeros({11, rows});
    for (int64_t b = 0; b < 11; ++b)
      for (int64_t t = 0; t < width; ++t)
        if (const auto id = ids[b][t].item<int64_t>(); id >= 0) {
          chosen[b][id] += 1;
          times[b][id] += weights[b][t];
        }
    EXPECT_TRUE(torch::equal(sum_sparse_rows(sparse(matrix), columns, ids), chosen.matmul(matrix)));
    EXPECT_TRUE(
        torch::equal(sum_sparse_rows(sparse(matrix), columns, ids, weights), times.matmul(matrix)));
  }
}

TEST(SumSparseRows, OfNothingIsZero) {
  const auto matrix = sparse(some_matrix(3, 4));
  const auto none = torch::full({2, 3}, kPaddingId, torch::kLong);
  EXPECT_TRUE(torch::equal(sum_sparse_rows(matrix, 4, none), torch::zeros({2, 4})));
  EXPECT_EQ(sum_sparse_rows(matrix, 4, none.slice(0, 0, 0)).size(0), 0);
}

TEST(SumSparseRows, RefusesIdsAboveTheMatrix) {
  const auto matrix = sparse(some_matrix(3, 4));
  EXPECT_THROW(sum_sparse_rows(matrix, 4, torch::full({1, 1}, 3, torch::kLong)), c10::Error);
}

TEST(Transpose, IsTheDenseTransposeWithRowsAscending) {
  torch::manual_seed(2);
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {9, 14}}) {
    const auto matrix = some_matrix(rows, columns);
    const auto turned = transpose(sparse(matrix), columns);
    EXPECT_TRUE(torch::equal(dense(turned, rows), matrix.t()));
    const auto again = sparse(matrix.t().contiguous());
    EXPECT_TRUE(torch::equal(turned.columns, again.columns));
  }
}

TEST(CheckSparseRows, NamesWhatDoesNotFit) {
  const auto good = sparse(torch::tensor({{0.f, 1.f}, {2.f, 3.f}}));
  EXPECT_NO_THROW(check_sparse_rows(good, 2, 2, "m"));
  const auto refuses = [&](const std::string& word, const std::function<void(SparseRows&)>& change,
                           int64_t rows = 2, int64_t columns = 2) {
    SparseRows bad{good.offsets.clone(), good.columns.clone(), good.values.clone()};
    change(bad);
    try {
      check_sparse_rows(bad, rows, columns, "m");
      ADD_FAILURE() << "accepted: " << word;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  refuses("one more than rows", [](SparseRows&) {}, 3);
  refuses("rise from 0", [](SparseRows& m) { m.offsets[1] = 9; });
  refuses("rise from 0", [](SparseRows& m) { m.offsets[0] = 1; });
  refuses("expected columns in [0, 1)", [](SparseRows&) {}, 2, 1);
  refuses("expected columns in", [](SparseRows& m) { m.columns[0] = -1; });
  refuses("as many columns as values", [](SparseRows& m) { m.values = m.values.slice(0, 1); });
  refuses("NaN", [](SparseRows& m) { m.values[1] = std::nan(""); });
}

TEST(MostSimilarRows, KeepsTheLargestProductsWithOtherRowsTiesByTheLowerRow) {
  torch::manual_seed(3);
  for (const int64_t rows : {1, 5, 70})
    for (const int64_t k : {0, 1, 3, 100}) {
      const auto matrix = some_matrix(rows, 8, 0.4);
      auto products = matrix.matmul(matrix.t());  // [R, R]
      products.fill_diagonal_(0);
      auto expected = torch::zeros_like(products);
      const auto order = std::get<1>(products.sort(/*stable=*/true, 1, /*descending=*/true));
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t n = 0; n < (k == 0 ? rows : std::min(k, rows)); ++n) {
          const auto other = order[r][n].item<int64_t>();
          expected[r][other] = products[r][other];
        }
      const auto compared = sparse(matrix);
      const auto found =
          most_similar_rows<PairProduct>(compared, transpose(compared, 8), k,
                                         [](int64_t, int64_t, const PairProduct& sums) {
                                           return sums.product;
                                         });
      EXPECT_TRUE(torch::equal(dense(found, rows), expected)) << rows << " rows, k " << k;
    }
}

TEST(MostSimilarRows, CountsAndMomentsAreThoseOfTheCommonColumns) {
  torch::manual_seed(4);
  const int64_t rows = 12, columns = 9;
  const auto matrix = some_matrix(rows, columns, 0.5);
  const auto compared = sparse(matrix);
  most_similar_rows<PairMoments>(compared, transpose(compared, columns), 0,
                                 [&](int64_t r, int64_t o, const PairMoments& s) {
                                   const auto x = matrix[r], y = matrix[o];
                                   const auto both = x.ne(0).logical_and(y.ne(0)).to(torch::kFloat);
                                   const auto sum = [&](const torch::Tensor& t) {
                                     return (t * both).sum().item<float>();
                                   };
                                   EXPECT_EQ(s.count, both.sum().item<int64_t>());
                                   EXPECT_EQ(s.product, sum(x * y));
                                   EXPECT_EQ(s.own, sum(x));
                                   EXPECT_EQ(s.other, sum(y));
                                   EXPECT_EQ(s.own_squares, sum(x * x));
                                   EXPECT_EQ(s.other_squares, sum(y * y));
                                   return 1.0f;
                                 });
}

TEST(MostSimilarRows, IsTheSameWithAnyNumberOfThreads) {
  torch::manual_seed(5);
  const auto compared = sparse(torch::rand({300, 40}) * torch::rand({300, 40}).lt(0.2));
  const auto find = [&](int threads) {
    at::set_num_threads(threads);
    return most_similar_rows<PairProduct>(compared, transpose(compared, 40), 7,
                                          [](int64_t, int64_t, const PairProduct& sums) {
                                            return sums.product;
                                          });
  };
  const int threads = at::get_num_threads();
  const auto one = find(1), two = find(2);
  at::set_num_threads(threads);
  EXPECT_TRUE(torch::equal(one.columns, two.columns));
  EXPECT_TRUE(torch::equal(one.values, two.values));
}

}  // namespace
}  // namespace reckon::sparse_rows_test
