#include "models/ials.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <map>

#include "core/diagnostics.h"

namespace reckon::ials_test {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kUsers = 6, kItems = 9;

// User 5 has no rows, item 8 none, user 2 has item 3 twice.
Interactions few_rows() {
  const std::vector<std::vector<int64_t>> rows = {{0, 1, 2}, {1, 2, 4}, {3, 0, 3}, {5, 6}, {7}, {}};
  std::vector<int64_t> offsets{0}, items;
  for (const auto& user : rows) {
    items.insert(items.end(), user.begin(), user.end());
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  Interactions train;
  train.num_users = kUsers;
  train.num_items = kItems;
  train.user_offsets = torch::tensor(offsets, torch::kLong);
  train.items = torch::tensor(items, torch::kLong).to(torch::kInt);
  return train;
}

Interactions with_ratings(std::vector<double> ratings) {
  auto train = few_rows();
  train.labels = torch::tensor(ratings, torch::kDouble).to(torch::kFloat);
  return train;
}

std::shared_ptr<Ials> made(const Ials::Options& options, const Interactions& train) {
  return std::make_shared<Ials>(options, Model::Deps{.num_users = kUsers,
                                                     .num_items = kItems,
                                                     .train = &train,
                                                     .has_ratings = train.labels.defined()});
}

std::vector<double> fit(Ials& model, const Interactions& train) {
  std::vector<double> losses;
  for (int64_t round = 0; round < model.num_rounds(); ++round)
    losses.push_back(model.fit(train, {.seed = 3, .round = round}));
  return losses;
}

// What a pair weighs, in double precision: [U, I] each.
struct Dense {
  torch::Tensor confidence, preference, observed;
};

Dense dense(const Interactions& train, const Ials::Options& options) {
  Dense d;
  d.observed = torch::zeros({kUsers, kItems}, torch::kDouble);
  d.preference = torch::zeros({kUsers, kItems}, torch::kDouble);
  auto weight = torch::zeros({kUsers, kItems}, torch::kDouble);
  const bool target = options.ratings == Ials::Ratings::kTarget;
  const double mean = target ? train.labels.mean().item<double>() : 0.0;
  for (int64_t u = 0; u < kUsers; ++u)
    for (auto r = train.user_offsets[u].item<int64_t>();
         r < train.user_offsets[u + 1].item<int64_t>(); ++r) {
      const auto i = train.items[r].item<int64_t>();
      d.observed[u][i] = 1.0;
      d.preference[u][i] = target ? train.labels[r].item<double>() - mean : 1.0;
      weight[u][i] +=
          options.ratings == Ials::Ratings::kConfidence ? train.labels[r].item<double>() : 1.0;
    }
  d.confidence = target ? d.observed : 1.0 + options.alpha * weight;
  return d;
}

double loss_of(const Ials& model, const Dense& d, const Ials::Options& options) {
  const auto users = const_cast<Ials&>(model).user_vectors()->to(torch::kDouble);
  const auto items = const_cast<Ials&>(model).item_vectors()->to(torch::kDouble);
  const auto misses = (d.preference - users.matmul(items.t())).square() * d.confidence;  // [U, I]
  auto by_user = users.square().sum(1), by_item = items.square().sum(1);
  if (options.per_interaction) {
    by_user = by_user * d.observed.sum(1);
    by_item = by_item * d.observed.sum(0);
  }
  return (misses.sum() + options.regularization * (by_user.sum() + by_item.sum())).item<double>() /
         d.observed.sum().item<double>();
}

std::vector<Ials::Options> all_kinds() {
  std::vector<Ials::Options> all;
  for (const auto ratings :
       {Ials::Ratings::kIgnored, Ials::Ratings::kConfidence, Ials::Ratings::kTarget})
    for (const bool per_interaction : {false, true})
      for (const auto solver : {Ials::Solver::kCholesky, Ials::Solver::kCg})
        all.push_back({.dim = 4,
                       .iterations = 8,
                       .alpha = 3.0,
                       .regularization = 0.3,
                       .per_interaction = per_interaction,
                       .ratings = ratings,
                       .solver = solver,
                       .cg_steps = 8});
  return all;
}

TEST(Ials, ItsLossIsTheSumOverAllPairs) {
  const auto train = with_ratings({5, 3, 4, 1, 2, 5, 4, 3, 2, 1, 5, 4});
  for (const auto& options : all_kinds()) {
    const auto model = made(options, train);
    const auto losses = fit(*model, train);
    EXPECT_NEAR(losses.back(), loss_of(*model, dense(train, options), options),
                1e-4 * losses.back());
  }
}

TEST(Ials, NoRoundMakesItWorse) {
  const auto train = with_ratings({5, 3, 4, 1, 2, 5, 4, 3, 2, 1, 5, 4});
  for (const auto& options : all_kinds()) {
    const auto losses = fit(*made(options, train), train);
    for (size_t round = 1; round < losses.size(); ++round)
      EXPECT_LE(losses[round], losses[round - 1] * (1 + 1e-5)) << "round " << round;
    EXPECT_LT(losses.back(), losses.front());
  }
}

TEST(Ials, AtTheEndOfARoundEachItemHasItsLeastSquares) {
  const auto train = few_rows();
  const Ials::Options options{.dim = 3,
                              .iterations = 4,
                              .alpha = 2,
                              .regularization = 0.5,
                              .solver = Ials::Solver::kCholesky};
  const auto model = made(options, train);
  fit(*model, train);
  const auto d = dense(train, options);
  const auto users = model->user_vectors()->to(torch::kDouble);  // [U, D]
  for (int64_t item = 0; item < kItems; ++item) {
    const auto c = d.confidence.select(1, item);  // [U]
    const auto a = users.t().matmul(c.unsqueeze(1) * users) + 0.5 * torch::eye(3, torch::kDouble);
    const auto b = users.t().matmul(c * d.preference.select(1, item));
    EXPECT_TRUE(torch::allclose((*model->item_vectors())[item].to(torch::kDouble),
                                at::linalg_solve(a, b), 1e-3, 1e-4))
        << item;
  }
}

Batch request(const torch::Tensor& users, const torch::Tensor& history) {
  Batch batch(users.size(0));
  batch.set(batch_key::kUsers, users);
  batch.set(batch_key::kHistory, history);
  return batch;
}

TEST(Ials, GivesANewUserTheLeastSquaresOfItsHistory) {
  const auto train = few_rows();
  for (const bool per_interaction : {false, true}) {
    const Ials::Options options{
        .dim = 3, .alpha = 2, .regularization = 0.5, .per_interaction = per_interaction};
    const auto model = made(options, train);
    fit(*model, train);
    // Item 3 twice; padding on the left.
    const auto history = torch::tensor({{-1, 3, 0, 3}, {-1, -1, -1, -1}}, torch::kLong);
    const auto state = model->encode(request(torch::tensor({-1, 5}, torch::kLong), history));
    const auto items = model->item_vectors()->to(torch::kDouble);
    auto confidence = torch::ones({kItems}, torch::kDouble);
    confidence[0] = 3.0;
    confidence[3] = 5.0;
    auto preference = torch::zeros({kItems}, torch::kDouble);
    preference[0] = preference[3] = 1.0;
    const double added = 0.5 * (per_interaction ? 2 : 1);
    const auto a =
        items.t().matmul(confidence.unsqueeze(1) * items) + added * torch::eye(3, torch::kDouble);
    const auto b = items.t().matmul(confidence * preference);
    EXPECT_TRUE(torch::allclose(state.tensors[0][0].to(torch::kDouble), at::linalg_solve(a, b),
                                1e-3, 1e-4));
    EXPECT_TRUE(state.tensors[0][1].eq(0).all().item<bool>()) << "nothing is known of it";
  }
}

TEST(Ials, ExplainsAScoreByTheItemsOfTheHistoryAsThePaperDoes) {
  const auto train = few_rows();
  for (const bool per_interaction : {false, true}) {
    const auto model =
        made({.dim = 3, .alpha = 2, .regularization = 0.5, .per_interaction = per_interaction},
             train);
    fit(*model, train);
    // Item 3 twice; the second row is a known user with the same history, the third has nothing.
    const auto history =
        torch::tensor({{-1, 3, 0, 3}, {-1, 3, 0, 3}, {-1, -1, -1, -1}}, torch::kLong);
    const auto asked = request(torch::tensor({-1, 2, -1}, torch::kLong), history);
    const auto why = model->contributions(asked, torch::tensor({4, 4, 4}, torch::kLong));
    const auto y = model->item_vectors()->to(torch::kDouble);
    const double added = 0.5 * (per_interaction ? 2 : 1);
    auto confidence = torch::ones({kItems}, torch::kDouble);
    confidence[0] = 3.0;
    confidence[3] = 5.0;
    const auto system =
        y.t().matmul(confidence.unsqueeze(1) * y) + added * torch::eye(3, torch::kDouble);
    const auto similar = y.matmul(at::linalg_solve(system, y[4]));  // [I]
    for (int64_t row = 0; row < 2; ++row) {
      std::map<int64_t, double> shares;
      for (int64_t p = 0; p < why.sources.size(1); ++p)
        if (why.sources[row][p].item<int64_t>() >= 0)
          shares[why.sources[row][p].item<int64_t>()] = why.contributions[row][p].item<double>();
      ASSERT_EQ(shares.size(), 2u);
      EXPECT_NEAR(shares.at(0), 3.0 * similar[0].item<double>(), 1e-4);
      EXPECT_NEAR(shares.at(3), 5.0 * similar[3].item<double>(), 1e-4);
    }
    const auto scores = model->score(model->encode(asked), torch::full({3, 1}, 4, torch::kLong));
    EXPECT_TRUE(
        torch::allclose(why.contributions.sum(1) + why.rest, scores.squeeze(1), 1e-4, 1e-5));
    EXPECT_EQ(why.rest[0].item<float>(), 0.0f) << "a new user is all history";
    EXPECT_TRUE(why.sources[2].lt(0).all().item<bool>());
  }
  const auto rated = with_ratings({1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2});
  EXPECT_FALSE(made({.dim = 3, .ratings = Ials::Ratings::kTarget}, rated)->explains());
}

TEST(Ials, TakesTheStoredVectorOfAUserWhomItKnows) {
  const auto train = few_rows();
  const auto model = made({.dim = 3}, train);
  fit(*model, train);
  const auto history = torch::tensor({{8, 7}, {-1, 7}}, torch::kLong);
  const auto state = model->encode(request(torch::tensor({1, 5}, torch::kLong), history));
  EXPECT_TRUE(torch::equal(state.tensors[0][0], (*model->user_vectors())[1]));
  EXPECT_FALSE(state.tensors[0][1].eq(0).all().item<bool>()) << "user 5 had no rows in training";
  const auto usable = model->usable(request(torch::tensor({1, 5, 5}, torch::kLong),
                                            torch::tensor({{-1}, {-1}, {7}}, torch::kLong)));
  EXPECT_TRUE(torch::equal(usable, torch::tensor({true, false, true})));
}

TEST(Ials, TheSeedDecidesAndTheThreadsDoNot) {
  const auto train = few_rows();
  const int before = at::get_num_threads();
  std::vector<torch::Tensor> found;
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    const auto model = made({.dim = 5, .iterations = 3}, train);
    fit(*model, train);
    found.push_back(model->item_vectors()->clone());
  }
  at::set_num_threads(before);
  EXPECT_TRUE(torch::equal(found[0], found[1]));
  const auto other = made({.dim = 5, .iterations = 1}, train),
             same = made({.dim = 5, .iterations = 1}, train);
  other->fit(train, {.seed = 1});
  same->fit(train, {.seed = 2});
  EXPECT_FALSE(torch::equal(*other->item_vectors(), *same->item_vectors()));
}

TEST(Ials, PredictsRatingsAroundTheirMean) {
  const auto train = with_ratings({5, 5, 5, 1, 1, 5, 3, 3, 3, 1, 5, 3});
  const auto model = made({.dim = 4,
                           .iterations = 30,
                           .regularization = 0.01,
                           .ratings = Ials::Ratings::kTarget,
                           .solver = Ials::Solver::kCholesky},
                          train);
  fit(*model, train);
  Batch batch(2);
  batch.set(batch_key::kUsers, torch::tensor({0, 5}, torch::kLong));
  const auto scores =
      model->score(model->encode(batch), torch::tensor({{0, 1, 2}, {0, 1, 2}}, torch::kLong));
  EXPECT_TRUE(torch::allclose(scores[0], torch::full({3}, 5.0), 0.0, 0.2));
  EXPECT_TRUE(torch::allclose(scores[1], torch::full({3}, train.labels.mean().item<float>()), 1e-5))
      << "a user without ratings gets the mean";
}

TEST(Ials, WithMoreFactorsThanTheDataHasRankItStillSolves) {
  const auto train = few_rows();
  for (const auto solver : {Ials::Solver::kCholesky, Ials::Solver::kCg}) {
    const auto model = made({.dim = 40, .regularization = 0.1, .solver = solver}, train);
    for (const double loss : fit(*model, train)) EXPECT_TRUE(std::isfinite(loss));
  }
}

TEST(Ials, RefusesRatingsThatAreNoConfidence) {
  const auto train = with_ratings({5, 3, 4, 1, 2, 5, 4, -3, 2, 1, 5, 4});
  const auto model = made({.ratings = Ials::Ratings::kConfidence}, train);
  try {
    model->fit(train, {});
    FAIL() << "fitted";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("must be at least 0; there is one of -3"));
  }
}

TEST(Ials, RefusesRatingsThatAreNotThere) {
  const auto train = few_rows();
  for (const auto ratings : {Ials::Ratings::kConfidence, Ials::Ratings::kTarget})
    EXPECT_THROW(made({.ratings = ratings}, train), ConfigError);
}

}  // namespace
}  // namespace reckon::ials_test
