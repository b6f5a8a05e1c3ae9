#include "kernels/randomized_svd.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>
#include <vector>

namespace reckon::randomized_svd_test {
namespace {

SparseRows sparse(const torch::Tensor& matrix) {
  const auto mask = matrix.ne(0);
  return {torch::cat({torch::zeros({1}, torch::kLong), mask.sum(1).cumsum(0)}),
          matrix.nonzero().select(1, 1).to(torch::kInt), matrix.masked_select(mask)};
}

torch::Tensor some_matrix(int64_t rows, int64_t columns) {
  return torch::rand({rows, columns}) * torch::rand({rows, columns}).lt(0.3).to(torch::kFloat);
}

TEST(Multiply, EqualsTheDenseProduct) {
  torch::manual_seed(1);
  for (const auto& [rows, columns, width] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{1, 1, 1}, {30, 20, 7}}) {
    const auto matrix = some_matrix(rows, columns), dense = torch::randn({columns, width});
    EXPECT_TRUE(torch::allclose(multiply(sparse(matrix), dense), matrix.matmul(dense), 1e-5, 1e-5));
  }
}

TEST(RandomizedSvd, FindsTheLargestSingularValuesAndTheSpaceOfTheirVectors) {
  torch::manual_seed(2);
  for (const auto& [rows, columns, rank] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {1, 1, 1}, {60, 40, 5}, {40, 60, 12}, {30, 20, 20}, {9, 14, 50}}) {
    const auto matrix = some_matrix(rows, columns);
    const auto found = randomized_svd(sparse(matrix), columns, {.rank = rank, .iterations = 12}, 7);
    const auto kept = std::min({rank, rows, columns});
    const auto [u, s, vt] = at::linalg_svd(matrix.to(torch::kDouble), false);
    ASSERT_EQ(found.values.size(0), kept);
    EXPECT_TRUE(torch::allclose(found.values.to(torch::kDouble), s.slice(0, 0, kept), 2e-3, 1e-4));
    const auto v = found.vectors;
    EXPECT_TRUE(torch::allclose(v.t().matmul(v), torch::eye(kept), 1e-4, 1e-4));
    // What is left of the matrix is as small as anything of this rank can leave it.
    const auto rest = matrix - matrix.matmul(v).matmul(v.t());
    const double least = s.slice(0, kept).square().sum().sqrt().item<double>();
    EXPECT_LE(rest.norm().item<double>(), least * 1.002 + 1e-4) << rows << " by " << columns;
  }
}

TEST(RandomizedSvd, IsTheSameWithAnyNumberOfThreadsAndAnotherWithAnotherSeed) {
  torch::manual_seed(3);
  const auto matrix = sparse(some_matrix(300, 200));
  const int threads = at::get_num_threads();
  const auto find = [&](int with, uint64_t seed) {
    at::set_num_threads(with);
    const auto out = randomized_svd(matrix, 200, {.rank = 20, .iterations = 0}, seed).vectors;
    EXPECT_EQ(at::get_num_threads(), with);
    return out;
  };
  const auto one = find(1, 5), two = find(2, 5), other = find(2, 6);
  at::set_num_threads(threads);
  EXPECT_TRUE(torch::equal(one, two));
  EXPECT_FALSE(torch::equal(one, other));
}

}  // namespace
}  // namespace reckon::randomized_svd_test
