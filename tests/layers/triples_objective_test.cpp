#include "layers/triples_objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>
#include <complex>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/ids.h"
#include "kernels/dropout.h"
#include "layers/distmult_scorer.h"
#include "layers/graph_triples_objective.h"
#include "layers/rotate_scorer.h"
#include "layers/transe_scorer.h"
#include "layers/transr_scorer.h"
#include "tests/support/gradients.h"

namespace reckon::triples_objective_test {
namespace {

using Options = TriplesObjective::Options;
using Fact = std::tuple<int64_t, int64_t, int64_t>;  // relation, head, tail

std::vector<double> row(const torch::Tensor& x) {
  const auto flat = x.detach().contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

std::vector<double> unit(std::vector<double> x) {
  double squares = 0.0;
  for (const double v : x) squares += v * v;
  for (double& v : x) v /= std::sqrt(squares);
  return x;
}

struct Kind {
  std::string name;
  std::function<std::shared_ptr<TripleScorer>(const TripleScorer::Deps&)> make;
  // The score of one triple by the parameters of its relation, in the order of their names.
  std::function<double(std::vector<double> h, std::vector<double> t,
                       const std::vector<torch::Tensor>& of_relation)>
      formula;
};

std::vector<Kind> every_kind() {
  std::vector<Kind> kinds;
  for (const int64_t norm : {1, 2})
    for (const bool normalize : {false, true})
      kinds.push_back({"transe_" + std::to_string(norm) + (normalize ? "_normalized" : ""),
                       [=](const auto& deps) {
                         return std::make_shared<TranseScorer>(
                             TranseScorer::Options{.norm = norm, .normalize = normalize}, deps);
                       },
                       [=](auto h, auto t, const auto& p) {
                         if (normalize) h = unit(h), t = unit(t);
                         const auto r = row(p[0]);
                         double sum = 0.0;
                         for (size_t d = 0; d < h.size(); ++d)
                           sum += std::pow(std::abs(h[d] + r[d] - t[d]), norm);
                         return -std::pow(sum, 1.0 / static_cast<double>(norm));
                       }});
  for (const bool normalize : {false, true}) {
    kinds.push_back({std::string("transr") + (normalize ? "_normalized" : ""),
                     [=](const auto& deps) {
                       return std::make_shared<TransrScorer>(
                           TransrScorer::Options{.relation_dim = 3, .normalize = normalize}, deps);
                     },
                     [=](auto h, auto t, const auto& p) {
                       const auto matrix = row(p[0]);  // "matrices" before "relations"
                       auto r = row(p[1]);
                       const auto scale = [&](const std::vector<double>& x) {
                         return normalize ? unit(x) : x;
                       };
                       const auto project = [&](const std::vector<double>& x) {
                         std::vector<double> out(3, 0.0);
                         for (size_t d = 0; d < x.size(); ++d)
                           for (size_t k = 0; k < 3; ++k) out[k] += x[d] * matrix[d * 3 + k];
                         return scale(out);
                       };
                       const auto a = project(scale(h)), b = project(scale(t));
                       r = scale(r);
                       double sum = 0.0;
                       for (size_t k = 0; k < 3; ++k)
                         sum += (a[k] + r[k] - b[k]) * (a[k] + r[k] - b[k]);
                       return -sum;
                     }});
    kinds.push_back({std::string("distmult") + (normalize ? "_normalized" : ""),
                     [=](const auto& deps) {
                       return std::make_shared<DistmultScorer>(
                           DistmultScorer::Options{.normalize = normalize}, deps);
                     },
                     [=](auto h, auto t, const auto& p) {
                       if (normalize) h = unit(h), t = unit(t);
                       const auto r = row(p[0]);
                       double sum = 0.0;
                       for (size_t d = 0; d < h.size(); ++d) sum += h[d] * r[d] * t[d];
                       return sum;
                     }});
  }
  kinds.push_back({"rotate",
                   [](const auto& deps) {
                     return std::make_shared<RotateScorer>(RotateScorer::Options{}, deps);
                   },
                   [](auto h, auto t, const auto& p) {
                     const auto phase = row(p[0]);
                     const size_t half = h.size() / 2;
                     double sum = 0.0;
                     for (size_t d = 0; d < half; ++d)
                       sum += std::abs(std::complex(h[d], h[half + d]) * std::polar(1.0, phase[d]) -
                                       std::complex(t[d], t[half + d]));
                     return -sum;
                   }});
  return kinds;
}

std::map<std::string, torch::Tensor> parameters_of(TripleScorer& scorer) {
  std::map<std::string, torch::Tensor> out;
  for (const auto& item : scorer.named_parameters()) out[item.key()] = item.value();
  return out;
}

TEST(TripleScorers, EqualTheirFormulasTripleByTriple) {
  torch::manual_seed(3);
  for (const auto& kind : every_kind())
    for (const auto& [n, m, width, num_relations] :
         {std::tuple{1, 1, 2, 1}, {4, 3, 6, 2}, {9, 1, 4, 7}}) {
      const auto scorer = kind.make({.width = width, .num_relations = num_relations});
      scorer->to(torch::kDouble);
      for (auto& parameter : scorer->parameters()) parameter.set_data(torch::randn_like(parameter));
      const auto heads = torch::randn({n, 1, width}, torch::kDouble);
      const auto tails = torch::randn({n, m, width}, torch::kDouble);
      const auto relations = torch::randint(num_relations, {n}, torch::kLong);
      const auto forward = scorer->forward(heads, relations, tails);
      const auto backward = scorer->forward(tails, relations, heads);
      ASSERT_EQ(forward.sizes(), at::IntArrayRef({n, m})) << kind.name;
      for (int64_t i = 0; i < n; ++i) {
        std::vector<torch::Tensor> own;
        for (const auto& [key, value] : parameters_of(*scorer)) own.push_back(value[relations[i]]);
        for (int64_t j = 0; j < m; ++j) {
          const auto h = row(heads[i][0]), t = row(tails[i][j]);
          EXPECT_NEAR(forward[i][j].item<double>(), kind.formula(h, t, own), 1e-9) << kind.name;
          EXPECT_NEAR(backward[i][j].item<double>(), kind.formula(t, h, own), 1e-9) << kind.name;
        }
      }
    }
}

TEST(TripleScorers, HaveTheGradientsOfCentralDifferences) {
  torch::manual_seed(5);
  for (const auto& kind : every_kind()) {
    const auto scorer = kind.make({.width = 4, .num_relations = 3});
    scorer->to(torch::kDouble);
    const auto relations = torch::tensor({2, 0, 1, 2}, torch::kLong);
    const auto heads = torch::randn({4, 1, 4}, torch::kDouble);
    const auto tails = torch::randn({4, 2, 4}, torch::kDouble);
    expect_gradients(
        [&](const auto& x) { return scorer->forward(x[0], relations, x[1]).tanh().sum(); },
        {heads, tails});
    expect_parameter_gradients(*scorer, [&] {
      return scorer->forward(heads, relations, tails).tanh().sum();
    });
  }
}

TEST(TripleScorers, HaveNoNanWhereVectorsAreZero) {
  for (const auto& kind : every_kind()) {
    const auto scorer = kind.make({.width = 4, .num_relations = 1});
    scorer->to(torch::kDouble);
    for (auto& parameter : scorer->parameters()) parameter.set_data(torch::zeros_like(parameter));
    const auto zero = torch::zeros({1, 1, 4}, torch::kDouble).requires_grad_();
    const auto score = scorer->forward(zero, torch::zeros({1}, torch::kLong), zero).sum();
    EXPECT_NEAR(score.item<double>(), 0.0, 1e-9) << kind.name;
    const auto gradient = torch::autograd::grad({score}, {zero})[0];
    EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << kind.name;
  }
}

torch::Tensor fill(at::IntArrayRef shape, int64_t salt) {
  const auto index = torch::arange(c10::multiply_integers(shape), torch::kLong);
  return (((index * 7 + salt * 5).remainder(17) - 8).to(torch::kDouble) / 16.0).reshape(shape);
}

const nlohmann::json& reference() {
  static const auto values = [] {
    std::ifstream file(std::string(RECKON_SOURCE_DIR) + "/tests/references/triples_reference.json");
    return nlohmann::json::parse(file);
  }();
  return values;
}

void expect_numbers(const torch::Tensor& got, const nlohmann::json& expected,
                    const std::string& what) {
  const auto values = expected.get<std::vector<double>>();
  const auto flat = row(got.to(torch::kDouble));
  ASSERT_EQ(flat.size(), values.size()) << what;
  for (size_t i = 0; i < flat.size(); ++i) EXPECT_NEAR(flat[i], values[i], 1e-10) << what;
}

TEST(TripleScorers, EqualTheReferenceWrittenFromThePapers) {
  const TripleScorer::Deps deps{.width = 6, .num_relations = 3};
  const std::map<std::string, std::shared_ptr<TripleScorer>> scorers = {
      {"transe_1",
       std::make_shared<TranseScorer>(TranseScorer::Options{.norm = 1, .normalize = false}, deps)},
      {"transe_2",
       std::make_shared<TranseScorer>(TranseScorer::Options{.norm = 2, .normalize = false}, deps)},
      {"transe_2_normalized", std::make_shared<TranseScorer>(TranseScorer::Options{}, deps)},
      {"transr", std::make_shared<TransrScorer>(
                     TransrScorer::Options{.relation_dim = 4, .normalize = false}, deps)},
      {"transr_normalized",
       std::make_shared<TransrScorer>(TransrScorer::Options{.relation_dim = 4}, deps)},
      {"distmult",
       std::make_shared<DistmultScorer>(DistmultScorer::Options{.normalize = false}, deps)},
      {"distmult_normalized", std::make_shared<DistmultScorer>(DistmultScorer::Options{}, deps)},
      {"rotate", std::make_shared<RotateScorer>(RotateScorer::Options{}, deps)}};
  ASSERT_EQ(scorers.size(), reference()["scores"].size());
  for (const auto& [name, scorer] : scorers) {
    scorer->to(torch::kDouble);
    for (auto& [key, parameter] : parameters_of(*scorer)) {
      const int64_t salt = key == "matrices"            ? 3
                           : key == "phases"            ? 4
                           : name.starts_with("transr") ? 2
                                                        : 1;
      parameter.set_data(fill(parameter.sizes(), salt));
    }
    expect_numbers(scorer->forward(fill({5, 1, 6}, 5), torch::tensor({2, 0, 1, 0, 2}, torch::kLong),
                                   fill({5, 3, 6}, 6)),
                   reference()["scores"][name], name);
  }
}

/// Six facts about three items and two other entities.
std::shared_ptr<Triples> some_triples() {
  auto triples = std::make_shared<Triples>();
  triples->num_entities = 5;
  triples->num_relations = 2;
  triples->relations = torch::tensor({0, 0, 0, 1, 1, 1}, torch::kLong);
  triples->heads = torch::tensor({0, 1, 2, 0, 0, 1}, torch::kLong);
  triples->tails = torch::tensor({3, 3, 4, 1, 4, 4}, torch::kLong);
  return triples;
}

Options with(const std::function<void(Options&)>& change = {}) {
  Options options;
  options.scorer = Component<TripleScorer>::make<TranseScorer>();
  if (change) change(options);
  return options;
}

Objective::Deps deps_of(std::shared_ptr<const Triples> triples, int64_t num_items = 3) {
  return {.width = 4, .table_width = 4, .num_items = num_items, .triples = std::move(triples)};
}

TEST(TriplesObjective, LosesWhatTheReferenceSays) {
  const std::map<std::string, Options::Loss> losses = {{"margin", Options::Loss::kMargin},
                                                       {"logistic", Options::Loss::kLogistic},
                                                       {"self_adversarial",
                                                        Options::Loss::kSelfAdversarial}};
  ASSERT_EQ(losses.size(), reference()["losses"].size());
  for (const auto& [name, loss] : losses) {
    const TriplesObjective objective(with([loss = loss](Options& o) {
                                       o.loss = loss;
                                       o.margin = 0.75;
                                       o.temperature = 0.5;
                                     }),
                                     deps_of(some_triples()));
    expect_numbers(objective.losses(fill({5}, 7), 2 * fill({5, 3}, 8)), reference()["losses"][name],
                   name);
  }
}

TEST(TriplesObjective, DrawsFactsAndReplacesOneEndByWhatMakesThemWrong) {
  const auto triples = some_triples();
  std::set<Fact> facts;
  const auto fact_at = [&](int64_t i) {
    return Fact(triples->relations[i].item<int64_t>(), triples->heads[i].item<int64_t>(),
                triples->tails[i].item<int64_t>());
  };
  for (int64_t i = 0; i < 6; ++i) facts.insert(fact_at(i));
  for (const auto corrupt :
       {Options::Corrupt::kHeadOrTail, Options::Corrupt::kTail, Options::Corrupt::kBernoulli}) {
    const TriplesObjective objective(with([=](Options& o) {
                                       o.corrupt = corrupt;
                                       o.negatives = 3;
                                     }),
                                     deps_of(triples));
    const auto drawn = objective.draw(2000, RandomKey(4));
    std::map<int64_t, int64_t> times;
    std::map<int64_t, std::pair<int64_t, int64_t>> replaced;  // by relation: heads, all
    for (int64_t i = 0; i < 2000; ++i) {
      const auto fact = drawn.facts[i].item<int64_t>();
      ++times[fact];
      const auto [relation, head, tail] = fact_at(fact);
      for (int64_t n = 0; n < 3; ++n) {
        const auto new_head = drawn.heads[i][n].item<int64_t>();
        const auto new_tail = drawn.tails[i][n].item<int64_t>();
        EXPECT_FALSE(facts.contains(Fact(relation, new_head, new_tail)));
        EXPECT_NE(new_head != head, new_tail != tail);
        EXPECT_TRUE(new_head >= 0 && new_head < 5 && new_tail >= 0 && new_tail < 5);
        replaced[relation].first += new_head != head ? 1 : 0;
        ++replaced[relation].second;
      }
    }
    for (int64_t fact = 0; fact < 6; ++fact) EXPECT_NEAR(times[fact], 2000 / 6.0, 75.0);
    const auto share = [&](int64_t relation) {
      return static_cast<double>(replaced[relation].first) /
             static_cast<double>(replaced[relation].second);
    };
    // Relation 0 has 3 heads and 2 tails, relation 1 has 2 and 2.
    EXPECT_NEAR(share(0),
                corrupt == Options::Corrupt::kHeadOrTail ? 0.5
                : corrupt == Options::Corrupt::kTail     ? 0.0
                                                         : 2.0 / 5.0,
                0.04);
    EXPECT_NEAR(share(1), corrupt == Options::Corrupt::kTail ? 0.0 : 0.5, 0.04);
  }
}

TEST(TriplesObjective, DrawsTheSameByOneKeyAndOtherwiseByAnother) {
  const TriplesObjective objective(with(), deps_of(some_triples()));
  const auto a = objective.draw(50, RandomKey(1)), b = objective.draw(50, RandomKey(1)),
             c = objective.draw(50, RandomKey(2));
  EXPECT_TRUE(torch::equal(a.facts, b.facts) && torch::equal(a.heads, b.heads) &&
              torch::equal(a.tails, b.tails));
  EXPECT_FALSE(torch::equal(a.facts, c.facts));
}

TEST(TriplesObjective, TakesARightFactForACorruptedOneWhereThereIsNoOther) {
  auto triples = std::make_shared<Triples>();
  triples->num_entities = triples->num_relations = 1;
  triples->heads = triples->relations = triples->tails = torch::zeros({1}, torch::kLong);
  const TriplesObjective objective(with(), deps_of(triples, 1));
  const auto drawn = objective.draw(3, RandomKey(1));
  EXPECT_TRUE(drawn.heads.eq(0).all().item<bool>() && drawn.tails.eq(0).all().item<bool>());
}

/// Three positions over tables of items and entities.
struct Scene {
  torch::Tensor items = torch::randn({3, 4}, torch::kDouble);
  torch::Tensor users = torch::randn({3, 4}, torch::kDouble);
  torch::Tensor weights = torch::rand({3}, torch::kDouble) + 0.5;

  ObjectiveInput input(const torch::Tensor& table) const {
    ObjectiveInput in;
    in.users = {users, {}};
    in.weights = weights;
    in.num_items = 3;
    in.item_table = [table](const torch::Tensor& ids) {
      const auto rows = at::embedding(table, ids.clamp_min(0));
      return rows * ids.ge(0).unsqueeze(-1);
    };
    return in;
  }
};

torch::Tensor entity_table(TriplesObjective& objective) {
  for (const auto& item : objective.named_parameters())
    if (item.key() == "entities.weight") return item.value().detach().slice(0, 2);
  return torch::empty({0, 4}, torch::kDouble);
}

TEST(TriplesObjective, AddsUpWhatTheDrawnFactsLose) {
  torch::manual_seed(2);
  const Scene scene;
  for (const double l2 : {0.0, 0.3}) {
    TriplesObjective objective(with([=](Options& o) {
                                 o.triples = 2;
                                 o.negatives = 3;
                                 o.l2 = l2;
                                 o.init.scale = 1.0;
                               }),
                               deps_of(some_triples()));
    objective.to(torch::kDouble);
    const auto triples = some_triples();
    const auto all = torch::cat({scene.items, entity_table(objective)});  // [5, 4]
    const auto relations = objective.named_parameters()["scorer.relations"].detach();
    TriplesObjective::Drawn drawn;
    LossParts parts;
    {
      const DropoutScope scope(1, 2, 0);
      parts = objective.forward(scene.input(scene.items));
    }
    {
      const DropoutScope scope(1, 2, 0);
      drawn = objective.draw(6, RandomKey(next_random_key()));
    }
    const auto score = [&](int64_t h, int64_t r, int64_t t) {
      const auto a = unit(row(all[h])), b = unit(row(all[t])), v = row(relations[r]);
      double sum = 0.0;
      for (size_t d = 0; d < 4; ++d) sum += (a[d] + v[d] - b[d]) * (a[d] + v[d] - b[d]);
      return -std::sqrt(sum);
    };
    const auto length = [&](int64_t e) { return all[e].square().sum().item<double>(); };
    double expected = 0.0;
    for (int64_t p = 0; p < 3; ++p)
      for (int64_t i = 2 * p; i < 2 * p + 2; ++i) {
        const auto fact = drawn.facts[i].item<int64_t>();
        const auto h = triples->heads[fact].item<int64_t>();
        const auto r = triples->relations[fact].item<int64_t>();
        const auto t = triples->tails[fact].item<int64_t>();
        double loss = 0.5 * l2 * (length(h) + length(t));
        for (int64_t n = 0; n < 3; ++n) {
          const auto g = drawn.heads[i][n].item<int64_t>(), u = drawn.tails[i][n].item<int64_t>();
          loss += std::max(0.0, 1.0 - score(h, r, t) + score(g, r, u)) / 3.0;
          loss += 0.5 * l2 * length(g != h ? g : u) / 3.0;
        }
        expected += scene.weights[p].item<double>() * loss / 2.0;
      }
    EXPECT_NEAR(parts.sum.item<double>(), expected, 1e-9);
    EXPECT_NEAR(parts.weight, scene.weights.sum().item<double>(), 1e-6);
  }
}

TEST(TriplesObjective, HasTheGradientsOfCentralDifferences) {
  torch::manual_seed(4);
  const Scene scene;
  for (const auto loss : {Options::Loss::kLogistic, Options::Loss::kSelfAdversarial}) {
    TriplesObjective objective(with([=](Options& o) {
                                 o.loss = loss;
                                 o.triples = 3;
                                 o.temperature = 0.0;  // its weights are constants
                                 o.l2 = 0.1;
                                 o.init.scale = 1.0;
                               }),
                               deps_of(some_triples()));
    objective.to(torch::kDouble);
    expect_gradients(
        [&](const auto& x) {
          const DropoutScope scope(1, 2, 0);
          return objective.forward(scene.input(x[0])).sum;
        },
        {scene.items});
  }
}

TEST(TriplesObjective, DrawsByStepAndShard) {
  const Scene scene;
  TriplesObjective objective(with(), deps_of(some_triples()));
  objective.to(torch::kDouble);
  const auto sum_of = [&](int64_t step, int64_t shard) {
    const DropoutScope scope(1, step, shard);
    return objective.forward(scene.input(scene.items)).sum.item<double>();
  };
  EXPECT_EQ(sum_of(3, 1), sum_of(3, 1));
  EXPECT_NE(sum_of(3, 1), sum_of(4, 1));
  EXPECT_NE(sum_of(3, 1), sum_of(3, 2));
}

TEST(TriplesObjective, HasNoTableForEntitiesWhenAllAreItems) {
  TriplesObjective objective(with(), deps_of(some_triples(), 5));
  EXPECT_EQ(objective.named_parameters().size(), 1U);
  TriplesObjective other(with(), deps_of(some_triples(), 4));
  EXPECT_EQ(other.named_parameters()["entities.weight"].size(0), 2 + 1);
}

TEST(TriplesObjective, RefusesToLearnFromNothing) {
  const Scene scene;
  TriplesObjective objective(with(), deps_of(nullptr));
  EXPECT_THROW(objective.forward(scene.input(scene.items)), c10::Error);
}

/// Five nodes with vectors, and a scorer of two relations that belongs to somebody else.
struct GraphScene {
  std::shared_ptr<TransrScorer> scorer =
      std::make_shared<TransrScorer>(TransrScorer::Options{.normalize = false},
                                     TripleScorer::Deps{.width = 4, .num_relations = 2});
  torch::Tensor nodes = torch::randn({5, 4}, torch::kDouble);
  Scene scene;

  GraphScene() { scorer->to(torch::kDouble); }
  GraphTriplesObjective objective(const GraphTriplesObjective::Options& options) const {
    return {options, {.width = 4, .graph_facts = {.triples = some_triples(), .scorer = scorer}}};
  }
  ObjectiveInput input(const torch::Tensor& table) const {
    auto in = scene.input(scene.items);
    in.nodes = table;
    return in;
  }
};

TEST(GraphTriplesObjective, AddsUpWhatTheDrawnEdgesLose) {
  torch::manual_seed(6);
  const GraphScene scene;
  const auto triples = some_triples();
  for (const double l2 : {0.0, 0.3}) {
    const GraphTriplesObjective::Options options{.triples = 2, .negatives = 3, .l2 = l2};
    auto objective = scene.objective(options);
    EXPECT_EQ(objective.named_parameters().size(), 0U);
    EXPECT_TRUE(objective.needs().graph_facts);
    FactSampler::Drawn drawn;
    LossParts parts;
    {
      const DropoutScope scope(1, 2, 0);
      parts = objective.forward(scene.input(scene.nodes));
    }
    {
      const DropoutScope scope(1, 2, 0);
      drawn = FactSampler(triples, options.corrupt, 3).draw(6, RandomKey(next_random_key()));
    }
    const auto score = [&](int64_t h, int64_t r, int64_t t) {
      return scene.scorer
          ->forward(scene.nodes[h].view({1, 1, 4}), torch::full({1}, r, torch::kLong),
                    scene.nodes[t].view({1, 1, 4}))
          .item<double>();
    };
    const auto length = [&](int64_t e) { return scene.nodes[e].square().sum().item<double>(); };
    double expected = 0.0;
    for (int64_t i = 0; i < 6; ++i) {
      const auto fact = drawn.facts[i].item<int64_t>();
      const auto h = triples->heads[fact].item<int64_t>(),
                 r = triples->relations[fact].item<int64_t>(),
                 t = triples->tails[fact].item<int64_t>();
      double loss = 0.5 * l2 * (length(h) + length(t));
      for (int64_t n = 0; n < 3; ++n) {
        const auto u = drawn.tails[i][n].item<int64_t>();
        EXPECT_EQ(drawn.heads[i][n].item<int64_t>(), h);
        loss += std::log1p(std::exp(score(h, r, u) - score(h, r, t))) / 3.0;
        loss += 0.5 * l2 * length(u) / 3.0;
      }
      expected += scene.scene.weights[i / 2].item<double>() * loss / 2.0;
    }
    EXPECT_NEAR(parts.sum.item<double>(), expected, 1e-9);
    EXPECT_NEAR(parts.weight, scene.scene.weights.sum().item<double>(), 1e-6);
  }
}

TEST(GraphTriplesObjective, HasTheGradientsOfCentralDifferences) {
  torch::manual_seed(7);
  const GraphScene scene;
  auto objective = scene.objective({.triples = 3, .negatives = 2, .l2 = 0.1});
  const auto loss = [&](const torch::Tensor& nodes) {
    const DropoutScope scope(1, 2, 0);
    return objective.forward(scene.input(nodes)).sum;
  };
  expect_gradients([&](const auto& x) { return loss(x[0]); }, {scene.nodes});
  expect_parameter_gradients(*scene.scorer, [&] { return loss(scene.nodes); });
}

TEST(TransrScorer, ProjectsRowsThatStandTogetherByTheirRelations) {
  torch::manual_seed(8);
  TransrScorer scorer({.relation_dim = 3}, {.width = 4, .num_relations = 3});
  scorer.to(torch::kDouble);
  for (auto& parameter : scorer.parameters()) parameter.set_data(torch::randn_like(parameter));
  const auto matrices = parameters_of(scorer).at("matrices");  // [R, D, K]
  const auto x = torch::randn({5, 4}, torch::kDouble);         // [n, D]
  const auto out = scorer.in_spaces(x, {2, 0, 3});             // [n, K]
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_TRUE(torch::allclose(out[i], x[i].matmul(matrices[i < 2 ? 0 : 2])));
  EXPECT_EQ(scorer.in_spaces(x.slice(0, 0, 0), {0, 0, 0}).sizes(), at::IntArrayRef({0, 3}));
}

TEST(RotateScorer, RefusesAnOddWidth) {
  try {
    RotateScorer({}, {.width = 5, .num_relations = 1});
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "rotate takes vectors as pairs of real and imaginary parts: their width must be "
                 "even, got 5");
  }
}

}  // namespace
}  // namespace reckon::triples_objective_test
