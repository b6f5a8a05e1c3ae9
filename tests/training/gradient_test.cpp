#include "training/gradient.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

namespace reckon {
namespace {

TEST(SumAndScale, EqualsTheSumOfPartsTimesTheScale) {
  for (const auto type : {torch::kFloat, torch::kDouble, torch::kBFloat16}) {
    for (const int64_t size : {1, 2, 15, 16, 17, 2047, 2048, 2049, 5000}) {
      for (const int64_t count : {1, 2, 5}) {
        torch::manual_seed(static_cast<uint64_t>(size * 10 + count));
        std::vector<torch::Tensor> parts;
        auto expected = torch::zeros({size}, torch::kDouble);
        for (int64_t k = 0; k < count; ++k) {
          parts.push_back(torch::randn({size}).to(type));
          expected += parts.back().to(torch::kDouble);
        }
        expected *= 0.3;
        const auto out = torch::empty({size}, type);
        const double squares = sum_and_scale(parts, 0.3, out);
        const double tolerance = type == torch::kDouble  ? 1e-12
                                 : type == torch::kFloat ? 1e-5
                                                         : 0.1;
        EXPECT_TRUE(torch::allclose(out.to(torch::kDouble), expected, tolerance, tolerance))
            << size;
        const double own = out.to(torch::kDouble).square().sum().item<double>();
        EXPECT_NEAR(squares, own, 1e-9 * own) << size;
      }
    }
  }
}

TEST(SumAndScale, MayWriteOverOneOfItsParts) {
  const auto a = torch::arange(5, torch::kFloat), b = torch::ones({5});
  EXPECT_EQ(sum_and_scale({a, b}, 2.0, a), 4.0 + 16.0 + 36.0 + 64.0 + 100.0);
  EXPECT_TRUE(torch::equal(a, torch::tensor({2.0f, 4.0f, 6.0f, 8.0f, 10.0f})));
}

TEST(SumAndScale, NotANumberAnywhereShowsInTheSquares) {
  auto part = torch::zeros({3000});
  part[2500] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(sum_and_scale({part}, 1.0, torch::empty({3000}))));
  part[2500] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(std::isfinite(sum_and_scale({part}, 1.0, torch::empty({3000}))));
}

torch::Tensor sparse_rows(const std::vector<int64_t>& rows, const torch::Tensor& values,
                          int64_t height) {
  return torch::sparse_coo_tensor(torch::tensor(rows, torch::kLong).unsqueeze(0), values,
                                  {height, values.size(1)});
}

class Sums : public testing::TestWithParam<int64_t> {};

TEST_P(Sums, OfDenseSparseAndMissingContributionsAreWhatTheyAddUpTo) {
  WorkerPool workers(GetParam());
  const std::vector<torch::Tensor> parameters = {torch::empty({3, 2}), torch::empty({4, 2}),
                                                 torch::empty({4, 2}), torch::empty({2})};
  GradientSums sums(parameters);
  for (int round = 0; round < 2; ++round) {  // memory is used again
    const auto dense = torch::full({3, 2}, 1.0);
    const auto values = torch::tensor({{1.0f, 2.0f}, {3.0f, 4.0f}, {5.0f, 6.0f}});
    sums.add({dense, sparse_rows({3, 1, 3}, values, 4), torch::ones({4, 2}), {}});
    sums.add({dense * 2, sparse_rows({1}, values.slice(0, 0, 1), 4),
              sparse_rows({0}, values.slice(0, 0, 1), 4), torch::Tensor()});
    sums.fold(workers);
    sums.add({dense * 4, torch::Tensor(), torch::ones({4, 2}), torch::Tensor()});
    const auto result = sums.finish(0.5, workers);
    const auto& g = result.gradients;
    EXPECT_TRUE(torch::equal(g[0].dense, torch::full({3, 2}, 3.5)));
    EXPECT_FALSE(g[1].is_dense());
    EXPECT_TRUE(torch::equal(g[1].rows, torch::tensor({1, 3}, torch::kLong)));
    EXPECT_TRUE(torch::equal(g[1].values, torch::tensor({{2.0f, 3.0f}, {3.0f, 4.0f}})));
    EXPECT_TRUE(torch::equal(
        g[2].dense, torch::tensor({{1.5f, 2.0f}, {1.0f, 1.0f}, {1.0f, 1.0f}, {1.0f, 1.0f}})));
    EXPECT_FALSE(g[3].is_defined());
    EXPECT_NEAR(result.squared_norm, 6 * 3.5 * 3.5 + (4 + 9 + 9 + 16) + (2.25 + 4 + 6), 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, Sums, testing::Values(1, 2, 4));

}  // namespace
}  // namespace reckon
