#include "models/link_similarity.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "core/diagnostics.h"
#include "core/ids.h"

namespace reckon::link_similarity_test {
namespace {

constexpr int64_t kUsers = 9;

// Two cliques of four that share user 3, a tail 6 - 7, and user 8 who knows nobody.
torch::Tensor adjacency() {
  auto a = torch::zeros({kUsers, kUsers}, torch::kDouble);  // [U, U]
  const auto link = [&a](int64_t u, int64_t v) { a[u][v] = a[v][u] = 1.0; };
  for (const int64_t first : {0, 3})
    for (int64_t u = first; u < first + 4; ++u)
      for (int64_t v = first; v < u; ++v) link(u, v);
  a[0][1] = a[1][0] = 0.0;  // and one that is missing
  link(6, 7);
  return a;
}

Interactions interactions_of(const torch::Tensor& a) {
  Interactions train;
  train.num_users = train.num_items = a.size(0);
  train.mutual = true;
  train.user_offsets =
      torch::cat({torch::zeros({1}, torch::kLong), a.sum(1).to(torch::kLong).cumsum(0)});
  train.items = a.nonzero().select(1, 1).to(torch::kInt);
  return train;
}

std::shared_ptr<LinkSimilarity> fitted(const LinkSimilarity::Options& options,
                                       const Interactions& train) {
  auto model = std::make_shared<LinkSimilarity>(options, Model::Deps{.num_users = train.num_users,
                                                                     .num_items = train.num_items,
                                                                     .train = &train});
  model->fit(train, {});
  return model;
}

// Requests as evaluation makes them: each user in front of those whom it knows.
torch::Tensor scores_of_known(LinkSimilarity& model, const torch::Tensor& a) {
  const auto size = a.size(0);
  const auto people = torch::arange(size);
  const auto knows = a + torch::eye(size, torch::kDouble);
  Batch request(size);
  request.set(batch_key::kHistory,
              torch::where(knows.gt(0), people.unsqueeze(0).expand({size, size}), kPaddingId));
  return model.score_all(model.encode(request)).to(torch::kDouble);  // [U, U]
}

// Whom nobody knows yet: all but themselves and their friends.
torch::Tensor candidates(const torch::Tensor& a) {
  return (a + torch::eye(a.size(0), torch::kDouble)).eq(0);  // [U, U]
}

void expect_equal_on_candidates(const torch::Tensor& scores, const torch::Tensor& expected,
                                const torch::Tensor& a, double tolerance) {
  const auto mask = candidates(a);
  EXPECT_TRUE(
      torch::allclose(scores.masked_select(mask), expected.masked_select(mask), 1e-5, tolerance))
      << (scores - expected).masked_fill(mask.logical_not(), 0);
  EXPECT_GT(expected.masked_select(mask).max().item<double>(), 0.0);
}

TEST(LinkSimilarity, CountsCommonNeighbours) {
  const auto a = adjacency();
  const auto model = fitted({}, interactions_of(a));
  expect_equal_on_candidates(scores_of_known(*model, a), a.matmul(a), a, 1e-6);
}

TEST(LinkSimilarity, WeighsCommonNeighboursByTheLogarithmOfTheirDegree) {
  const auto a = adjacency();
  const auto model = fitted({.measure = LinkSimilarity::Measure::kAdamicAdar}, interactions_of(a));
  auto expected = torch::zeros_like(a);
  for (int64_t u = 0; u < kUsers; ++u)
    for (int64_t v = 0; v < kUsers; ++v)
      for (int64_t z = 0; z < kUsers; ++z)
        if (u != v && a[u][z].item<double>() > 0.0 && a[z][v].item<double>() > 0.0)
          expected[u][v] += 1.0 / std::log(a[z].sum().item<double>());
  expect_equal_on_candidates(scores_of_known(*model, a), expected, a, 1e-6);
}

TEST(LinkSimilarity, SumsWalksUpToALengthAsKatzDoes) {
  const auto a = adjacency();
  for (const double beta : {0.01, 0.3})
    for (const int64_t length : {2, 3, 5}) {
      const auto model =
          fitted({.measure = LinkSimilarity::Measure::kKatz, .beta = beta, .length = length},
                 interactions_of(a));
      auto power = torch::eye(kUsers, torch::kDouble);
      auto expected = torch::zeros_like(a);
      for (int64_t l = 1; l <= length; ++l) {
        power = power.matmul(a);
        expected += std::pow(beta, static_cast<double>(l)) * power;
      }
      expect_equal_on_candidates(scores_of_known(*model, a), expected, a, 1e-9);
    }
}

TEST(LinkSimilarity, RanksTheSameWhateverTheOrderOfUsers) {
  const auto a = adjacency();
  const auto order = torch::tensor({4, 2, 8, 0, 6, 1, 7, 5, 3}, torch::kLong);
  const auto turned = a.index_select(0, order).index_select(1, order);
  for (const auto measure :
       {LinkSimilarity::Measure::kCommonNeighbours, LinkSimilarity::Measure::kAdamicAdar,
        LinkSimilarity::Measure::kKatz}) {
    const auto one = scores_of_known(*fitted({.measure = measure}, interactions_of(a)), a);
    const auto other =
        scores_of_known(*fitted({.measure = measure}, interactions_of(turned)), turned);
    EXPECT_TRUE(torch::allclose(one.index_select(0, order).index_select(1, order), other));
  }
}

TEST(LinkSimilarity, SaysNothingOfWhomNobodyKnows) {
  const auto a = adjacency();
  const auto model = fitted({}, interactions_of(a));
  Batch request(3);
  request.set(batch_key::kHistory,
              torch::tensor(
                  {{kPaddingId, int64_t{8}}, {int64_t{8}, int64_t{2}}, {kPaddingId, kPaddingId}}));
  const auto usable = model->usable(request);
  EXPECT_FALSE(usable[0].item<bool>());
  EXPECT_TRUE(usable[1].item<bool>());
  EXPECT_FALSE(usable[2].item<bool>());
}

TEST(LinkSimilarity, ServesANewcomerByThoseWhomItKnows) {
  const auto a = adjacency();
  const auto model = fitted({}, interactions_of(a));
  Batch request(1);
  // User 7 has one friend, 6, who would have the newcomer's friend in common with it.
  request.set(batch_key::kHistory, torch::tensor({{int64_t{7}, int64_t{0}}}));
  const auto scores = model->score_all(model->encode(request)).squeeze(0).to(torch::kDouble);
  EXPECT_TRUE(torch::equal(scores, a[7] + a[0]));
}

TEST(LinkSimilarity, KeepsTheLargestOfWhatARowIsWorth) {
  const auto a = adjacency();
  const auto model =
      fitted({.measure = LinkSimilarity::Measure::kKatz, .beta = 0.1, .neighbors = 2},
             interactions_of(a));
  const auto rows = model->named_buffers()["weights.offsets"].diff();  // [U]
  EXPECT_LE(rows.max().item<int64_t>(), 2);
}

TEST(LinkSimilarity, RefusesUsersWhoAreNotTheItems) {
  const Model::Deps deps{.num_users = 4, .num_items = 4, .mutual = false};
  EXPECT_THROW(LinkSimilarity({}, deps), ConfigError);
}

}  // namespace
}  // namespace reckon::link_similarity_test
