#include "layers/sum_in_chunks.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "tests/support/gradients.h"

namespace reckon::sum_in_chunks_test {
namespace {

constexpr int64_t kRows = 7;

// sum_p c_p * sin(x_p . w . s) over rows x [P, 3] with whole w [3, 2] and a parameter s [2].
struct Example {
  torch::Tensor x = torch::randn({kRows, 3}, torch::kDouble);
  torch::Tensor w = torch::randn({3, 2}, torch::kDouble);
  torch::Tensor s = torch::randn({2}, torch::kDouble);
  torch::Tensor c = torch::randn({kRows}, torch::kDouble);
  int64_t most_rows = 0;

  torch::Tensor terms(const torch::Tensor& rows, const torch::Tensor& whole,
                      const torch::Tensor& parameter) const {
    return rows.matmul(whole).matmul(parameter).sin();  // [P]
  }
  torch::Tensor chunked(const torch::Tensor& rows, const torch::Tensor& whole,
                        const torch::Tensor& parameter, int64_t rows_per_chunk) {
    return sum_in_chunks({.rows = {rows},
                          .whole = {whole},
                          .parameters = {parameter},
                          .part =
                              [&, parameter](const auto& part, const auto& all, int64_t begin) {
                                most_rows = std::max(most_rows, part[0].size(0));
                                const auto factors = c.narrow(0, begin, part[0].size(0));
                                return (factors * terms(part[0], all[0], parameter)).sum();
                              }},
                         rows_per_chunk);
  }
};

TEST(SumInChunks, HasTheValueAndTheGradientsOfTheWholeSum) {
  torch::manual_seed(1);
  Example example;
  const std::vector<torch::Tensor> leaves = {example.x.clone().requires_grad_(),
                                             example.w.clone().requires_grad_(),
                                             example.s.clone().requires_grad_()};
  const auto whole = (example.c * example.terms(leaves[0], leaves[1], leaves[2])).sum();
  const auto expected = torch::autograd::grad({whole * 3.0}, leaves);
  for (const int64_t rows_per_chunk : {1, 3, 6, 7, 100}) {
    example.most_rows = 0;
    const auto sum = example.chunked(leaves[0], leaves[1], leaves[2], rows_per_chunk);
    EXPECT_NEAR(sum.item<double>(), whole.item<double>(), 1e-12);
    EXPECT_EQ(example.most_rows, std::min(rows_per_chunk, kRows));
    // What comes from above is multiplied in.
    const auto gradients = torch::autograd::grad({sum * 3.0}, leaves);
    for (size_t i = 0; i < leaves.size(); ++i)
      EXPECT_TRUE(torch::allclose(gradients[i], expected[i], 1e-10, 1e-12))
          << rows_per_chunk << ", input " << i;
  }
}

TEST(SumInChunks, GoesOnThroughWhatItsInputsWereMadeFrom) {
  torch::manual_seed(2);
  Example example;
  for (const int64_t rows_per_chunk : {2, 100})
    expect_gradients(
        [&](const std::vector<torch::Tensor>& in) {
          return example.chunked(in[0].square(), in[1].exp(), in[2], rows_per_chunk);
        },
        {example.x, example.w, example.s});
}

TEST(SumInChunks, GivesNoGradientWhereNoneIsWanted) {
  torch::manual_seed(3);
  Example example;
  const auto expected = (example.c * example.terms(example.x, example.w, example.s)).sum();
  EXPECT_FALSE(example.chunked(example.x, example.w, example.s, 2).requires_grad());
  const auto w = example.w.clone().requires_grad_();
  {
    const torch::NoGradGuard no_grad;
    const auto sum = example.chunked(example.x, w, example.s, 2);
    EXPECT_FALSE(sum.requires_grad());
    EXPECT_NEAR(sum.item<double>(), expected.item<double>(), 1e-12);
  }
  const auto sum = example.chunked(example.x, w, example.s, 2);
  const auto direct = (example.c * example.terms(example.x, w, example.s)).sum();
  EXPECT_TRUE(torch::allclose(torch::autograd::grad({sum}, {w})[0],
                              torch::autograd::grad({direct}, {w})[0], 1e-10, 1e-12));
}

}  // namespace
}  // namespace reckon::sum_in_chunks_test
