#include "training/gradient.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

namespace reckon::gradient_test {
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

TEST(GradientSums, RowsThatAreCutUpForThreadsAddUpToTheSameBits) {
  const auto parameter = torch::empty({9000, 64});
  torch::manual_seed(4);
  std::vector<torch::Tensor> contributions;
  for (int i = 0; i < 5; ++i)
    contributions.push_back(torch::sparse_coo_tensor(torch::randint(9000, {1, 3000}, torch::kLong),
                                                     torch::randn({3000, 64}), {9000, 64}));
  std::vector<torch::Tensor> results;
  for (const int threads : {1, 3}) {
    WorkerPool workers(threads);
    GradientSums sums({parameter}, {RowSums::kNever});
    for (const auto& contribution : contributions) sums.add({contribution});
    results.push_back(sums.finish(0.25, workers).gradients[0].dense.clone());
  }
  EXPECT_TRUE(torch::equal(results[0], results[1]));
  auto expected = torch::zeros({9000, 64}, torch::kDouble);
  for (const auto& contribution : contributions)
    expected.index_add_(0, contribution._indices()[0], contribution._values().to(torch::kDouble));
  EXPECT_TRUE(torch::allclose(results[0].to(torch::kDouble), expected * 0.25, 1e-5, 1e-6));
}

TEST(GradientSums, RunsOfRowsAddUpToTheBitsOfThoseInAnyOrder) {
  torch::manual_seed(5);
  const auto parameter = torch::empty({9000, 64});
  const auto values = torch::randn({8990, 64}), more = torch::randn({5, 64});
  const auto turned = torch::arange(8989, -1, -1);
  const auto of = [](const torch::Tensor& rows, const torch::Tensor& rows_of) {
    return torch::sparse_coo_tensor(rows.unsqueeze(0), rows_of, {9000, 64});
  };
  WorkerPool workers(3);
  GradientSums sums({parameter}, {RowSums::kNever});
  const auto sum_of = [&](const std::vector<torch::Tensor>& contributions) {
    for (const auto& contribution : contributions) sums.add({contribution});
    return sums.finish(0.5, workers).gradients[0].dense.clone();
  };
  const auto few = of(torch::tensor({3, 8999, 3, 0, 4500}, torch::kLong), more);
  const auto got =
      sum_of({of(torch::arange(7, 8997), values), few, of(torch::arange(8990), values)});
  EXPECT_TRUE(
      torch::equal(got, sum_of({of(turned + 7, values.flip(0)), few, of(turned, values.flip(0))})));
  auto expected = torch::zeros({9000, 64}, torch::kDouble);
  expected.slice(0, 7, 8997) += values;
  expected.slice(0, 0, 8990) += values;
  expected.index_add_(0, few._indices()[0], more.to(torch::kDouble));
  EXPECT_TRUE(torch::allclose(got.to(torch::kDouble), expected * 0.5, 1e-5, 1e-6));
}

class Sums : public testing::TestWithParam<int64_t> {};

TEST_P(Sums, OfDenseSparseAndMissingContributionsAreWhatTheyAddUpTo) {
  WorkerPool workers(GetParam());
  const std::vector<torch::Tensor> parameters = {torch::empty({3, 2}), torch::empty({4, 2}),
                                                 torch::empty({4, 2}), torch::empty({2}),
                                                 torch::empty({4, 2}), torch::empty({})};
  constexpr auto kAlways = RowSums::kAlways;
  GradientSums sums(parameters, {kAlways, kAlways, kAlways, kAlways, RowSums::kNever, kAlways});
  for (int round = 0; round < 2; ++round) {  // memory is used again
    const auto dense = torch::full({3, 2}, 1.0);
    const auto values = torch::tensor({{1.0f, 2.0f}, {3.0f, 4.0f}, {5.0f, 6.0f}});
    const auto three = sparse_rows({3, 1, 3}, values, 4),
               one = sparse_rows({1}, values.slice(0, 0, 1), 4);
    const auto none = torch::Tensor();
    sums.add({dense, three, torch::ones({4, 2}), none, three, torch::ones({})});
    sums.add({dense * 2, one, sparse_rows({0}, values.slice(0, 0, 1), 4), none, one, none});
    sums.fold(workers);
    sums.add({dense * 4, none, torch::ones({4, 2}), none, one, torch::ones({})});
    const auto result = sums.finish(0.5, workers);
    const auto& g = result.gradients;
    EXPECT_TRUE(torch::equal(g[0].dense, torch::full({3, 2}, 3.5)));
    EXPECT_FALSE(g[1].is_dense());
    EXPECT_TRUE(torch::equal(g[1].rows, torch::tensor({1, 3}, torch::kLong)));
    EXPECT_TRUE(torch::equal(g[1].values, torch::tensor({{2.0f, 3.0f}, {3.0f, 4.0f}})));
    EXPECT_TRUE(torch::equal(
        g[2].dense, torch::tensor({{1.5f, 2.0f}, {1.0f, 1.0f}, {1.0f, 1.0f}, {1.0f, 1.0f}})));
    EXPECT_FALSE(g[3].is_defined());
    EXPECT_FALSE(g[4].is_sparse()) << "only a table that is updated lazily has a gradient of rows";
    EXPECT_TRUE(torch::equal(
        g[4].dense, torch::tensor({{0.0f, 0.0f}, {2.5f, 4.0f}, {0.0f, 0.0f}, {3.0f, 4.0f}})));
    EXPECT_EQ(g[5].dense.item<float>(), 1.0f);
    EXPECT_NEAR(result.squared_norm,
                6 * 3.5 * 3.5 + (4 + 9 + 9 + 16) + (2.25 + 4 + 6) + (6.25 + 16 + 9 + 16) + 1, 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, Sums, testing::Values(1, 2, 4));

TEST(GradientSums, AFewRowsStayRowsAndManyBecomeADenseSum) {
  const auto parameter = torch::empty({40, 2});
  WorkerPool workers(2);
  GradientSums sums({parameter}, {RowSums::kFew});
  const auto of = [](int64_t count) {
    return sparse_rows(std::vector<int64_t>(static_cast<size_t>(count), 7), torch::ones({count, 2}),
                       40);
  };
  sums.add({of(4)});
  sums.add({of(6)});
  const auto few = sums.finish(0.5, workers);
  ASSERT_TRUE(few.gradients[0].is_sparse());
  EXPECT_FALSE(few.gradients[0].is_dense());
  EXPECT_TRUE(torch::equal(few.gradients[0].values, torch::full({1, 2}, 5.0)));
  EXPECT_EQ(few.squared_norm, 50.0);
  sums.add({of(4)});
  sums.fold(workers);
  sums.add({of(7)});
  const auto many = sums.finish(0.5, workers);
  ASSERT_TRUE(many.gradients[0].is_dense());
  EXPECT_FALSE(many.gradients[0].is_sparse());
  EXPECT_TRUE(torch::equal(many.gradients[0].dense[7], torch::full({2}, 5.5)));
  EXPECT_EQ(many.squared_norm, 60.5);
}

}  // namespace
}  // namespace reckon::gradient_test
