#include "kernels/inverse.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace reckon::inverse_test {
namespace {

torch::Tensor some_positive_definite(int64_t size) {
  const auto root = torch::randn({size, size + 3}, torch::kDouble);
  return root.matmul(root.t()) + 0.5 * torch::eye(size, torch::kDouble);  // [I, I]
}

TEST(InvertPositiveDefinite, EqualsTheInverseAtAnyBlockAndReadsTheLowerTriangleAlone) {
  torch::manual_seed(1);
  for (const int64_t size : {1, 2, 7, 16, 53})
    for (const int64_t block : {1, 4, 16, 512}) {
      const auto whole = some_positive_definite(size);
      const auto expected = torch::inverse(whole);
      auto matrix = whole.tril() + 77.0 * torch::ones_like(whole).triu(1);
      EXPECT_EQ(invert_positive_definite_(matrix, 1e-12, block), -1);
      EXPECT_TRUE(torch::allclose(matrix, expected, 1e-9, 1e-9)) << size << " by " << block;
      EXPECT_TRUE(torch::equal(matrix, matrix.t()));
      auto single = whole.to(torch::kFloat);
      EXPECT_EQ(invert_positive_definite_(single, 1e-6, block), -1);
      const double scale = expected.abs().max().item<double>();
      EXPECT_LE((single.to(torch::kDouble) - expected).abs().max().item<double>(), 2e-4 * scale);
    }
}

TEST(InvertPositiveDefinite, NamesTheFirstPivotThatIsNone) {
  torch::manual_seed(2);
  for (const int64_t block : {2, 3, 512}) {
    auto matrix = some_positive_definite(9).to(torch::kFloat);
    for (auto line : {matrix.select(0, 6), matrix.select(1, 6)}) line.zero_();  // nothing of item 6
    EXPECT_EQ(invert_positive_definite_(matrix, 4e-6, block), 6);
    // Item 7 is item 2 once more.
    auto twice = some_positive_definite(9).to(torch::kFloat);
    twice.select(0, 7).copy_(twice.select(0, 2));
    twice.select(1, 7).copy_(twice.select(1, 2));
    EXPECT_EQ(invert_positive_definite_(twice, 4e-6, block), 7);
    auto negative = -some_positive_definite(4);
    EXPECT_EQ(invert_positive_definite_(negative, 0.0, block), 0);
  }
}

TEST(InvertPositiveDefinite, IsTheSameWithAnyNumberOfThreads) {
  torch::manual_seed(3);
  const auto whole = some_positive_definite(300).to(torch::kFloat);
  const int threads = at::get_num_threads();
  auto one = whole.clone(), two = whole.clone();
  at::set_num_threads(1);
  invert_positive_definite_(one, 1e-6, 64);
  at::set_num_threads(2);
  invert_positive_definite_(two, 1e-6, 64);
  at::set_num_threads(threads);
  EXPECT_TRUE(torch::equal(one, two));
}

TEST(InvertPositiveDefinite, RefusesWhatIsNoSquareMatrix) {
  auto wide = torch::ones({2, 3});
  EXPECT_THROW(invert_positive_definite_(wide, 0.0), c10::Error);
  auto whole = torch::ones({2, 2}, torch::kLong);
  EXPECT_THROW(invert_positive_definite_(whole, 0.0), c10::Error);
}

}  // namespace
}  // namespace reckon::inverse_test
