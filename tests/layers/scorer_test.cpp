#include "layers/scorer.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>

#include "core/ids.h"
#include "kernels/dropout.h"
#include "layers/dot_scorer.h"
#include "layers/gmf_scorer.h"
#include "layers/mlp_scorer.h"
#include "layers/neumf_scorer.h"
#include "tests/support/gradients.h"

namespace reckon::scorer_test {
namespace {

constexpr Scorer::Deps kDeps{.width = 5, .num_users = 7, .num_items = 9, .has_user_ids = true};

std::vector<DotScorer::Options> dot_options() {
  std::vector<DotScorer::Options> out;
  for (const bool item : {false, true})
    for (const bool user : {false, true})
      for (const bool global : {false, true})
        for (const bool normalize : {false, true})
          out.push_back({.item_bias = item,
                         .user_bias = user,
                         .global_bias = global,
                         .normalize = normalize,
                         .temperature = normalize ? 0.3 : 1.0});
  return out;
}

// Biases start at zero; a test needs them to say something.
void shake(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    item.value().normal_();
    if (item.value().dim() == 2 && item.value().size(1) == 1) item.value()[0].zero_();  // padding
  }
}

double oracle(const DotScorer& scorer, const DotScorer::Options& o, const torch::Tensor& u,
              int64_t user, const torch::Tensor& v, int64_t item) {
  double product = (u * v).sum().item<double>();
  if (o.normalize) product /= u.norm().item<double>() * v.norm().item<double>();
  double score = product / o.temperature;
  const auto parameters = scorer.named_parameters();
  if (o.item_bias) score += parameters["item_bias.weight"][item + 2][0].item<double>();
  if (o.user_bias) score += parameters["user_bias.weight"][user + 2][0].item<double>();
  if (o.global_bias) score += parameters["global_bias"][0].item<double>();
  return score;
}

TEST(DotScorer, EqualsTheFormulaForSharedAndOwnCandidates) {
  torch::manual_seed(1);
  for (const auto& options : dot_options()) {
    DotScorer scorer(options, kDeps);
    shake(scorer);
    const ScorerSide users{torch::randn({3, 5}),
                           torch::tensor(std::vector<int64_t>{6, 0, kUnknownId})};
    const ScorerSide shared{torch::randn({4, 5}),
                            torch::tensor(std::vector<int64_t>{8, 0, 3, kUnknownId})};
    const ScorerSide own{torch::randn({3, 2, 5}), torch::randint(9, {3, 2}, torch::kLong)};
    const auto of_shared = scorer.forward(users, shared), of_own = scorer.forward(users, own);
    for (int64_t p = 0; p < 3; ++p) {
      const auto user = users.ids[p].item<int64_t>();
      for (int64_t c = 0; c < 4; ++c)
        EXPECT_NEAR(of_shared[p][c].item<double>(),
                    oracle(scorer, options, users.vectors[p], user, shared.vectors[c],
                           shared.ids[c].item<int64_t>()),
                    1e-5);
      for (int64_t c = 0; c < 2; ++c)
        EXPECT_NEAR(of_own[p][c].item<double>(),
                    oracle(scorer, options, users.vectors[p], user, own.vectors[p][c],
                           own.ids[p][c].item<int64_t>()),
                    1e-5);
    }
  }
}

TEST(DotScorer, InnerProductFormGivesTheSameScores) {
  torch::manual_seed(2);
  for (const auto& options : dot_options()) {
    DotScorer scorer(options, kDeps);
    shake(scorer);
    const ScorerSide users{torch::randn({4, 5}), torch::randint(7, {4}, torch::kLong)};
    const ScorerSide items{torch::randn({9, 5}), torch::arange(9, torch::kLong)};
    const auto form = scorer.item_form(items);
    auto scores = at::matmul(scorer.query_form(users), form.vectors.t());
    if (form.bias.defined()) scores = scores + form.bias;
    EXPECT_EQ(form.bias.defined(), options.item_bias || options.global_bias);
    const auto bias = scorer.query_bias(users);
    EXPECT_EQ(bias.defined(), options.user_bias);
    if (bias.defined()) scores = scores + bias.unsqueeze(1);
    EXPECT_TRUE(torch::allclose(scores, scorer.forward(users, items), 1e-5, 1e-5));
  }
}

TEST(DotScorer, InnerProductFormMakesNoSecondTableOfItems) {
  for (const auto& options : dot_options()) {
    if (options.normalize) continue;
    DotScorer scorer(options, kDeps);
    const auto table = torch::randn({9, 5});
    const auto form = scorer.item_form({table, torch::arange(9, torch::kLong)});
    EXPECT_EQ(form.vectors.data_ptr(), table.data_ptr());
  }
}

TEST(DotScorer, ScoresUsersWithoutIdsWhenNothingNeedsThem) {
  DotScorer scorer({.item_bias = true}, {.width = 2, .num_items = 3});
  const auto u = torch::randn({2, 2}), v = torch::randn({3, 2});
  EXPECT_TRUE(torch::allclose(scorer.forward({u, {}}, {v, torch::arange(3, torch::kLong)}),
                              at::matmul(u, v.t())));
  EXPECT_THROW(DotScorer({.user_bias = true}, {.width = 2, .num_items = 3}), std::invalid_argument);
}

TEST(DotScorer, CosineOfAZeroVectorIsZeroAndHasAGradient) {
  DotScorer scorer({.normalize = true}, kDeps);
  auto u = torch::zeros({1, 5}).requires_grad_();
  const auto score =
      scorer.forward({u, {}}, {torch::ones({1, 5}), torch::zeros({1}, torch::kLong)});
  EXPECT_EQ(score.item<float>(), 0.0f);
  EXPECT_TRUE(torch::autograd::grad({score.sum()}, {u})[0].isfinite().all().item<bool>());
}

// Scores keep their mean: what was normalised is not normalised again.
TEST(DotScorer, DropsOutUsersBehindTheNormalisationInTrainingAlone) {
  torch::manual_seed(4);
  DotScorer scorer({.normalize = true, .temperature = 0.5, .dropout = 0.4}, kDeps);
  const auto u = torch::randn({6, 5});
  const auto queries_of = [&](int64_t step) {
    const DropoutScope scope(7, step, 0);
    return scorer.query_form({u, {}});  // [P, D]
  };
  scorer.eval();
  const auto whole = queries_of(0);
  EXPECT_TRUE(torch::allclose(whole, 2.0 * u / u.norm(2, 1, true)));
  scorer.train();
  const auto dropped = queries_of(0);
  EXPECT_TRUE(torch::equal(dropped, queries_of(0)));
  EXPECT_FALSE(torch::equal(dropped, queries_of(1)));
  const auto kept = dropped.ne(0);
  EXPECT_TRUE(kept.any().item<bool>() && !kept.all().item<bool>());
  EXPECT_TRUE(torch::allclose(dropped, whole * kept / 0.6, 1e-5, 1e-7));
}

TEST(DotScorer, GradientsAreThoseOfTheFunction) {
  torch::manual_seed(3);
  for (const auto& options : dot_options()) {
    DotScorer scorer(options, kDeps);
    scorer.to(torch::kDouble);
    shake(scorer);
    const auto user_ids = torch::tensor({6, 0}, torch::kLong);
    const auto item_ids = torch::tensor({{8, 1, 1}, {0, 2, 3}}, torch::kLong);
    expect_gradients(
        [&](const std::vector<torch::Tensor>& x) {
          return scorer.forward({x[0], user_ids}, {x[1], item_ids}).square().sum();
        },
        {torch::randn({2, 5}, torch::kDouble), torch::randn({2, 3, 5}, torch::kDouble)}, 1e-6,
        1e-5);
  }
}

TEST(MlpScorer, EqualsANetworkOverTheJoinedParts) {
  torch::manual_seed(4);
  for (const bool product : {false, true})
    for (const std::vector<int64_t>& units : {std::vector<int64_t>{6}, {6, 3}}) {
      MlpScorer scorer({.hidden_units = units, .product = product}, kDeps);
      shake(scorer);
      const auto p = scorer.named_parameters();
      const auto u = torch::randn({5}), v = torch::randn({5});
      auto joined = torch::cat({u, v});
      auto weight = torch::cat({p["user.weight"], p["item.weight"]}, 1);
      if (product) {
        joined = torch::cat({joined, u * v});
        weight = torch::cat({weight, p["product.weight"]}, 1);
      }
      auto h = at::linear(joined, weight, p["user.bias"]).relu();
      if (units.size() > 1)
        h = at::linear(h, p["tower.layers.0.weight"], p["tower.layers.0.bias"]).relu();
      const auto expected = at::linear(h, p["output.weight"], p["output.bias"]);
      const auto got = scorer.forward({u.unsqueeze(0), {}}, {v.unsqueeze(0), {}});
      EXPECT_NEAR(got.item<float>(), expected.item<float>(), 1e-4);
    }
}

TEST(MlpScorer, SharedAndOwnCandidatesGiveTheSame) {
  torch::manual_seed(5);
  MlpScorer scorer({.hidden_units = {6, 3}}, kDeps);
  const auto u = torch::randn({3, 5}), v = torch::randn({4, 5});
  const auto shared = scorer.forward({u, {}}, {v, {}});
  EXPECT_TRUE(torch::allclose(shared, scorer.forward({u, {}}, {v.expand({3, 4, 5}), {}})));
  EXPECT_FALSE(scorer.is_inner_product());
  EXPECT_THROW(scorer.query_form({u, {}}), c10::Error);
  EXPECT_THROW(scorer.item_form({v, {}}), c10::Error);
}

TEST(GmfScorer, IsTheWeightedSumOfProductsInEachForm) {
  torch::manual_seed(7);
  GmfScorer scorer({}, kDeps);
  const auto weight = scorer.named_parameters()["weight"];
  const auto u = torch::randn({3, 5}), shared = torch::randn({4, 5}), own = torch::randn({3, 2, 5});
  const auto of_shared = scorer.forward({u, {}}, {shared, {}});
  const auto of_own = scorer.forward({u, {}}, {own, {}});
  for (int64_t p = 0; p < 3; ++p) {
    for (int64_t c = 0; c < 4; ++c)
      EXPECT_NEAR(of_shared[p][c].item<float>(), (weight * u[p] * shared[c]).sum().item<float>(),
                  1e-5);
    for (int64_t c = 0; c < 2; ++c)
      EXPECT_NEAR(of_own[p][c].item<float>(), (weight * u[p] * own[p][c]).sum().item<float>(),
                  1e-5);
  }
  ASSERT_TRUE(scorer.is_inner_product());
  const auto form = scorer.item_form({shared, {}});
  EXPECT_FALSE(form.bias.defined());
  EXPECT_TRUE(torch::allclose(at::matmul(scorer.query_form({u, {}}), form.vectors.t()), of_shared));
}

TEST(NeumfScorer, IsTheSumOfBothPartsOverVectorsOfTheirOwn) {
  torch::manual_seed(8);
  NeumfScorer scorer({.gmf_width = 2, .hidden_units = {6, 3}}, kDeps);
  shake(scorer);
  const auto p = scorer.named_parameters();
  const auto u = torch::randn({5}), v = torch::randn({5});
  const auto gmf = (p["gmf.weight"] * u.slice(0, 0, 2) * v.slice(0, 0, 2)).sum();
  auto h =
      at::linear(torch::cat({u.slice(0, 2), v.slice(0, 2)}),
                 torch::cat({p["mlp.user.weight"], p["mlp.item.weight"]}, 1), p["mlp.user.bias"])
          .relu();
  h = at::linear(h, p["mlp.tower.layers.0.weight"], p["mlp.tower.layers.0.bias"]).relu();
  const auto expected = gmf + at::linear(h, p["mlp.output.weight"], p["mlp.output.bias"]);
  EXPECT_NEAR(scorer.forward({u.unsqueeze(0), {}}, {v.unsqueeze(0), {}}).item<float>(),
              expected.item<float>(), 1e-4);
  EXPECT_FALSE(scorer.is_inner_product());
  EXPECT_THROW(NeumfScorer({.gmf_width = 5}, kDeps), std::invalid_argument);
  EXPECT_THROW(NeumfScorer({}, {.width = 1}), std::invalid_argument);
}

TEST(NeumfScorer, GradientsAreThoseOfTheFunction) {
  torch::manual_seed(9);
  NeumfScorer neumf({.hidden_units = {4}}, kDeps);
  GmfScorer gmf({}, kDeps);
  for (Scorer* scorer : {static_cast<Scorer*>(&neumf), static_cast<Scorer*>(&gmf)}) {
    scorer->to(torch::kDouble);
    shake(*scorer);
    const auto of = [&](const torch::Tensor& u, const torch::Tensor& v) {
      return scorer->forward({u, {}}, {v, {}}).square().sum();
    };
    const auto u = torch::randn({2, 5}, torch::kDouble),
               v = torch::randn({2, 3, 5}, torch::kDouble);
    expect_gradients([&](const std::vector<torch::Tensor>& x) { return of(x[0], x[1]); }, {u, v},
                     1e-6, 1e-5);
    expect_parameter_gradients(*scorer, [&] { return of(u, v); });
  }
}

TEST(PairedScores, AreTheDiagonalOfAllScores) {
  torch::manual_seed(6);
  DotScorer scorer({.item_bias = true, .user_bias = true}, kDeps);
  shake(scorer);
  const ScorerSide users{torch::randn({4, 5}), torch::arange(4, torch::kLong)};
  const ScorerSide items{torch::randn({4, 5}), torch::arange(4, torch::kLong)};
  EXPECT_TRUE(torch::allclose(paired_scores(scorer, users, items),
                              scorer.forward(users, items).diagonal(), 1e-5, 1e-5));
}

}  // namespace
}  // namespace reckon::scorer_test
