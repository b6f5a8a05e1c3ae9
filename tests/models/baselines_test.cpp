#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/ids.h"
#include "models/popularity.h"
#include "models/random.h"

namespace reckon::baselines_test {
namespace {

Interactions some_interactions() {
  Interactions data;
  data.num_users = 3;
  data.num_items = 4;
  data.user_offsets = torch::tensor({0, 2, 3, 5}, torch::kLong);
  data.items = torch::tensor({1, 3, 3, 3, 0}, torch::kInt);
  return data;
}

TEST(Popularity, ScoresAreTheCountsOfTraining) {
  Popularity model({}, {.num_users = 3, .num_items = 4});
  model.fit(some_interactions(), {});
  Batch request(2);
  request.set(batch_key::kUsers, torch::tensor({int64_t{0}, kUnknownId}, torch::kLong));
  const auto all = torch::arange(4).unsqueeze(0).expand({2, 4});  // [B, I]
  const auto expected = torch::tensor({{1.f, 1.f, 0.f, 3.f}, {1.f, 1.f, 0.f, 3.f}});
  EXPECT_TRUE(torch::equal(model.score(model.encode(request), all), expected));
}

TEST(Popularity, RefusesDataOfAnotherSize) {
  Popularity model({}, {.num_users = 3, .num_items = 5});
  EXPECT_THROW(model.fit(some_interactions(), {}), c10::Error);
}

TEST(Random, ScoresAreUniformAndDifferBetweenUsers) {
  Random model({}, {.num_users = 500, .num_items = 200});
  Batch request(500);
  request.set(batch_key::kUsers, torch::arange(500));
  const auto all = torch::arange(200).unsqueeze(0).expand({500, 200});  // [B, I]
  const auto scores = model.score(model.encode(request), all);          // [B, I]
  // Standard error of the mean of 100,000 uniforms is 0.0009, of a decile's share 0.001.
  EXPECT_NEAR(scores.mean().item<double>(), 0.5, 0.005);
  for (int decile = 0; decile < 10; ++decile) {
    const auto inside = scores.ge(decile / 10.0).logical_and(scores.lt((decile + 1) / 10.0));
    EXPECT_NEAR(inside.to(torch::kDouble).mean().item<double>(), 0.1, 0.006) << decile;
  }
  // Neighbouring users and items must not resemble each other.
  const auto centred = scores - 0.5;
  const auto correlation = [](const torch::Tensor& a, const torch::Tensor& b) {
    return ((a * b).mean() * 12.0).item<double>();
  };
  EXPECT_NEAR(correlation(centred.narrow(0, 0, 499), centred.narrow(0, 1, 499)), 0.0, 0.02);
  EXPECT_NEAR(correlation(centred.narrow(1, 0, 199), centred.narrow(1, 1, 199)), 0.0, 0.02);
}

TEST(Random, AnotherSeedIsAnotherRanking) {
  Random one({.seed = 1}, {.num_users = 2, .num_items = 50});
  Random two({.seed = 2}, {.num_users = 2, .num_items = 50});
  Batch request(1);
  request.set(batch_key::kUsers, torch::tensor({1}, torch::kLong));
  const auto all = torch::arange(50).unsqueeze(0);  // [1, I]
  const auto a = one.score(one.encode(request), all), b = two.score(two.encode(request), all);
  EXPECT_FALSE(torch::equal(a.argsort(), b.argsort()));
  EXPECT_TRUE(torch::equal(a, one.score(one.encode(request), all)));
}

}  // namespace
}  // namespace reckon::baselines_test
