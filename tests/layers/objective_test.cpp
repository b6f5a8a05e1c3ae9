#include "layers/objective.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>
#include <functional>

#include "layers/bce_objective.h"
#include "layers/bpr_objective.h"
#include "layers/dot_scorer.h"
#include "layers/in_batch_softmax_objective.h"
#include "layers/mlp_scorer.h"
#include "layers/sampled_softmax_objective.h"
#include "layers/softmax_objective.h"
#include "layers/squared_error_objective.h"
#include "tests/support/gradients.h"

namespace reckon {
namespace {

constexpr int64_t kItems = 11, kWidth = 4;
constexpr Scorer::Deps kDeps{
    .width = kWidth, .num_users = 5, .num_items = kItems, .has_user_ids = true};

// A table of item vectors, some positions over it, and scores as the formulas see them.
struct Scene {
  torch::Tensor items = torch::randn({kItems, kWidth}, torch::kDouble);
  torch::Tensor users;
  torch::Tensor target_ids, negative_ids, weights, labels, log_q;
  std::shared_ptr<Scorer> scorer;

  Scene(int64_t positions, int64_t negatives, bool shared, std::shared_ptr<Scorer> with)
      : scorer(with) {
    scorer->to(torch::kDouble);
    users = torch::randn({positions, kWidth}, torch::kDouble);
    target_ids = torch::randint(kItems, {positions}, torch::kLong);
    negative_ids = shared ? torch::randint(kItems, {negatives}, torch::kLong)
                          : torch::randint(kItems, {positions, negatives}, torch::kLong);
    weights = torch::rand({positions}, torch::kDouble) + 0.5;
    labels = torch::randn({positions}, torch::kDouble);
    log_q = torch::randn({kItems}, torch::kDouble);
  }

  ObjectiveInput input() { return input(users, items); }
  ObjectiveInput input(const torch::Tensor& u, const torch::Tensor& v) {
    ObjectiveInput in;
    const auto user_ids = torch::arange(u.size(0), torch::kLong) % 5;
    in.users = {u, user_ids};
    in.targets = {v.index({target_ids}), target_ids};
    in.negatives = {v.index({negative_ids}), negative_ids};
    in.weights = weights;
    in.labels = labels;
    in.target_log_q = log_q.index({target_ids});
    in.negative_log_q = log_q.index({negative_ids});
    in.num_items = kItems;
    in.all_items = [v] { return ScorerSide{v, torch::arange(kItems, torch::kLong)}; };
    in.scorer = scorer.get();
    return in;
  }

  int64_t positions() const { return users.size(0); }
  int64_t target(int64_t p) const { return target_ids[p].item<int64_t>(); }
  int64_t num_negatives() const { return negative_ids.size(-1); }
  int64_t negative(int64_t p, int64_t n) const {
    return (negative_ids.dim() == 1 ? negative_ids[n] : negative_ids[p][n]).item<int64_t>();
  }
  double weight(int64_t p) const { return weights[p].item<double>(); }
  double q(int64_t item) const { return log_q[item].item<double>(); }
  double norm2(const torch::Tensor& v) const { return v.square().sum().item<double>(); }
  double score(int64_t p, int64_t item) {
    const auto id = torch::tensor({item}, torch::kLong);
    return scorer
        ->forward({users[p].unsqueeze(0), torch::tensor({p % 5}, torch::kLong)},
                  {items[item].unsqueeze(0), id})
        .item<double>();
  }
};

double softplus(double x) { return std::log1p(std::exp(x)); }

std::vector<std::shared_ptr<Scorer>> scorers() {
  auto biased = std::make_shared<DotScorer>(
      DotScorer::Options{.item_bias = true, .user_bias = true, .global_bias = true}, kDeps);
  torch::NoGradGuard no_grad;
  for (auto& parameter : biased->parameters())
    parameter.slice(0, parameter.size(0) > 1 ? 1 : 0).normal_();
  return {std::make_shared<DotScorer>(DotScorer::Options{}, kDeps), biased,
          std::make_shared<MlpScorer>(MlpScorer::Options{.hidden_units = {5}}, kDeps)};
}

// Compares the objective with a formula for one position, over scorers and both forms of negatives.
void expect_formula(Objective& objective, const std::function<double(Scene&, int64_t)>& formula) {
  torch::manual_seed(1);
  for (const auto& scorer : scorers())
    for (const bool shared : {false, true})
      for (const int64_t positions : {1, 6}) {
        Scene scene(positions, 3, shared, scorer);
        const auto parts = objective.forward(scene.input());
        double sum = 0.0, total = 0.0;
        for (int64_t p = 0; p < positions; ++p) {
          sum += scene.weight(p) * formula(scene, p);
          total += scene.weight(p);
        }
        EXPECT_NEAR(parts.sum.item<double>(), sum, 1e-8 * std::max(1.0, std::abs(sum)))
            << scorer->name() << (shared ? ", shared" : ", own");
        EXPECT_NEAR(parts.weight, total, 1e-12);
        // Without weights every position counts once.
        auto plain = scene.input();
        plain.weights = torch::Tensor();
        EXPECT_EQ(objective.forward(plain).weight, static_cast<double>(positions));
      }
}

void expect_gradient(Objective& objective) {
  torch::manual_seed(2);
  for (const auto& scorer : scorers())
    for (const bool shared : {false, true}) {
      Scene scene(5, 3, shared, scorer);
      const auto loss = [&](const std::vector<torch::Tensor>& x) {
        return objective.forward(scene.input(x[0], x[1])).sum;
      };
      expect_gradients(loss, {scene.users, scene.items}, 1e-6, 1e-5);
    }
}

TEST(BprObjective, EqualsTheFormula) {
  BprObjective objective({.negatives = 3, .l2 = 0.1}, {});
  expect_formula(objective, [](Scene& s, int64_t p) {
    double loss = 0.0, norms = s.norm2(s.users[p]) + s.norm2(s.items[s.target(p)]);
    for (int64_t n = 0; n < s.num_negatives(); ++n) {
      loss += softplus(s.score(p, s.negative(p, n)) - s.score(p, s.target(p))) / 3.0;
      norms += s.norm2(s.items[s.negative(p, n)]) / 3.0;
    }
    return loss + 0.05 * norms;
  });
  expect_gradient(objective);
}

TEST(BceObjective, EqualsTheFormulaAndLeavesOutTheTargetAmongNegatives) {
  BceObjective objective({.negatives = 3}, {});
  expect_formula(objective, [](Scene& s, int64_t p) {
    double loss = softplus(-s.score(p, s.target(p)));
    for (int64_t n = 0; n < s.num_negatives(); ++n)
      if (s.negative(p, n) != s.target(p)) loss += softplus(s.score(p, s.negative(p, n)));
    return loss;
  });
  expect_gradient(objective);
}

TEST(SoftmaxObjective, EqualsTheFormula) {
  for (const double temperature : {1.0, 0.5}) {
    SoftmaxObjective objective({.temperature = temperature}, {});
    expect_formula(objective, [&](Scene& s, int64_t p) {
      double sum = 0.0;
      for (int64_t i = 0; i < kItems; ++i)
        sum += std::exp((s.score(p, i) - s.score(p, s.target(p))) / temperature);
      return std::log(sum);
    });
    expect_gradient(objective);
  }
}

TEST(SoftmaxObjective, FusedLossInFloatEqualsTheFormulaInDouble) {
  torch::manual_seed(3);
  SoftmaxObjective objective({}, {});
  for (const bool biased : {false, true}) {
    Scene scene(6, 3, true, scorers()[biased ? 1 : 0]);
    const double expected = objective.forward(scene.input()).sum.item<double>();
    scene.scorer->to(torch::kFloat);
    auto input = scene.input(scene.users.to(torch::kFloat), scene.items.to(torch::kFloat));
    input.weights = input.weights.to(torch::kFloat);
    EXPECT_NEAR(objective.forward(input).sum.item<double>(), expected, 1e-4);
  }
}

TEST(SampledSoftmaxObjective, EqualsTheFormulaAndLeavesOutAccidentalHits) {
  for (const bool log_q : {false, true}) {
    SampledSoftmaxObjective objective({.negatives = 3, .log_q = log_q, .temperature = 0.7}, {});
    EXPECT_EQ(objective.needs().log_q, log_q);
    expect_formula(objective, [&](Scene& s, int64_t p) {
      const auto z = [&](int64_t item) {
        return s.score(p, item) / 0.7 - (log_q ? s.q(item) : 0.0);
      };
      double sum = std::exp(z(s.target(p)));
      for (int64_t n = 0; n < s.num_negatives(); ++n)
        if (s.negative(p, n) != s.target(p)) sum += std::exp(z(s.negative(p, n)));
      return std::log(sum) - z(s.target(p));
    });
    expect_gradient(objective);
  }
}

TEST(SampledSoftmaxObjective, IsZeroAndSmoothWhenEveryNegativeIsTheTarget) {
  torch::manual_seed(4);
  Scene scene(2, 3, true, scorers()[0]);
  scene.target_ids.fill_(4);
  scene.negative_ids.fill_(4);
  auto users = scene.users.clone().requires_grad_();
  SampledSoftmaxObjective objective({.negatives = 3}, {});
  const auto parts = objective.forward(scene.input(users, scene.items));
  EXPECT_EQ(parts.sum.item<double>(), 0.0);
  EXPECT_TRUE(torch::autograd::grad({parts.sum}, {users})[0].equal(torch::zeros_like(users)));
}

TEST(SampledSoftmaxObjective, OfAllOtherItemsIsTheFullSoftmax) {
  torch::manual_seed(5);
  Scene scene(4, kItems, true, scorers()[1]);
  scene.negative_ids = torch::arange(kItems, torch::kLong);
  SampledSoftmaxObjective sampled({.negatives = kItems}, {});
  SoftmaxObjective full({}, {});
  EXPECT_NEAR(sampled.forward(scene.input()).sum.item<double>(),
              full.forward(scene.input()).sum.item<double>(), 1e-9);
}

TEST(InBatchSoftmaxObjective, EqualsTheFormulaAndIsCoupledByTheBatch) {
  for (const bool log_q : {false, true}) {
    InBatchSoftmaxObjective objective({.log_q = log_q, .temperature = 0.8}, {});
    EXPECT_EQ(objective.coupling(), Objective::Coupling::kBatch);
    expect_formula(objective, [&](Scene& s, int64_t p) {
      const auto z = [&](int64_t item) {
        return s.score(p, item) / 0.8 - (log_q ? s.q(item) : 0.0);
      };
      double sum = std::exp(z(s.target(p)));
      for (int64_t other = 0; other < s.positions(); ++other)
        if (s.target(other) != s.target(p)) sum += std::exp(z(s.target(other)));
      return std::log(sum) - z(s.target(p));
    });
    expect_gradient(objective);
  }
}

TEST(SquaredErrorObjective, EqualsTheFormula) {
  SquaredErrorObjective objective({.l2 = 0.2}, {});
  EXPECT_TRUE(objective.needs().labels);
  EXPECT_EQ(objective.needs().negatives, 0);
  expect_formula(objective, [](Scene& s, int64_t p) {
    const double error = s.labels[p].item<double>() - s.score(p, s.target(p));
    return error * error + 0.2 * (s.norm2(s.users[p]) + s.norm2(s.items[s.target(p)]));
  });
  expect_gradient(objective);
}

TEST(Objective, ScoresOfAnySizeGiveFiniteLossesAndGradients) {
  torch::manual_seed(6);
  const std::vector<std::shared_ptr<Objective>> objectives = {
      std::make_shared<BprObjective>(BprObjective::Options{}, Objective::Deps{}),
      std::make_shared<BceObjective>(BceObjective::Options{}, Objective::Deps{}),
      std::make_shared<SoftmaxObjective>(SoftmaxObjective::Options{}, Objective::Deps{}),
      std::make_shared<SampledSoftmaxObjective>(SampledSoftmaxObjective::Options{},
                                                Objective::Deps{}),
      std::make_shared<InBatchSoftmaxObjective>(InBatchSoftmaxObjective::Options{.log_q = false},
                                                Objective::Deps{})};
  for (const auto& objective : objectives) {
    Scene scene(6, 3, false, scorers()[0]);
    scene.scorer->to(torch::kFloat);
    auto users = (scene.users.to(torch::kFloat) * 1e3).requires_grad_();
    auto input = scene.input(users, scene.items.to(torch::kFloat) * 10.0);
    input.weights = torch::Tensor();
    const auto parts = objective->forward(input);
    EXPECT_TRUE(parts.sum.isfinite().item<bool>()) << objective->name();
    EXPECT_TRUE(torch::autograd::grad({parts.sum}, {users})[0].isfinite().all().item<bool>())
        << objective->name();
  }
}

TEST(Objective, NeedsSayWhatTheOptionsSay) {
  const BprObjective bpr({.negatives = 4,
                          .sharing = ObjectiveNeeds::Sharing::kExample,
                          .popularity_exponent = 0.75,
                          .exclude_positives = false},
                         {});
  const auto needs = bpr.needs();
  EXPECT_EQ(needs.negatives, 4);
  EXPECT_EQ(needs.sharing, ObjectiveNeeds::Sharing::kExample);
  EXPECT_EQ(needs.popularity_exponent, 0.75);
  EXPECT_FALSE(needs.exclude_positives);
  EXPECT_FALSE(needs.labels || needs.log_q);
  EXPECT_EQ(SoftmaxObjective({}, {}).needs().negatives, 0);
}

}  // namespace
}  // namespace reckon
