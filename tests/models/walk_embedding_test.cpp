#include "models/walk_embedding.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "core/diagnostics.h"
#include "core/ids.h"
#include "models/propagation.h"

namespace reckon::walk_embedding_test {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kUsers = 24, kItems = 30, kGroups = 3;

bool is_held_out(int64_t user, int64_t item) { return (user / kGroups + item / kGroups) % 4 == 0; }

// Users and items of three groups (by what is left over of three); each user has three quarters of the
// items of its own. User 23 has no rows, item 29 neither.
Interactions groups() {
  Interactions train;
  train.num_users = kUsers;
  train.num_items = kItems;
  std::vector<int64_t> offsets{0}, items;
  for (int64_t user = 0; user < kUsers; ++user) {
    for (int64_t item = user % kGroups; item < kItems - 1 && user < kUsers - 1; item += kGroups)
      if (!is_held_out(user, item)) items.push_back(item);
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  train.user_offsets = torch::tensor(offsets, torch::kLong);
  train.items = torch::tensor(items, torch::kLong).to(torch::kInt);
  return train;
}

std::shared_ptr<WalkEmbedding> made(const WalkEmbedding::Options& options,
                                    const Interactions& train, const Graph* graph = nullptr) {
  return std::make_shared<WalkEmbedding>(
      options,
      Model::Deps{.num_users = kUsers, .num_items = kItems, .train = &train, .graph = graph});
}

std::vector<double> fit(WalkEmbedding& model, const Interactions& train, uint64_t seed = 3) {
  std::vector<double> losses;
  for (int64_t round = 0; round < model.num_rounds(); ++round)
    losses.push_back(model.fit(train, {.seed = seed, .round = round}));
  return losses;
}

Batch request(const torch::Tensor& users, const torch::Tensor& history) {
  Batch batch(users.size(0));
  batch.set(batch_key::kUsers, users);
  batch.set(batch_key::kHistory, history);
  return batch;
}

torch::Tensor all_scores(WalkEmbedding& model) {
  const auto users = torch::arange(kUsers);                                        // [U]
  const auto none = torch::full({kUsers, 1}, kPaddingId, torch::kLong);            // [U, 1]
  const auto items = torch::arange(kItems).unsqueeze(0).expand({kUsers, kItems});  // [U, I]
  return model.score(model.encode(request(users, none)), items);                   // [U, I]
}

const WalkEmbedding::Options kSmall{.dim = 8, .walk_length = 12, .window = 3, .epochs = 12};

TEST(WalkEmbedding, RanksTheItemsThatWereHeldOutAboveThoseOfOtherGroups) {
  const auto train = groups();
  for (const auto score : {WalkEmbedding::Score::kMeeting, WalkEmbedding::Score::kVectors})
    for (const bool lock_free : {false, true}) {
      auto options = kSmall;
      options.epochs = 60;
      options.score = score;
      options.lock_free = lock_free;
      const auto model = made(options, train);
      const auto losses = fit(*model, train);
      EXPECT_LT(losses.back(), 0.95 * losses.front());
      const auto scores = all_scores(*model);
      int64_t right = 0, total = 0;
      for (int64_t user = 0; user < kUsers - 1; ++user)
        for (int64_t item = user % kGroups; item < kItems - 1; item += kGroups) {
          if (!is_held_out(user, item)) continue;
          for (int64_t other = 0; other < kItems - 1; ++other) {
            if (other % kGroups == user % kGroups) continue;
            right += scores[user][item].item<float>() > scores[user][other].item<float>();
            ++total;
          }
        }
      EXPECT_GT(static_cast<double>(right), 0.9 * static_cast<double>(total));
    }
}

// Walks of two nodes: a user meets its own items and nothing else.
TEST(WalkEmbedding, ItsScoreOfMeetingIsTheLogarithmOfTheOdds) {
  Interactions train;
  train.num_users = 2;
  train.num_items = 3;
  train.user_offsets = torch::tensor({0, 2, 4}, torch::kLong);
  train.items = torch::tensor({0, 1, 1, 2}, torch::kInt);
  WalkEmbedding model({.dim = 4,
                       .walks_per_node = 200,
                       .walk_length = 2,
                       .window = 1,
                       .negatives = 3,
                       .epochs = 40,
                       .lr = 0.1},
                      {.num_users = 2, .num_items = 3, .train = &train});
  fit(model, train);
  const auto state = model.encode(
      request(torch::tensor({0, 1}, torch::kLong), torch::full({2, 1}, kPaddingId, torch::kLong)));
  const auto scores = model.score(state, torch::tensor({{0, 1}, {2, 1}}, torch::kLong));  // [2, 2]
  // From user 0 half of the walks go to each of its items; from item 0 all go to it, from item 1 half. So
  // the share of item 0 among what it meets is (1/2 + 1) / (1 + 1 + 1/2).
  const auto logit = [](double p) { return std::log(p / (1.0 - p)); };
  for (int64_t user = 0; user < 2; ++user) {
    EXPECT_NEAR(scores[user][0].item<double>(), logit(0.6), 0.25);
    EXPECT_NEAR(scores[user][1].item<double>(), logit(0.4), 0.25);
  }
}

TEST(WalkEmbedding, IsAFunctionOfTheSeedOnAnyNumberOfThreads) {
  const auto train = groups();
  const int before = at::get_num_threads();
  torch::Tensor first;
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    const auto model = made(kSmall, train);
    fit(*model, train);
    if (!first.defined()) first = all_scores(*model);
    EXPECT_TRUE(torch::equal(all_scores(*model), first)) << threads;
  }
  at::set_num_threads(before);
  const auto other = made(kSmall, train);
  fit(*other, train, 4);
  EXPECT_FALSE(torch::equal(all_scores(*other), first));
}

TEST(WalkEmbedding, ARoundNeedsNothingButTheBuffersOfTheLast) {
  const auto train = groups();
  const auto whole = made(kSmall, train);
  fit(*whole, train);
  auto model = made(kSmall, train);
  for (int64_t round = 0; round < model->num_rounds(); ++round) {
    const auto next = made(kSmall, train);
    const torch::NoGradGuard no_grad;
    for (const auto& buffer : model->named_buffers())
      next->named_buffers()[buffer.key()].copy_(buffer.value());
    model = next;
    model->fit(train, {.seed = 3, .round = round});
  }
  EXPECT_TRUE(torch::equal(all_scores(*model), all_scores(*whole)));
}

TEST(WalkEmbedding, GivesANewUserTheMeanOfTheVectorsOfItsItems) {
  const auto train = groups();
  const auto model = made(kSmall, train);
  fit(*model, train);
  const auto items = *model->item_vectors();  // [I, D]
  // Item 6 twice; user 23 has no rows in training and is new too.
  const auto history = torch::tensor({{kPaddingId, int64_t{6}, int64_t{0}, int64_t{6}},
                                      {kPaddingId, kPaddingId, int64_t{9}, kUnknownId},
                                      {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{4}}});  // [B, T]
  const auto users = torch::tensor({kUnknownId, int64_t{23}, int64_t{5}});                 // [B]
  const auto queries = model->queries(model->encode(request(users, history))).squeeze(1);  // [B, D]
  EXPECT_TRUE(torch::allclose(queries[0], (items[0] + items[6]) / 2));
  EXPECT_TRUE(torch::allclose(queries[1], items[9]));
  EXPECT_TRUE(torch::equal(queries[2], (*model->user_vectors())[5])) << "a known one has its own";
}

TEST(WalkEmbedding, ItsFactorsGiveItsScores) {
  const auto train = groups();
  for (const auto score : {WalkEmbedding::Score::kMeeting, WalkEmbedding::Score::kVectors}) {
    auto options = kSmall;
    options.score = score;
    const auto model = made(options, train);
    fit(*model, train);
    const auto factors = *model->factors();
    auto products = model->user_vectors()->matmul(factors.items.t());  // [U, I]
    if (factors.item_bias.defined()) products = products + factors.item_bias;
    EXPECT_TRUE(torch::allclose(all_scores(*model).slice(0, 0, kUsers - 1),
                                products.slice(0, 0, kUsers - 1), 1e-4, 1e-5));
  }
}

TEST(WalkEmbedding, WhatNoWalkComesByIsRankedBehindAllElse) {
  const auto train = groups();
  const auto model = made(kSmall, train);
  fit(*model, train);
  const auto scores = all_scores(*model);  // [U, I]
  EXPECT_TRUE(scores.isfinite().all().item<bool>());
  EXPECT_TRUE(scores.argmin(1).eq(kItems - 1).slice(0, 0, kUsers - 1).all().item<bool>());
  EXPECT_EQ((*model->item_vectors())[kItems - 1].abs().sum().item<double>(), 0.0);
}

TEST(WalkEmbedding, OfMutualDataUsersAndItemsAreTheSameNodes) {
  // A ring of eight: friends of friends are two steps apart.
  Interactions train;
  train.num_users = train.num_items = 8;
  train.mutual = true;
  train.user_offsets = torch::arange(0, 18, 2);
  const auto users = torch::arange(8);
  train.items = torch::stack({(users + 7).remainder(8), (users + 1).remainder(8)}, 1)
                    .flatten()
                    .to(torch::kInt);
  WalkEmbedding model(
      {.dim = 8, .walks_per_node = 20, .walk_length = 10, .window = 2, .epochs = 30},
      {.num_users = 8, .num_items = 8, .train = &train});
  fit(model, train);
  EXPECT_TRUE(torch::equal(*model.user_vectors(), *model.item_vectors()));
  EXPECT_EQ(model.named_buffers()["vectors"].size(0), 8);
  const auto state = model.encode(request(users, torch::full({8, 1}, kPaddingId, torch::kLong)));
  const auto scores = model.score(state, users.unsqueeze(0).expand({8, 8}));  // [U, U]
  for (int64_t user = 0; user < 8; ++user)
    EXPECT_GT(scores[user][(user + 2) % 8].item<float>(),
              scores[user][(user + 4) % 8].item<float>());
  WalkEmbedding along({.dim = 8, .epochs = 1, .metapath = {"user", "item", "user"}},
                      {.num_users = 8, .num_items = 8, .train = &train});
  EXPECT_NO_THROW(fit(along, train));
}

// The graph of the interactions, and two genres that tell odd items from even ones.
Graph with_genres(const Interactions& train) {
  auto graph = interaction_graph(train);
  const NodeRange items{kUsers, kItems}, genres{kUsers + kItems, 2};
  graph.node_types.push_back({"item.genre", genres});
  graph.relations.push_back({.name = "item.genre",
                             .sources = items,
                             .targets = genres,
                             .offsets = torch::arange(kItems + 1),
                             .ends = torch::arange(kItems).remainder(2).to(torch::kInt),
                             .kind = EdgeKind::kAttribute});
  return graph;
}

TEST(WalkEmbedding, LearnsTheNodesOfItsPathAlone) {
  const auto train = groups();
  const auto graph = with_genres(train);
  auto options = kSmall;
  const auto moved = [&](const std::vector<std::string>& metapath) {
    options.metapath = metapath;
    const auto model = made(options, train, &graph);
    fit(*model, train);
    const auto vectors = model->named_buffers()["vectors"];  // [N, D]
    EXPECT_EQ(vectors.size(0), kUsers + kItems + 2);
    return vectors.abs().sum(1).gt(0);  // [N]
  };
  const auto of_genres = [](const torch::Tensor& rows) { return rows.slice(0, kUsers + kItems); };
  EXPECT_FALSE(of_genres(moved({"user", "item", "user"})).any().item<bool>());
  EXPECT_TRUE(of_genres(moved({"user", "item", "item.genre", "item", "user"})).all().item<bool>());
  EXPECT_TRUE(of_genres(moved({})).all().item<bool>());
}

TEST(WalkEmbedding, SaysWhichTypeOrRelationTheGraphHasNot) {
  const auto train = groups();
  const auto graph = with_genres(train);
  const auto complaint = [&](const WalkEmbedding::Options& options) -> std::string {
    try {
      made(options, train, &graph);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(complaint({.metapath = {"user", "item", "item.genres", "item", "user"}}),
              HasSubstr("model.metapath: the graph has no nodes of type 'item.genres'"));
  EXPECT_THAT(complaint({.relations = {"friends"}}),
              HasSubstr("model.relations: the graph has no relation 'friends'"));
}

TEST(WalkEmbedding, RefusesWhatHasNoEdges) {
  auto train = groups();
  train.user_offsets = torch::zeros({kUsers + 1}, torch::kLong);
  train.items = torch::empty({0}, torch::kInt);
  const auto model = made(kSmall, train);
  EXPECT_THROW(model->fit(train, {}), std::invalid_argument);
}

TEST(WalkEmbedding, RefusesDataOfAnotherSize) {
  auto train = groups();
  const auto model = made(kSmall, train);
  train.num_items = kItems + 1;
  EXPECT_THROW(model->fit(train, {}), c10::Error);
}

}  // namespace
}  // namespace reckon::walk_embedding_test
