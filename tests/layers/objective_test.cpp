#include "layers/objective.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "core/ids.h"
#include "kernels/dropout.h"
#include "layers/bce_objective.h"
#include "layers/bpr_objective.h"
#include "layers/catalog.h"
#include "layers/cosine_contrastive_objective.h"
#include "layers/direct_au_objective.h"
#include "layers/dot_scorer.h"
#include "layers/graph_contrastive_objective.h"
#include "layers/in_batch_softmax_objective.h"
#include "layers/mlp_scorer.h"
#include "layers/mutual_information_objective.h"
#include "layers/sampled_softmax_objective.h"
#include "layers/softmax_objective.h"
#include "layers/squared_error_objective.h"
#include "layers/ultra_gcn_objective.h"
#include "layers/warp_objective.h"
#include "tests/support/gradients.h"

namespace reckon::objective_test {
namespace {

constexpr int64_t kItems = 11, kWidth = 4;
constexpr Scorer::Deps kDeps{
    .width = kWidth, .num_users = 5, .num_items = kItems, .has_user_ids = true};

// A table of item vectors, some positions over it, and scores as the formulas see them.
struct Scene {
  torch::Tensor items = torch::randn({kItems, kWidth}, torch::kDouble);
  torch::Tensor users;
  torch::Tensor target_ids, negative_ids, negative_hits, weights, labels, log_q, log_frequency;
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
    log_frequency = torch::randn({kItems}, torch::kDouble);
  }

  ObjectiveInput input() { return input(users, items); }
  ObjectiveInput input(const torch::Tensor& u, const torch::Tensor& v) {
    ObjectiveInput in;
    const auto user_ids = torch::arange(u.size(0), torch::kLong) % 5;
    in.users = {u, user_ids};
    in.targets = {v.index({target_ids}), target_ids};
    in.negative_ids = negative_ids;
    in.negative_hits = negative_hits;
    in.negatives = [v, ids = negative_ids] { return ScorerSide{v.index({ids}), ids}; };
    in.weights = weights;
    in.labels = labels;
    in.target_log_q = log_q.index({target_ids});
    in.negative_log_q = log_q.index({negative_ids});
    in.target_log_frequency = log_frequency.index({target_ids});
    in.num_items = kItems;
    in.all_items = [v] { return ScorerSide{v, torch::arange(kItems, torch::kLong)}; };
    // As a model gives them: zero for padding.
    in.items = [v](const torch::Tensor& ids) {
      return ScorerSide{v.index({ids.clamp_min(0)}) * ids.ge(0).unsqueeze(-1), ids};
    };
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
  double frequency(int64_t item) const { return log_frequency[item].item<double>(); }
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

TEST(BprObjective, OfADrawForTheStepWhatAUserHasIsLeftOutAndTheMeanIsOverTheRest) {
  torch::manual_seed(4);
  BprObjective objective({.negatives = 6,
                          .sharing = ObjectiveNeeds::Sharing::kStep,
                          .exclude_positives = true,
                          .l2 = 0.1},
                         {});
  EXPECT_TRUE(objective.needs().exclude_positives);
  for (const auto& scorer : scorers())
    for (const bool weighted : {true, false}) {
      Scene scene(5, 6, /*shared=*/true, scorer);
      scene.negative_hits = torch::rand({5, 6}) < 0.4;
      scene.negative_hits[3].fill_(true);  // nothing is left to learn against
      scene.negative_hits[4].fill_(false);
      if (!weighted) scene.weights = torch::Tensor();
      double sum = 0.0;
      for (int64_t p = 0; p < 5; ++p) {
        double loss = 0.0, others = 0.0;
        int64_t left = 0;
        for (int64_t n = 0; n < 6; ++n) {
          others += scene.norm2(scene.items[scene.negative(p, n)]) / 6.0;
          if (scene.negative_hits[p][n].item<bool>()) continue;
          loss += softplus(scene.score(p, scene.negative(p, n)) - scene.score(p, scene.target(p)));
          ++left;
        }
        const double norms =
            scene.norm2(scene.users[p]) + scene.norm2(scene.items[scene.target(p)]) + others;
        sum += (weighted ? scene.weight(p) : 1.0) *
               (loss / static_cast<double>(std::max<int64_t>(left, 1)) + 0.05 * norms);
      }
      EXPECT_NEAR(objective.forward(scene.input()).sum.item<double>(), sum, 1e-8 * sum);
      const auto loss = [&](const std::vector<torch::Tensor>& x) {
        return objective.forward(scene.input(x[0], x[1])).sum;
      };
      expect_gradients(loss, {scene.users, scene.items}, 1e-6, 1e-5);
    }
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

// How often negatives are drawn says nothing of how often an item is somebody's target.
TEST(InBatchSoftmaxObjective, EqualsTheFormulaAndIsCoupledByTheBatch) {
  for (const bool log_q : {false, true}) {
    InBatchSoftmaxObjective objective({.log_q = log_q, .temperature = 0.8}, {});
    EXPECT_EQ(objective.coupling(), Objective::Coupling::kBatch);
    EXPECT_EQ(objective.needs().log_frequency, log_q);
    EXPECT_FALSE(objective.needs().log_q);
    expect_formula(objective, [&](Scene& s, int64_t p) {
      const auto z = [&](int64_t item) {
        return s.score(p, item) / 0.8 - (log_q ? s.frequency(item) : 0.0);
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

TEST(CosineContrastiveObjective, EqualsTheFormulaAndTakesTheTargetAmongNegativesForNone) {
  CosineContrastiveObjective objective(
      {.negatives = 3, .margin = 0.3, .negative_weight = 5.0, .l2 = 0.1}, {});
  EXPECT_EQ(objective.coupling(), Objective::Coupling::kExample);
  expect_formula(objective, [](Scene& s, int64_t p) {
    double loss = std::max(0.0, 1.0 - s.score(p, s.target(p)));
    double norms = s.norm2(s.users[p]) + s.norm2(s.items[s.target(p)]);
    for (int64_t n = 0; n < s.num_negatives(); ++n) {
      if (s.negative(p, n) != s.target(p))
        loss += 5.0 * std::max(0.0, s.score(p, s.negative(p, n)) - 0.3) / 3.0;
      norms += s.norm2(s.items[s.negative(p, n)]) / 3.0;
    }
    return loss + 0.05 * norms;
  });
  expect_gradient(objective);
}

// With cosines the hinge at 1 never closes: it is the paper's 1 - cos.
TEST(CosineContrastiveObjective, OfCosinesIsThePapersLoss) {
  torch::manual_seed(21);
  const auto cosine = std::make_shared<DotScorer>(DotScorer::Options{.normalize = true}, kDeps);
  Scene scene(6, 4, true, cosine);
  CosineContrastiveObjective objective({.negatives = 4, .margin = 0.2, .negative_weight = 2.0}, {});
  double expected = 0.0;
  for (int64_t p = 0; p < scene.positions(); ++p) {
    const auto cos = [&](int64_t item) {
      const auto u = scene.users[p], v = scene.items[item];
      return ((u * v).sum() / (u.norm() * v.norm())).item<double>();
    };
    double loss = 1.0 - cos(scene.target(p));
    for (int64_t n = 0; n < 4; ++n)
      if (scene.negative(p, n) != scene.target(p))
        loss += 0.5 * std::max(0.0, cos(scene.negative(p, n)) - 0.2);
    expected += scene.weight(p) * loss;
  }
  EXPECT_NEAR(objective.forward(scene.input()).sum.item<double>(), expected, 1e-10);
  expect_gradient(objective);
}

// The slow formula: every pair once, every vector divided by its length.
double direct_au(const torch::Tensor& users, const torch::Tensor& items,
                 const torch::Tensor& weights, double gamma) {
  const auto unit = [](const torch::Tensor& v) { return v / v.norm(); };
  const auto distance = [&](const torch::Tensor& a, const torch::Tensor& b) {
    return (unit(a) - unit(b)).square().sum().item<double>();
  };
  const auto spread = [&](const torch::Tensor& x) {
    double sum = 0.0;
    int64_t pairs = 0;
    for (int64_t p = 0; p < x.size(0); ++p)
      for (int64_t q = p + 1; q < x.size(0); ++q, ++pairs)
        sum += std::exp(-2.0 * distance(x[p], x[q]));
    return pairs == 0 ? 0.0 : std::log(sum / static_cast<double>(pairs));
  };
  double sum = 0.0;
  for (int64_t p = 0; p < users.size(0); ++p)
    sum += weights[p].item<double>() * distance(users[p], items[p]);
  return sum + gamma * weights.sum().item<double>() * (spread(users) + spread(items)) / 2.0;
}

TEST(DirectAuObjective, EqualsTheFormulaOverAllPairsAndIsCoupledByTheBatch) {
  torch::manual_seed(22);
  DirectAuObjective objective({.gamma = 0.7}, {});
  EXPECT_EQ(objective.coupling(), Objective::Coupling::kBatch);
  EXPECT_EQ(objective.needs().negatives, 0);
  for (const auto& scorer : scorers())
    for (const int64_t positions : {1, 2, 9}) {
      Scene scene(positions, 1, true, scorer);
      const auto parts = objective.forward(scene.input());
      EXPECT_NEAR(parts.sum.item<double>(),
                  direct_au(scene.users, scene.items.index({scene.target_ids}), scene.weights, 0.7),
                  1e-9);
      EXPECT_NEAR(parts.weight, scene.weights.sum().item<double>(), 1e-12);
    }
  expect_gradient(objective);
}

TEST(DirectAuObjective, InChunksIsTheSameAsAtOnce) {
  torch::manual_seed(23);
  const int64_t many = 1500;  // more than 2^20 pairs
  const auto users = torch::randn({many, kWidth}, torch::kDouble).requires_grad_();
  const auto items = torch::randn({many, kWidth}, torch::kDouble);
  ObjectiveInput input;
  input.users = {users, {}};
  input.targets = {items, torch::arange(many, torch::kLong)};
  DirectAuObjective objective({.gamma = 2.0}, {});
  const auto sum = objective.forward(input).sum;
  const auto unit = [](const torch::Tensor& v) { return v / v.norm(2, -1, true); };
  const auto spread = [&](const torch::Tensor& x) {
    return torch::pdist(x).square().mul(-2.0).exp().mean().log();
  };
  const auto u = unit(users), v = unit(items);
  const auto plain =
      (u - v).square().sum() + 2.0 * static_cast<double>(many) * (spread(u) + spread(v)) / 2.0;
  EXPECT_NEAR(sum.item<double>(), plain.item<double>(), 1e-7 * std::abs(plain.item<double>()));
  EXPECT_TRUE(torch::allclose(torch::autograd::grad({sum}, {users})[0],
                              torch::autograd::grad({plain}, {users})[0], 1e-6, 1e-8));
}

TEST(DirectAuObjective, AVectorOfZerosGivesNoNaN) {
  Scene scene(3, 1, true, scorers()[0]);
  scene.users.zero_();
  auto users = scene.users.clone().requires_grad_();
  const auto parts = DirectAuObjective({}, {}).forward(scene.input(users, scene.items));
  EXPECT_TRUE(parts.sum.isfinite().item<bool>());
  EXPECT_TRUE(torch::autograd::grad({parts.sum}, {users})[0].isfinite().all().item<bool>());
}

TEST(WarpObjective, EqualsTheFormulaOfTheFirstViolation) {
  WarpObjective objective({.negatives = 3, .margin = 0.8}, {});
  expect_formula(objective, [](Scene& s, int64_t p) {
    for (int64_t n = 0; n < s.num_negatives(); ++n) {
      const double excess = 0.8 - s.score(p, s.target(p)) + s.score(p, s.negative(p, n));
      if (s.negative(p, n) == s.target(p) || excess <= 0.0) continue;
      double weight = 0.0;
      for (int64_t r = 1; r <= (kItems - 1) / (n + 1); ++r) weight += 1.0 / static_cast<double>(r);
      return weight * excess;
    }
    return 0.0;
  });
  expect_gradient(objective);
}

TEST(WarpObjective, AsksNothingOfATargetThatNoNegativeComesNear) {
  torch::manual_seed(24);
  Scene scene(4, 3, false, scorers()[0]);
  scene.target_ids.fill_(0);
  scene.negative_ids.fill_(1);
  scene.items[0] = scene.items[0].new_full({kWidth}, 5.0);
  scene.items[1] = -scene.items[0];
  scene.users.fill_(1.0);
  auto users = scene.users.clone().requires_grad_();
  const auto parts = WarpObjective({.negatives = 3}, {}).forward(scene.input(users, scene.items));
  EXPECT_EQ(parts.sum.item<double>(), 0.0);
  EXPECT_TRUE(torch::autograd::grad({parts.sum}, {users})[0].equal(torch::zeros_like(users)));
}

// Degrees of the five users and eleven items, and three neighbours of each item but the last.
Objective::Deps deps_of_graph() {
  Objective::Deps deps{.width = kWidth, .num_users = 5, .num_items = kItems};
  deps.statistics = [](int64_t count) {
    auto ids =
        (torch::arange(kItems).unsqueeze(1) + torch::arange(1, count + 1)) % kItems;  // [I, K]
    ids[kItems - 1].fill_(kPaddingId);
    const auto weights =
        torch::where(ids.ge(0), 0.1 * ids.to(torch::kDouble) + 0.5, 0.0);  // [I, K]
    return InteractionStatistics{torch::arange(1, 6).to(torch::kDouble),
                                 torch::arange(kItems).to(torch::kDouble) * 2,
                                 {ids, weights}};
  };
  return deps;
}

TEST(UltraGcnObjective, EqualsTheFormula) {
  UltraGcnObjective objective({.negatives = 3,
                               .own = 0.2,
                               .graph = 0.7,
                               .negative_own = 0.1,
                               .negative_graph = 0.4,
                               .negative_weight = 2.5,
                               .item_weight = 0.3,
                               .neighbours = 3},
                              deps_of_graph());
  const auto beta = [](int64_t p, int64_t item) {
    const double user_degree = static_cast<double>(p % 5 + 1);
    return std::sqrt(user_degree + 1) / user_degree /
           std::sqrt(2.0 * static_cast<double>(item) + 1);
  };
  expect_formula(objective, [&](Scene& s, int64_t p) {
    const auto target = s.target(p);
    double loss = (0.2 + 0.7 * beta(p, target)) * softplus(-s.score(p, target));
    for (int64_t n = 0; n < s.num_negatives(); ++n) {
      const auto item = s.negative(p, n);
      loss += 2.5 / static_cast<double>(s.num_negatives()) * (0.1 + 0.4 * beta(p, item)) *
              softplus(s.score(p, item));
    }
    for (int64_t k = 1; k <= 3 && target < kItems - 1; ++k) {
      const auto near = (target + k) % kItems;
      loss += 0.3 * (0.1 * static_cast<double>(near) + 0.5) * softplus(-s.score(p, near));
    }
    return loss;
  });
  expect_gradient(objective);
}

TEST(GraphContrastiveObjective, IsTheMeanOverUsersPlusTheMeanOverItemsForEachTarget) {
  torch::manual_seed(8);
  GraphContrastiveObjective objective({.temperature = 0.5}, {});
  EXPECT_EQ(objective.coupling(), Objective::Coupling::kBatch);
  Scene scene(6, 3, false, scorers()[0]);
  const auto views = [](const std::vector<torch::Tensor>& x) {
    return std::vector<View>{{}, {x[0], x[1]}, {x[2], x[3]}};
  };
  const auto draw = [](int64_t rows) { return torch::randn({rows, kWidth}, torch::kDouble); };
  const std::vector<torch::Tensor> vectors{draw(4), draw(7), draw(4), draw(7)};
  const auto side = [](const torch::Tensor& a, const torch::Tensor& b) {
    double sum = 0.0;
    for (int64_t i = 0; i < a.size(0); ++i) {
      double total = 0.0, own = 0.0;
      for (int64_t j = 0; j < b.size(0); ++j) {
        const double cosine =
            ((a[i] * b[j]).sum() / (a[i].norm() * b[j].norm())).item<double>() / 0.5;
        total += std::exp(cosine);
        if (i == j) own = cosine;
      }
      sum += std::log(total) - own;
    }
    return sum / static_cast<double>(a.size(0));
  };
  auto input = scene.input();
  input.views = views(vectors);
  const double weight = scene.weights.sum().item<double>();
  const auto parts = objective.forward(input);
  EXPECT_NEAR(parts.sum.item<double>(),
              weight * (side(vectors[0], vectors[2]) + side(vectors[1], vectors[3])), 1e-8);
  EXPECT_NEAR(parts.weight, weight, 1e-12);
  expect_gradients(
      [&](const std::vector<torch::Tensor>& x) {
        auto moved = scene.input();
        moved.views = views(x);
        return objective.forward(moved).sum;
      },
      vectors, 1e-6, 1e-5);
}

TEST(GraphContrastiveObjective, ComparesOneViewWithTheGraphAndTwoWithEachOther) {
  torch::manual_seed(10);
  Scene scene(5, 3, false, scorers()[0]);
  const auto draw = [](int64_t rows) { return torch::randn({rows, kWidth}, torch::kDouble); };
  const View graph{draw(4), draw(7)}, view{draw(4), draw(7)}, none{draw(4), draw(7)};
  GraphContrastiveObjective of_svd({.view = ViewNeeds::Kind::kSvd, .rank = 3}, {}),
      of_noise({.view = ViewNeeds::Kind::kNoise}, {});
  EXPECT_EQ(of_svd.needs().views,
            (ViewNeeds{.kind = ViewNeeds::Kind::kSvd, .amount = 0.0, .rank = 3, .count = 1}));
  EXPECT_EQ(of_noise.needs().views,
            (ViewNeeds{.kind = ViewNeeds::Kind::kNoise, .amount = 0.1, .rank = 0, .count = 2}));
  const auto loss = [&](GraphContrastiveObjective& objective, const std::vector<View>& views) {
    auto input = scene.input();
    input.views = views;
    return objective.forward(input).sum.item<double>();
  };
  EXPECT_NEAR(loss(of_svd, {graph, view}), loss(of_noise, {none, graph, view}), 1e-10);
  EXPECT_ANY_THROW(loss(of_svd, {none, graph, view}));
}

// Three users of two factors have twelve orders of rows and columns, two channels the square of that.
TEST(MutualInformationObjective, IsTheFormulaWithOneOfAllOrdersOfRowsAndColumns) {
  torch::manual_seed(11);
  constexpr int64_t kUsers = 3, kFactors = 2;
  MutualInformationObjective objective({}, {.width = kFactors, .num_channels = 2});
  objective.to(torch::kDouble);
  EXPECT_EQ(objective.coupling(), Objective::Coupling::kBatch);
  EXPECT_TRUE(objective.needs().channels);
  Scene scene(6, 3, false, scorers()[0]);
  const auto users = torch::randn({kUsers, kFactors}, torch::kDouble);  // [U, D]
  const std::vector<torch::Tensor> means{torch::rand({kUsers, kUsers}, torch::kDouble),
                                         torch::rand({kUsers, kUsers}, torch::kDouble)};
  const auto input_of = [&](const torch::Tensor& x) {
    auto input = scene.input();
    input.all_users = [x] { return x; };
    for (const auto& matrix : means)
      input.channels.emplace_back([matrix](const torch::Tensor& p) { return matrix.matmul(p); });
    return input;
  };

  // By numbers, for each channel and order.
  std::vector<double> of_channels[2];
  for (int64_t c = 0; c < 2; ++c) {
    const auto name = "gates." + std::to_string(c);
    const auto parameters = objective.named_parameters();
    const auto gate = users.matmul(parameters[name + ".weight"].detach().t()) +
                      parameters[name + ".bias"].detach();         // [U, D]
    const auto own = users / (1.0 + (-gate).exp());                // [U, D]
    const auto heard = means[static_cast<size_t>(c)].matmul(own);  // [U, D]
    const auto at = [](const torch::Tensor& x, int64_t i, int64_t j) {
      return x[i][j].item<double>();
    };
    std::vector<int64_t> rows{0, 1, 2};
    do {
      for (const bool swaps : {false, true}) {
        double sum = 0.0;
        for (int64_t u = 0; u < kUsers; ++u) {
          double local = 0.0, global = 0.0;
          for (int64_t d = 0; d < kFactors; ++d) {
            const auto gap =
                at(heard, u, d) - at(heard, rows[static_cast<size_t>(u)], swaps ? 1 - d : d);
            local += at(own, u, d) * gap;
            global += gap * (at(heard, 0, d) + at(heard, 1, d) + at(heard, 2, d)) / 3.0;
          }
          sum += std::log1p(std::exp(-local)) + std::log1p(std::exp(-global));
        }
        of_channels[c].push_back(sum / 3.0);
      }
    } while (std::next_permutation(rows.begin(), rows.end()));
  }
  const double weight = scene.weights.sum().item<double>();
  std::set<int64_t> orders;
  const torch::NoGradGuard no_grad;
  for (int64_t step = 0; step < 40; ++step) {
    const DropoutScope scope(1, step, 0);
    const auto parts = objective.forward(input_of(users));
    EXPECT_NEAR(parts.weight, weight, 1e-12);
    int64_t found = -1, order = 0;
    for (const double first : of_channels[0])
      for (const double second : of_channels[1]) {
        if (std::abs(parts.sum.item<double>() / weight - first - second) < 1e-9) found = order;
        ++order;
      }
    EXPECT_GE(found, 0) << "no order of rows and columns gives " << parts.sum.item<double>();
    orders.insert(found);
  }
  EXPECT_GT(orders.size(), 5U) << "the order hardly changes";
}

TEST(MutualInformationObjective, GradientsEqualDifferences) {
  torch::manual_seed(12);
  MutualInformationObjective objective({}, {.width = 3, .num_channels = 3});
  objective.to(torch::kDouble);
  Scene scene(4, 3, false, scorers()[0]);
  const auto loss = [&](const torch::Tensor& users) {
    const DropoutScope scope(1, 2, 0);  // the same order at every call
    auto input = scene.input();
    input.all_users = [users] { return users; };
    for (int64_t c = 0; c < 3; ++c)
      input.channels.emplace_back([](const torch::Tensor& x) { return 0.5 * (x + x.roll(1, 0)); });
    return objective.forward(input).sum;  // []
  };
  const auto users = torch::randn({5, 3}, torch::kDouble);  // [U, D]
  expect_gradients([&](const std::vector<torch::Tensor>& x) { return loss(x[0]); }, {users}, 1e-6,
                   1e-5);
  expect_parameter_gradients(objective, [&] { return loss(users); });
}

// What a propagation makes of vectors is not punished, what is trained is.
TEST(BprObjective, L2IsThatOfTheVectorsBeforePropagation) {
  torch::manual_seed(9);
  BprObjective objective({.l2 = 0.5}, {});
  Scene scene(1, 1, false, scorers()[0]);
  auto input = scene.input();
  input.weights = torch::Tensor();
  const double plain = BprObjective({}, {}).forward(input).sum.item<double>();
  const auto origin = torch::randn({3, kWidth}, torch::kDouble);  // [user, target, negative]
  input.users.origin = origin.slice(0, 0, 1);
  input.targets.origin = origin.slice(0, 1, 2);
  input.negatives = [&, side = input.negatives] {
    auto with = side();
    with.origin = origin.slice(0, 2, 3).unsqueeze(0);
    return with;
  };
  EXPECT_NEAR(objective.forward(input).sum.item<double>() - plain, 0.25 * scene.norm2(origin),
              1e-9);
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
                                                Objective::Deps{}),
      std::make_shared<CosineContrastiveObjective>(CosineContrastiveObjective::Options{},
                                                   Objective::Deps{}),
      std::make_shared<DirectAuObjective>(DirectAuObjective::Options{}, Objective::Deps{}),
      std::make_shared<WarpObjective>(WarpObjective::Options{}, Objective::Deps{})};
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

// Scores by a network, and remembers for how many pairs at once.
class WatchedScorer : public Scorer {
 public:
  explicit WatchedScorer(std::shared_ptr<Scorer> scorer)
      : scorer_(register_module("scorer", std::move(scorer))) {}
  torch::Tensor forward(const ScorerSide& users, const ScorerSide& items) override {
    const auto scores = scorer_->forward(users, items);  // [P, C]
    most_pairs = std::max(most_pairs, scores.numel());
    return scores;
  }
  bool is_inner_product() const override { return scorer_->is_inner_product(); }
  torch::Tensor query_form(const ScorerSide& users) override { return scorer_->query_form(users); }
  InnerProduct item_form(const ScorerSide& items) override { return scorer_->item_form(items); }

  int64_t most_pairs = 0;

 private:
  std::shared_ptr<Scorer> scorer_;
};

// 500 positions and 400 items: 200,000 pairs.
struct LargeScene {
  static constexpr int64_t kPositions = 500, kMany = 400;
  torch::Tensor users = (torch::randn({kPositions, kWidth}) * 0.5).requires_grad_();
  torch::Tensor items = (torch::randn({kMany, kWidth}) * 0.5).requires_grad_();
  torch::Tensor targets = torch::randint(kMany, {kPositions}, torch::kLong);
  torch::Tensor negatives = torch::randint(kMany, {kPositions, 300}, torch::kLong);
  torch::Tensor frequency = torch::rand({kMany}).log();
  std::shared_ptr<WatchedScorer> scorer;

  explicit LargeScene(bool network) {
    std::shared_ptr<Scorer> inside;
    if (network)
      inside = std::make_shared<MlpScorer>(MlpScorer::Options{.hidden_units = {5}}, kDeps);
    else
      inside = std::make_shared<DotScorer>(DotScorer::Options{}, kDeps);
    scorer = std::make_shared<WatchedScorer>(inside);
  }
  ObjectiveInput input() const {
    ObjectiveInput in;
    in.users = {users, {}};
    in.targets = {items.index({targets}), targets};
    in.negative_ids = negatives;
    in.negatives = [this] { return ScorerSide{items.index({negatives}), negatives}; };
    in.target_log_frequency = frequency.index({targets});
    in.num_items = kMany;
    in.all_items = [this] { return ScorerSide{items, torch::arange(kMany, torch::kLong)}; };
    in.scorer = scorer.get();
    return in;
  }
  std::vector<torch::Tensor> leaves() const {
    auto all = scorer->parameters();
    all.insert(all.end(), {users, items});
    return all;
  }
};

// The loss and its gradients, against a plain formula over all pairs at once.
void expect_plain(LargeScene& scene, Objective& objective, const torch::Tensor& plain) {
  scene.scorer->most_pairs = 0;
  const auto sum = objective.forward(scene.input()).sum;
  EXPECT_LE(scene.scorer->most_pairs, 1 << 16);
  EXPECT_NEAR(sum.item<double>(), plain.item<double>(), 1e-5 * plain.item<double>());
  const auto leaves = scene.leaves();
  const auto grad = [&](const torch::Tensor& of) {
    return torch::autograd::grad({of}, leaves, {}, std::nullopt, false, /*allow_unused=*/true);
  };
  const auto expected = grad(plain), made = grad(sum);
  for (size_t i = 0; i < leaves.size(); ++i) {
    ASSERT_EQ(made[i].defined(), expected[i].defined()) << i;
    EXPECT_TRUE(torch::allclose(made[i], expected[i], 1e-3, 1e-3))
        << i << ": " << (made[i] - expected[i]).abs().max().item<float>();
  }
}

TEST(SoftmaxObjective, OfANetworkNeverHoldsAllPairs) {
  torch::manual_seed(11);
  LargeScene scene(/*network=*/true);
  SoftmaxObjective objective({}, {});
  const auto scores = scene.scorer->forward({scene.users, {}}, {scene.items, {}});  // [P, I]
  const auto chosen = scores.gather(1, scene.targets.unsqueeze(1)).squeeze(1);      // [P]
  expect_plain(scene, objective, (scores.logsumexp(1) - chosen).sum());
}

TEST(SampledSoftmaxObjective, OfANetworkNeverHoldsAllPairs) {
  torch::manual_seed(12);
  LargeScene scene(/*network=*/true);
  SampledSoftmaxObjective objective({.negatives = 300}, {});
  const auto in = scene.input();
  const auto others = scene.scorer->forward(in.users, in.negatives())
                          .masked_fill(scene.negatives.eq(scene.targets.unsqueeze(1)), -1e30);
  const auto chosen = paired_scores(*scene.scorer, in.users, in.targets);  // [P]
  expect_plain(scene, objective, at::softplus(others.logsumexp(1) - chosen).sum());
}

TEST(InBatchSoftmaxObjective, NeverHoldsAllPairs) {
  for (const bool network : {false, true}) {
    torch::manual_seed(13);
    LargeScene scene(network);
    InBatchSoftmaxObjective objective({}, {});
    const auto in = scene.input();
    const auto own = torch::eye(LargeScene::kPositions, torch::kBool);  // [P, P]
    const auto copies = scene.targets.unsqueeze(1).eq(scene.targets).logical_and(own.logical_not());
    const auto scores = (scene.scorer->forward(in.users, in.targets) - in.target_log_frequency)
                            .masked_fill(copies, -1e30);  // [P, P]
    expect_plain(scene, objective, (scores.logsumexp(1) - scores.diagonal()).sum());
  }
}

// A hit counts as the target itself does, which these leave out: each position beside negatives of its own, in
// which its hits are the target, has the same loss.
TEST(Objective, OfADrawForTheStepWhatAUserHasIsLeftOut) {
  const auto drawn = [](auto options) {
    options.negatives = 6;
    options.sharing = ObjectiveNeeds::Sharing::kStep;
    options.exclude_positives = true;
    return options;
  };
  const std::vector<std::shared_ptr<Objective>> objectives = {
      std::make_shared<BceObjective>(drawn(BceObjective::Options{}), Objective::Deps{}),
      std::make_shared<CosineContrastiveObjective>(drawn(CosineContrastiveObjective::Options{}),
                                                   Objective::Deps{}),
      std::make_shared<SampledSoftmaxObjective>(drawn(SampledSoftmaxObjective::Options{}),
                                                Objective::Deps{}),
      std::make_shared<WarpObjective>(drawn(WarpObjective::Options{}), Objective::Deps{})};
  torch::manual_seed(5);
  for (const auto& objective : objectives)
    for (const auto& scorer : scorers()) {
      EXPECT_TRUE(objective->needs().exclude_positives);
      Scene scene(5, 6, /*shared=*/true, scorer);
      scene.negative_hits = torch::rand({5, 6}) < 0.4;
      scene.negative_hits[3].fill_(true);
      auto own = scene;
      own.negative_hits = torch::Tensor();
      own.negative_ids =
          torch::where(scene.negative_hits, scene.target_ids.unsqueeze(1), scene.negative_ids);
      const auto found = objective->forward(scene.input()),
                 expected = objective->forward(own.input());
      EXPECT_NEAR(found.sum.item<double>(), expected.sum.item<double>(), 1e-8)
          << objective->name() << ", " << scorer->name();
      EXPECT_EQ(found.weight, expected.weight);
    }
}

TEST(UltraGcnObjective, OfADrawForTheStepWhatAUserHasIsLeftOut) {
  torch::manual_seed(6);
  const UltraGcnObjective::Options options{.negatives = 6,
                                           .sharing = ObjectiveNeeds::Sharing::kStep,
                                           .exclude_positives = true,
                                           .negative_own = 0.1,
                                           .negative_graph = 0.4,
                                           .negative_weight = 2.5,
                                           .item_weight = 0.0};
  UltraGcnObjective objective(options, deps_of_graph());
  for (const auto& scorer : scorers()) {
    Scene scene(5, 6, /*shared=*/true, scorer);
    const double all = objective.forward(scene.input()).sum.item<double>();
    scene.negative_hits = torch::rand({5, 6}) < 0.4;
    double hit = 0.0;
    for (int64_t p = 0; p < 5; ++p)
      for (int64_t n = 0; n < 6; ++n) {
        if (!scene.negative_hits[p][n].item<bool>()) continue;
        const auto item = scene.negative(p, n);
        const double degree = static_cast<double>(p % 5 + 1);
        const double beta =
            std::sqrt(degree + 1) / degree / std::sqrt(2.0 * static_cast<double>(item) + 1);
        hit += scene.weight(p) * 2.5 / 6.0 * (0.1 + 0.4 * beta) * softplus(scene.score(p, item));
      }
    EXPECT_NEAR(objective.forward(scene.input()).sum.item<double>(), all - hit, 1e-8);
  }
}

TEST(Objective, NegativesOfAStepAreComparedWithWhatUsersHaveOnlyWhereThatIsAskedFor) {
  EXPECT_FALSE(SampledSoftmaxObjective({}, {}).needs().exclude_positives);  // shared by the step
  EXPECT_TRUE(BceObjective({}, {}).needs().exclude_positives);
  struct Slot {
    Component<Objective> objective;
    static void describe(Schema<Slot>& schema) {
      schema.field("objective", &Slot::objective).required();
    }
  };
  Catalog catalog;
  add_layers(catalog);
  const auto problem_of = [&](const std::string& yaml) -> std::string {
    try {
      read_config<Slot>(parse_yaml("objective: " + yaml + "\n", "o.yaml"), catalog);
      return "";
    } catch (const ConfigError& error) {
      return error.what();
    }
  };
  for (const std::string type : {"bpr", "sampled_softmax", "warp", "bce"})
    EXPECT_EQ(problem_of("{type: " + type + ", sharing: step, exclude_positives: true}"), "");
  EXPECT_NE(problem_of("{type: bpr, negatives: 1000000000}").find("must be in [1, 1000000]"),
            std::string::npos);
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
  EXPECT_FALSE(needs.labels || needs.log_q || needs.log_frequency);
  EXPECT_EQ(SoftmaxObjective({}, {}).needs().negatives, 0);
}

}  // namespace
}  // namespace reckon::objective_test
