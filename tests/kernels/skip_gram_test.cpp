#include "kernels/skip_gram.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/functional/activation.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <vector>

#include "core/random.h"
#include "tests/kernels/every_simd.h"

namespace reckon::skip_gram_test {
namespace {

struct Embedding {
  torch::Tensor vectors, contexts;

  static Embedding random(int64_t num_nodes, int64_t width) {
    torch::manual_seed(6);
    return {torch::randn({num_nodes, width}) * 0.5, torch::randn({num_nodes, width}) * 0.5};
  }
  Embedding copy() const { return {vectors.clone(), contexts.clone()}; }
};

struct Drawn {
  std::vector<SkipGramPair> pairs;
  std::vector<int32_t> negatives;
};

Drawn random_pairs(size_t count, size_t num_negatives, uint64_t num_nodes) {
  CounterRng rng(RandomKey(8));
  const auto node = [&] { return static_cast<int32_t>(rng.below(num_nodes)); };
  Drawn drawn;
  for (size_t s = 0; s < count; ++s) {
    const auto center = node();
    drawn.pairs.push_back({center, node()});
    for (size_t n = 0; n < num_negatives; ++n) drawn.negatives.push_back(node());
  }
  return drawn;
}

// The loss of one context as it is written in the paper, in double precision.
torch::Tensor loss_of(const torch::Tensor& vector, const torch::Tensor& context, bool is_met) {
  const auto x = vector.dot(context);           // []
  return -torch::log_sigmoid(is_met ? x : -x);  // []
}

// Contexts one after the other by the gradient at the vector as it was, then the vector.
double descend(Embedding& e, const Drawn& drawn, double lr) {
  e = {e.vectors.to(torch::kDouble), e.contexts.to(torch::kDouble)};
  const size_t num_negatives = drawn.negatives.size() / drawn.pairs.size();
  double sum = 0.0;
  for (size_t s = 0; s < drawn.pairs.size(); ++s) {
    const auto pair = drawn.pairs[s];
    const auto vector = e.vectors[pair.center].clone();  // [D]
    auto move = torch::zeros_like(vector);               // [D]
    const auto learn = [&](int32_t node, bool is_met) {
      const auto v = vector.clone().set_requires_grad(true);            // [D]
      const auto c = e.contexts[node].clone().set_requires_grad(true);  // [D]
      const auto loss = loss_of(v, c, is_met);                          // []
      sum += loss.item<double>();
      const auto grads = torch::autograd::grad({loss}, {v, c});
      move -= lr * grads[0];
      e.contexts[node] -= lr * grads[1];
    };
    learn(pair.context, true);
    for (size_t n = 0; n < num_negatives; ++n)
      if (const auto node = drawn.negatives[s * num_negatives + n]; node != pair.context)
        learn(node, false);
    e.vectors[pair.center] += move;
  }
  return sum;
}

TEST(SkipGram, IsGradientDescentOnTheLossOfEachPairInTurn) {
  for (const auto simd : runnable_simd())
    for (const int64_t width : {1, 7, 16, 33, 64})
      for (const size_t num_negatives : {1, 5}) {
        const ForcedSimd forced(simd);
        const auto before = Embedding::random(9, width);
        // So few nodes that negatives repeat, and are contexts of their own pair.
        const auto drawn = random_pairs(60, num_negatives, 9);
        auto expected = before.copy();
        const double expected_loss = descend(expected, drawn, 0.1);
        const auto learnt = before.copy();
        const double loss =
            skip_gram_update(learnt.vectors, learnt.contexts, drawn.pairs, drawn.negatives, 0.1);
        EXPECT_NEAR(loss, expected_loss, 1e-4 * expected_loss) << simd_name(simd) << " " << width;
        const auto close = [](const torch::Tensor& a, const torch::Tensor& b) {
          return torch::allclose(a.to(torch::kDouble), b, 1e-4, 1e-5);
        };
        EXPECT_TRUE(close(learnt.vectors, expected.vectors)) << simd_name(simd) << " " << width;
        EXPECT_TRUE(close(learnt.contexts, expected.contexts)) << simd_name(simd) << " " << width;
      }
}

TEST(SkipGram, ItsOptimumIsTheLogarithmOfHowOftenPairsMeetOverHowOftenTheyAreDrawn) {
  // Node 0 meets 1 three times as often as 2; one of both, drawn alike, is the negative.
  Embedding e = Embedding::random(3, 4);
  CounterRng rng(RandomKey(2));
  constexpr int64_t kSteps = 60'000;
  for (int64_t step = 0; step < kSteps; ++step) {
    const SkipGramPair pair{0, rng.below(4) < 3 ? 1 : 2};
    const auto negative = static_cast<int32_t>(1 + rng.below(2));
    const double lr = 0.05 * (1.0 - static_cast<double>(step) / kSteps);
    skip_gram_update(e.vectors, e.contexts, {&pair, 1}, {&negative, 1}, lr);
  }
  const auto products = e.contexts.matmul(e.vectors[0]);  // [N]
  // The context itself is left out of the draws: of 1, 3/4 meet it and 1/4 * 1/2 are drawn against it.
  EXPECT_NEAR(products[1].item<double>(), std::log(0.75 / 0.125), 0.15);
  EXPECT_NEAR(products[2].item<double>(), std::log(0.25 / 0.375), 0.15);
}

TEST(SkipGram, LeavesRowsAloneThatNoPairNames) {
  const auto before = Embedding::random(6, 20);
  const auto after = before.copy();
  const std::vector<SkipGramPair> pairs = {{1, 2}, {1, 4}};
  const std::vector<int32_t> negatives = {4, 2};
  skip_gram_update(after.vectors, after.contexts, pairs, negatives, 0.1);
  for (const int64_t node : {0, 2, 3, 4, 5})
    EXPECT_TRUE(torch::equal(after.vectors[node], before.vectors[node])) << node;
  for (const int64_t node : {0, 1, 3, 5})
    EXPECT_TRUE(torch::equal(after.contexts[node], before.contexts[node])) << node;
  EXPECT_FALSE(torch::equal(after.vectors[1], before.vectors[1]));
}

TEST(SkipGram, StaysFiniteWhereTheSigmoidIsZeroOrOne) {
  for (const double sign : {1.0, -1.0}) {
    const auto vectors = torch::full({2, 3}, 100.0), contexts = torch::full({2, 3}, 100.0 * sign);
    const SkipGramPair pair{0, 1};
    const int32_t negative = 0;
    const double loss = skip_gram_update(vectors, contexts, {&pair, 1}, {&negative, 1}, 0.1);
    // Of the context and the negative one is sure to be wrong.
    EXPECT_NEAR(loss, 30'000.0, 1e-2);
    EXPECT_TRUE(vectors.isfinite().all().item<bool>());
    EXPECT_TRUE(contexts.isfinite().all().item<bool>());
  }
}

TEST(SkipGram, OfNothingChangesNothing) {
  const auto before = Embedding::random(3, 4);
  const auto after = before.copy();
  EXPECT_EQ(skip_gram_update(after.vectors, after.contexts, {}, {}, 0.1), 0.0);
  EXPECT_TRUE(torch::equal(after.vectors, before.vectors));
  EXPECT_TRUE(torch::equal(after.contexts, before.contexts));
}

TEST(SkipGram, RefusesTablesThatItCannotWriteToAndNegativesThatDoNotFit) {
  const auto table = torch::zeros({3, 4});
  const std::vector<SkipGramPair> pairs = {{0, 1}, {1, 2}};
  const std::vector<int32_t> negatives = {0, 1, 2};
  const auto learn = [&](const torch::Tensor& vectors, const torch::Tensor& contexts,
                         size_t num_negatives) {
    skip_gram_update(vectors, contexts, pairs, std::span(negatives).first(num_negatives), 0.1);
  };
  EXPECT_THROW(learn(table.to(torch::kDouble), table, 2), c10::Error);
  EXPECT_THROW(learn(table, torch::zeros({4, 3}).t(), 2), c10::Error);
  EXPECT_THROW(learn(table, torch::zeros({3, 5}), 2), c10::Error);
  EXPECT_THROW(learn(table, table, 3), c10::Error);
}

}  // namespace
}  // namespace reckon::skip_gram_test
