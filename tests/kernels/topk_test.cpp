#include "kernels/topk.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "core/ids.h"
#include "tests/kernels/every_simd.h"

namespace reckon::topk_test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Ranked {
  std::vector<int64_t> items;
  std::vector<float> scores;
};

// The slow obvious order: all unseen items sorted by the rule, then padded.
Ranked oracle_row(const std::vector<float>& scores, const std::set<int32_t>& seen, int64_t k) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < scores.size(); ++i)
    if (seen.count(static_cast<int32_t>(i)) == 0) order.push_back(static_cast<int64_t>(i));
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const bool a_nan = std::isnan(scores[a]), b_nan = std::isnan(scores[b]);
    if (a_nan != b_nan) return b_nan;
    if (!a_nan && scores[a] != scores[b]) return scores[a] > scores[b];
    return a < b;
  });
  Ranked out;
  for (int64_t i = 0; i < k; ++i) {
    const bool is_left = i < static_cast<int64_t>(order.size());
    out.items.push_back(is_left ? order[i] : kPaddingId);
    out.scores.push_back(is_left ? scores[order[i]] : -kInf);
  }
  return out;
}

std::vector<float> row_of(const torch::Tensor& matrix, int64_t row) {
  const auto values = matrix.select(0, row).to(torch::kFloat).contiguous();
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

SeenItems make_seen(const std::vector<std::vector<int32_t>>& rows) {
  std::vector<int64_t> offsets = {0};
  std::vector<int32_t> items;
  for (const auto& row : rows) {
    items.insert(items.end(), row.begin(), row.end());
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  return {torch::tensor(offsets, torch::kLong), torch::tensor(items, torch::kInt)};
}

std::vector<std::vector<int32_t>> random_seen(int64_t num_queries, int64_t num_items,
                                              int64_t count) {
  std::vector<std::vector<int32_t>> rows(num_queries);
  for (auto& row : rows) {
    const auto drawn = torch::randint(num_items, {count}, torch::kInt);
    row.assign(drawn.data_ptr<int32_t>(), drawn.data_ptr<int32_t>() + count);
  }
  return rows;
}

void expect_equal(const TopK& got, const torch::Tensor& scores,
                  const std::vector<std::vector<int32_t>>& seen, int64_t k,
                  const std::string& what) {
  ASSERT_EQ(got.items.sizes(), (std::vector<int64_t>{scores.size(0), k})) << what;
  for (int64_t b = 0; b < scores.size(0); ++b) {
    const std::set<int32_t> hidden =
        seen.empty() ? std::set<int32_t>() : std::set<int32_t>(seen[b].begin(), seen[b].end());
    const auto expected = oracle_row(row_of(scores, b), hidden, k);
    for (int64_t i = 0; i < k; ++i) {
      ASSERT_EQ(got.items[b][i].item<int64_t>(), expected.items[i])
          << what << ", query " << b << ", rank " << i;
      const float score = got.scores[b][i].item<float>();
      if (std::isnan(expected.scores[i]))
        ASSERT_TRUE(std::isnan(score)) << what;
      else
        ASSERT_EQ(score, expected.scores[i]) << what << ", query " << b << ", rank " << i;
    }
  }
}

// Vectors of small whole numbers: products are exact in any order of additions, and ties are common.
torch::Tensor whole_numbers(at::IntArrayRef sizes) {
  return torch::randint(-3, 4, sizes, torch::kFloat);
}

torch::Tensor all_scores(const torch::Tensor& queries, const torch::Tensor& items,
                         const torch::Tensor& bias, bool reduce_max) {
  const auto products = at::matmul(queries, items.t());                 // [B, M, I]
  const auto scores = reduce_max ? products.amax(1) : products.sum(1);  // [B, I]
  return bias.defined() ? scores + bias : scores;
}

TEST(TopK, EqualsASortOfAllScoresOnEveryPath) {
  torch::manual_seed(1);
  struct Case {
    int64_t queries, vectors, width, items, k, seen;
  };
  const std::vector<Case> cases = {
      {1, 1, 1, 1, 1, 0},      {1, 1, 1, 1, 3, 1},      {3, 1, 4, 7, 2, 2},
      {2, 3, 5, 63, 64, 10},   {65, 1, 8, 64, 10, 5},   {70, 2, 3, 1025, 20, 40},
      {5, 1, 16, 3000, 7, 90}, {130, 4, 2, 200, 1, 30}, {1, 1, 8, 5000, 100, 50},
  };
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const auto& c : cases)
      for (const bool reduce_max : {false, true})
        for (const bool has_bias : {false, true}) {
          const auto queries = whole_numbers({c.queries, c.vectors, c.width});
          const auto items = whole_numbers({c.items, c.width});
          const auto bias = has_bias ? whole_numbers({c.items}) : torch::Tensor();
          const auto seen = random_seen(c.queries, c.items, c.seen);
          const auto got = topk(queries, items, bias, reduce_max, make_seen(seen), c.k);
          expect_equal(got, all_scores(queries, items, bias, reduce_max), seen, c.k,
                       std::string(simd_name(simd)) + ", items " + std::to_string(c.items));
        }
  }
}

TEST(TopK, OfScoresEqualsASortOnEveryPath) {
  torch::manual_seed(2);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const int64_t num_items : {1, 2, 63, 64, 65, 511, 513, 2000})
      for (const int64_t k : {1, 5, 70}) {
        const auto scores = torch::randint(-20, 20, {4, num_items}, torch::kFloat);
        const auto seen = random_seen(4, num_items, num_items / 3);
        expect_equal(topk_of_scores(scores, make_seen(seen), k), scores, seen, k,
                     std::string(simd_name(simd)) + ", items " + std::to_string(num_items));
      }
  }
}

TEST(TopK, PlainPathOfDoublesGivesTheSameLists) {
  torch::manual_seed(3);
  const auto queries = whole_numbers({9, 2, 4}), items = whole_numbers({300, 4});
  const auto bias = whole_numbers({300});
  const auto seen = make_seen(random_seen(9, 300, 20));
  for (const bool reduce_max : {false, true}) {
    const auto fast = topk(queries, items, bias, reduce_max, seen, 12);
    const auto plain = topk(queries.to(torch::kDouble), items.to(torch::kDouble),
                            bias.to(torch::kDouble), reduce_max, seen, 12);
    EXPECT_TRUE(fast.items.equal(plain.items));
    EXPECT_TRUE(fast.scores.equal(plain.scores));
  }
}

TEST(TopK, RanksInfinitiesAndNotANumberLastButBeforeNothing) {
  const auto scores = torch::tensor({{1.0f, kNaN, -kInf, kInf, 2.0f, kNaN, -0.0f, 0.0f}});
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    const auto got = topk_of_scores(scores, make_seen({{4}}), 9);
    const std::vector<int64_t> expected = {3, 0, 6, 7, 2, 1, 5, kPaddingId, kPaddingId};
    EXPECT_TRUE(got.items.equal(torch::tensor(expected).unsqueeze(0))) << got.items;
    EXPECT_TRUE(std::isnan(got.scores[0][5].item<float>()));
    EXPECT_EQ(got.scores[0][8].item<float>(), -kInf);
    const auto plain = topk_of_scores(scores.to(torch::kDouble), make_seen({{4}}), 9);
    EXPECT_TRUE(plain.items.equal(got.items)) << plain.items;
  }
}

TEST(TopK, NotANumberNeverDisplacesANumberHoweverManyThereAre) {
  auto scores = torch::full({2, 4000}, kNaN);
  scores[0][3999] = -5.0f;
  scores[1][7] = -1.0f;
  scores[1][3000] = -kInf;
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    const auto got = topk_of_scores(scores, {}, 3);
    EXPECT_TRUE(got.items.equal(torch::tensor({{3999, 0, 1}, {7, 3000, 0}}, torch::kLong)))
        << got.items;
  }
}

TEST(TopK, BreaksTiesByTheLowerIndexAcrossBlocks) {
  const auto queries = torch::ones({3, 1, 2}), items = torch::ones({5000, 2});
  const auto got = topk(queries, items, {}, false, make_seen({{0, 1}, {}, {4999, 2, 0}}), 4);
  EXPECT_TRUE(
      got.items.equal(torch::tensor({{2, 3, 4, 5}, {0, 1, 2, 3}, {1, 3, 4, 5}}, torch::kLong)));
}

TEST(TopK, GivesNothingWhereAllItemsAreSeen) {
  const auto got =
      topk(torch::ones({1, 1, 1}), torch::ones({3, 1}), {}, false, make_seen({{2, 0, 1}}), 2);
  EXPECT_TRUE(got.items.equal(torch::full({1, 2}, kPaddingId, torch::kLong)));
  EXPECT_TRUE(got.scores.equal(torch::full({1, 2}, -kInf)));
}

TEST(TopK, DoesNotDependOnTheNumberOfThreads) {
  torch::manual_seed(4);
  const int before = at::get_num_threads();
  for (const int64_t num_queries : {1, 3, 200}) {
    const auto queries = torch::randn({num_queries, 1, 16}), items = torch::randn({6000, 16});
    const auto seen = make_seen(random_seen(num_queries, 6000, 100));
    at::set_num_threads(1);
    const auto one = topk(queries, items, {}, false, seen, 25);
    at::set_num_threads(2);
    const auto two = topk(queries, items, {}, false, seen, 25);
    EXPECT_TRUE(one.items.equal(two.items));
    EXPECT_TRUE(one.scores.equal(two.scores));
  }
  at::set_num_threads(before);
}

TEST(TopK, LeavesItsArgumentsAloneAlsoWhenTheyWantGradients) {
  torch::manual_seed(5);
  const auto queries = torch::randn({2, 1, 4}, torch::requires_grad());
  const auto items = torch::randn({10, 4}, torch::requires_grad());
  const auto got = topk(queries, items, {}, false, {}, 3);
  EXPECT_FALSE(got.scores.requires_grad());
  const auto expected = std::get<0>(at::matmul(queries.select(1, 0), items.t()).topk(3, 1));
  EXPECT_TRUE(torch::allclose(got.scores, expected));
}

TEST(TopK, RefusesWhatDoesNotFit) {
  const auto queries = torch::ones({2, 1, 4}), items = torch::ones({3, 4});
  EXPECT_THROW(topk(queries, torch::ones({3, 5}), {}, false, {}, 1), c10::Error);
  EXPECT_THROW(topk(queries, items, torch::ones({4}), false, {}, 1), c10::Error);
  EXPECT_THROW(topk(queries, items, {}, false, {}, 0), c10::Error);
  EXPECT_THROW(topk(queries, items, {}, false, make_seen({{0}}), 1), c10::Error);
  EXPECT_THROW(topk(queries, items, {}, false, make_seen({{0}, {3}}), 1), c10::Error);
  EXPECT_THROW(topk(queries, items, {}, false, make_seen({{0}, {-1}}), 1), c10::Error);
}

}  // namespace
}  // namespace reckon::topk_test
