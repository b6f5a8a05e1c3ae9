// Scores divided among what they are sums of: shares, each against a formula of its own, and their
// sum.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "core/ids.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/ease.h"
#include "models/gf_cf.h"
#include "models/item_knn.h"
#include "models/knn_ratings.h"
#include "models/pure_svd.h"
#include "models/slim.h"
#include "models/user_knn.h"
#include "tests/models/linear_support.h"

namespace reckon::explanation_test {
namespace {

using Shares = std::map<int64_t, double>;
constexpr int64_t kPad = kPaddingId;

Batch history_of(const std::vector<int64_t>& items) {
  Batch request(1);
  request.set(batch_key::kHistory, torch::tensor(items, torch::kLong).unsqueeze(0));
  return request;
}

double score_of(Model& model, const Batch& request, int64_t item) {
  return model.score(model.encode(request), torch::full({1, 1}, item, torch::kLong)).item<double>();
}

// By source; a source that stands there twice fails.
Shares shares_of(const Explanation& explanation, int64_t row) {
  Shares out;
  for (int64_t p = 0; p < explanation.sources.size(1); ++p) {
    const auto source = explanation.sources[row][p].item<int64_t>();
    const auto share = explanation.contributions[row][p].item<double>();
    if (source < 0) {
      EXPECT_EQ(share, 0.0) << "of nothing";
      continue;
    }
    EXPECT_TRUE(out.emplace(source, share).second) << source << " is there twice";
  }
  return out;
}

Explanation explain(Model& model, const Batch& request, int64_t item) {
  return model.contributions(request, torch::full({request.size()}, item, torch::kLong));
}

double sum_of(const Shares& shares) {
  double sum = 0.0;
  for (const auto& [_, share] : shares) sum += share;
  return sum;
}

// --- Items of a history whose scores add up: an item brings what it scores alone.

std::vector<std::shared_ptr<Model>> linear_models(const Interactions& data) {
  const Model::Deps deps{.num_users = data.num_users, .num_items = data.num_items};
  std::vector<std::shared_ptr<Model>> models = {
      std::make_shared<ItemKnn>(ItemKnn::Options{.neighbors = 4}, deps),
      std::make_shared<Ease>(Ease::Options{.regularization = 3.0, .keep = 5}, deps),
      std::make_shared<Slim>(Slim::Options{.l1 = 0.01, .l2 = 0.1}, deps),
      std::make_shared<GfCf>(GfCf::Options{.alpha = 0.7, .factors = 3}, deps),
      std::make_shared<PureSvd>(PureSvd::Options{.factors = 3}, deps)};
  for (const auto& model : models) {
    model->eval();
    model->fittable()->fit(data, {});
  }
  return models;
}

TEST(Explanation, AnItemOfALinearModelBringsWhatItScoresAlone) {
  for (const auto& [users, items] :
       std::vector<std::tuple<int64_t, int64_t>>{{1, 1}, {5, 3}, {60, 20}}) {
    const auto data = made_interactions(users, items, 5);
    const auto requests = requests_of(data);
    const auto histories = requests.at(batch_key::kHistory);  // [U, T]
    for (const auto& model : linear_models(data)) {
      ASSERT_TRUE(model->explains().has_value());
      EXPECT_FALSE(model->explains()->reads_training);
      for (const int64_t item : {int64_t{0}, items / 2, items - 1}) {
        const auto got = explain(*model, requests, item);
        const auto scores =
            model->score(model->encode(requests), torch::full({users, 1}, item, torch::kLong));
        for (int64_t u = 0; u < std::min<int64_t>(users, 8); ++u) {
          Shares expected;
          for (int64_t t = 0; t < histories.size(1); ++t)
            if (const auto own = histories[u][t].item<int64_t>(); own >= 0)
              expected[own] = score_of(*model, history_of({own}), item);
          const auto shares = shares_of(got, u);
          ASSERT_EQ(shares.size(), expected.size());
          for (const auto& [own, share] : expected) {
            EXPECT_NEAR(shares.at(own), share, 1e-5) << own;
          }
          EXPECT_EQ(got.rest[u].item<double>(), 0.0);
          EXPECT_NEAR(sum_of(shares), scores[u].item<double>(), 1e-4);
        }
      }
    }
  }
}

TEST(Explanation, OfALinearModelCountsAnItemOnceAndNothingWithoutItems) {
  const auto data = made_interactions(60, 20, 6);
  for (const auto& model : linear_models(data)) {
    const auto once = shares_of(explain(*model, history_of({kPad, 3, 7}), 5), 0);
    EXPECT_EQ(shares_of(explain(*model, history_of({7, 3, 7}), 5), 0), once);
    EXPECT_EQ(once.size(), 2U);
    EXPECT_THAT(shares_of(explain(*model, history_of({kPad, kUnknownId}), 5), 0),
                ::testing::IsEmpty());
  }
}

TEST(Explanation, RatersBringTheirRatingByTheirPartOfTheSimilarities) {
  const auto data = made_interactions(30, 14, 9);
  const auto ratings = dense_of(data, /*ratings=*/true);  // [U, I], zero where there is none
  using Side = KnnRatings::Options::Side;
  for (const auto side : {Side::kUsers, Side::kItems}) {
    KnnRatings model({.side = side, .neighbors = 3}, {.num_users = 30, .num_items = 14});
    model.fit(data, {});
    ASSERT_EQ(model.explains()->by,
              side == Side::kUsers ? Explains::By::kUsers : Explains::By::kItems);
    Batch request(31);
    request.set(batch_key::kUsers,
                torch::cat({torch::arange(30), torch::full({1}, kUnknownId, torch::kLong)}));
    int64_t num_explained = 0;
    for (int64_t item = 0; item < 14; ++item) {
      const auto got = explain(model, request, item);
      const auto scores =
          model.score(model.encode(request), torch::full({31, 1}, item, torch::kLong));
      EXPECT_THAT(shares_of(got, 30), ::testing::IsEmpty());
      for (int64_t u = 0; u < 30; ++u) {
        const auto similar = model.similarities()[side == Side::kUsers ? u : item];
        const auto given = side == Side::kUsers ? ratings.select(1, item) : ratings[u];
        std::vector<std::pair<double, int64_t>> near;
        for (int64_t other = 0; other < given.size(0); ++other)
          if (given[other].item<double>() > 0.0 && similar[other].item<double>() > 0.0)
            near.emplace_back(-similar[other].item<double>(), other);
        std::sort(near.begin(), near.end());
        if (near.size() > 3) near.resize(3);
        double all = 0.0;
        for (const auto& [similarity, _] : near) all -= similarity;
        const auto shares = shares_of(got, u);
        ASSERT_EQ(shares.size(), near.size()) << u << " and " << item;
        for (const auto& [similarity, other] : near) {
          EXPECT_NEAR(shares.at(other), -similarity * given[other].item<double>() / all, 1e-4);
          ++num_explained;
        }
        EXPECT_NEAR(sum_of(shares) + got.rest[u].item<double>(), scores[u].item<double>(), 1e-4);
      }
    }
    EXPECT_GT(num_explained, 100);
  }
}

TEST(Explanation, NeighborsOfAUserBringTheirSimilarityWhereTheyHaveTheItem) {
  for (const auto& [users, items] :
       std::vector<std::tuple<int64_t, int64_t>>{{1, 1}, {30, 14}, {60, 8}}) {
    const auto data = made_interactions(users, items, 7);
    UserKnn model({.neighbors = 6}, {.num_users = users, .num_items = items});
    model.fit(data, {});
    ASSERT_EQ(model.explains()->by, Explains::By::kUsers);
    const auto has = dense_of(data, /*ratings=*/false);  // [U, I]
    const auto requests = requests_of(data);
    const auto state = model.encode(requests);
    for (int64_t item = 0; item < items; ++item) {
      const auto got = explain(model, requests, item);
      const auto scores = model.score(state, torch::full({users, 1}, item, torch::kLong));
      for (int64_t u = 0; u < users; ++u) {
        Shares expected;
        for (int64_t k = 0; k < state.tensors[0].size(1); ++k)
          if (const auto other = state.tensors[0][u][k].item<int64_t>(); other >= 0)
            expected[other] =
                state.tensors[1][u][k].item<double>() * has[other][item].item<double>();
        EXPECT_EQ(shares_of(got, u), expected);
        EXPECT_NEAR(sum_of(expected) + got.rest[u].item<double>(), scores[u].item<double>(), 1e-5);
      }
    }
  }
}

// --- The family: users made of the items of their history.

constexpr int64_t kUsers = 5, kItems = 11;

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

std::shared_ptr<Model> make(const std::string& user, const std::string& scorer = "{type: dot}") {
  static const auto catalog = [] {
    Catalog catalog;
    add_layers(catalog);
    add_models(catalog);
    return catalog;
  }();
  const auto slot =
      read_config<Slot>(parse_yaml("model: {family: retrieval, dim: 6, user: " + user +
                                       ", scorer: " + scorer + ", objectives: [{type: bpr}]}\n",
                                   "test.yaml"),
                        catalog);
  torch::manual_seed(3);
  auto model = slot.model.build({.num_users = kUsers, .num_items = kItems});
  const torch::NoGradGuard no_grad;
  for (auto& parameter : model->parameters())
    if (parameter.dim() == 2 && parameter.size(0) > 2)
      parameter.narrow(0, 2, parameter.size(0) - 2).normal_(0, 0.5);
  for (auto& item : model->named_parameters())
    if (item.key() == "scorer.global_bias") item.value().fill_(0.7);
  model->eval();
  return model;
}

std::string history(const std::string& encoder, const std::string& more = "",
                    const std::string& position = "none") {
  return "{" + more + "history: {max_length: 6, dropout: 0.0, position: {type: " + position +
         "}, encoder: {type: " + encoder + "}}}";
}

TEST(Explanation, AnItemOfAMeanBringsItsPartOfWhatItScoresAlone) {
  const torch::NoGradGuard no_grad;
  for (const auto& encoder : {"mean_pooling", "set_pooling", "set_pooling, projection: false"}) {
    const auto model = make(history(encoder));
    const auto got = explain(*model, history_of({kPad, 4, 9, 2}), 8);
    const auto shares = shares_of(got, 0);
    for (const int64_t item : {4, 9, 2}) {
      EXPECT_NEAR(shares.at(item), score_of(*model, history_of({item}), 8) / 3.0, 1e-6);
    }
    EXPECT_EQ(shares.size(), 3U);
    EXPECT_NEAR(got.rest[0].item<double>(), 0.0, 1e-7);
  }
}

TEST(Explanation, WhatAHistoryRepeatsIsOneSource) {
  const torch::NoGradGuard no_grad;
  const auto model = make(history("mean_pooling"));
  const auto shares = shares_of(explain(*model, history_of({kPad, 7, 3, 7}), 8), 0);
  EXPECT_EQ(shares.size(), 2U);
  EXPECT_NEAR(shares.at(7), score_of(*model, history_of({7}), 8) * 2.0 / 3.0, 1e-6);
}

TEST(Explanation, BiasesVectorsOfIdsAndPlacesAreTheRest) {
  const torch::NoGradGuard no_grad;
  const auto plain = make(history("mean_pooling"));
  const auto full = make(history("mean_pooling", "id: {}, id_weight: 0.25, ", "learned"),
                         "{type: dot, item_bias: true, user_bias: true, global_bias: true}");
  std::map<std::string, torch::Tensor> weights;
  for (const auto& item : full->named_parameters()) weights[item.key()] = item.value();
  for (auto& item : plain->named_parameters())
    if (item.key() == "items.weight") item.value().copy_(weights.at("items.weight"));
  auto request = history_of({kPad, 4, 9});
  request.set(batch_key::kUsers, torch::tensor({int64_t{2}}, torch::kLong));
  const auto got = explain(*full, request, 8);
  const auto shares = shares_of(got, 0);
  for (const int64_t item : {4, 9}) {
    EXPECT_NEAR(shares.at(item), 0.75 * score_of(*plain, history_of({item}), 8) / 2.0, 1e-6);
  }
  const auto row = [&](const std::string& name, int64_t id) { return weights.at(name)[id]; };
  const auto places = row("position.weight", 0) + row("position.weight", 1);  // [D]
  const auto rest =
      ((0.25 * row("users.weight", 2 + 2) + 0.75 * places / 2.0) * row("items.weight", 2 + 8))
          .sum()
          .item<double>() +
      row("scorer.item_bias.weight", 2 + 8).item<double>() +
      row("scorer.user_bias.weight", 2 + 2).item<double>() + 0.7;
  EXPECT_NEAR(got.rest[0].item<double>(), rest, 1e-5);
  EXPECT_NEAR(sum_of(shares) + rest, score_of(*full, request, 8), 1e-5);
}

TEST(Explanation, OfEveryKindAddsUpToTheScoreInWhateverOrderTheHistoryStands) {
  const torch::NoGradGuard no_grad;
  for (const auto& user : {history("mean_pooling"), history("mean_pooling", "id: {}, ", "learned"),
                           history("set_pooling", "id: {}, id_weight: 0.5, "),
                           history("set_pooling, pooling: attention"),
                           history("set_pooling, pooling: attention", "id: {}, ")})
    for (const auto& scorer : {"{type: dot}", "{type: gmf}",
                               "{type: dot, normalize: true, temperature: 0.2, item_bias: true}"}) {
      const auto model = make(user, scorer);
      Batch request(4);
      request.set(batch_key::kUsers,
                  torch::tensor({int64_t{0}, int64_t{3}, kUnknownId, int64_t{1}}));
      const auto items = torch::tensor({{kPad, kPad, int64_t{4}, int64_t{1}},
                                        {int64_t{0}, int64_t{5}, int64_t{10}, int64_t{2}},
                                        {kPad, int64_t{7}, int64_t{7}, kUnknownId},
                                        {kPad, kPad, kPad, kPad}});
      request.set(batch_key::kHistory, items);
      auto turned = request;
      turned.set(batch_key::kHistory,
                 torch::stack(
                     {torch::tensor({kPad, kPad, int64_t{1}, int64_t{4}}), items[1].flip(0),
                      torch::tensor({kPad, int64_t{7}, kUnknownId, int64_t{7}}), items[3]}));
      for (const int64_t item : {0, 7}) {
        const auto got = explain(*model, request, item), other = explain(*model, turned, item);
        const auto scores =
            model->score(model->encode(request), torch::full({4, 1}, item, torch::kLong));
        EXPECT_TRUE(
            torch::allclose(got.contributions.sum(1) + got.rest, scores.squeeze(1), 1e-4, 1e-5))
            << user << " " << scorer;
        EXPECT_THAT(shares_of(got, 3), ::testing::IsEmpty());
        for (int64_t row = 0; row < 3; ++row) {
          const auto shares = shares_of(got, row), again = shares_of(other, row);
          ASSERT_EQ(shares.size(), again.size());
          for (const auto& [source, share] : shares) EXPECT_NEAR(again.at(source), share, 1e-5);
        }
      }
    }
}

TEST(Explanation, IsNotOfferedByModelsWhoseScoresAreNoSums) {
  const auto request = history_of({1, 2});
  for (const auto& model : {make(history("gru")), make(history("set_pooling, hidden_units: [4]")),
                            make(history("mean_pooling"), "{type: mlp}"), make("{id: {}}")}) {
    EXPECT_FALSE(model->explains().has_value());
    EXPECT_THROW(explain(*model, request, 1), c10::Error);
  }
}

}  // namespace
}  // namespace reckon::explanation_test
