#include "training/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include "tests/training/tiny_model.h"
#include "training/adagrad.h"
#include "training/adam.h"
#include "training/sgd.h"

namespace reckon::optimizer_test {
namespace {

using testing::HasSubstr;

// Larger than a piece of work, a table, a vector whose length fits no vector register, and a scalar.
std::vector<torch::Tensor> make_parameters() {
  torch::manual_seed(3);
  return {torch::randn({2100, 64}), torch::randn({7, 5}), torch::randn({13}), torch::randn({1})};
}

std::vector<OptimizedParameter> named(const std::vector<torch::Tensor>& tensors) {
  std::vector<OptimizedParameter> parameters;
  for (size_t i = 0; i < tensors.size(); ++i)
    parameters.push_back(
        {.name = "p" + std::to_string(i), .tensor = tensors[i], .weight_decay = {}});
  return parameters;
}

std::vector<torch::Tensor> gradients_at(int64_t step,
                                        const std::vector<torch::Tensor>& parameters) {
  torch::manual_seed(100 + static_cast<uint64_t>(step));
  std::vector<torch::Tensor> gradients;
  for (const auto& parameter : parameters) gradients.push_back(torch::randn_like(parameter));
  return gradients;
}

std::vector<Gradient> dense(const std::vector<torch::Tensor>& tensors) {
  std::vector<Gradient> gradients;
  for (const auto& tensor : tensors)
    gradients.push_back({.dense = tensor, .rows = {}, .values = {}});
  return gradients;
}

Gradient of_rows(const torch::Tensor& gradient, const std::vector<int64_t>& rows) {
  const auto ids = torch::tensor(rows, torch::kLong);
  return {.dense = {}, .rows = ids, .values = gradient.index_select(0, ids)};
}

template <class Theirs, class TheirOptions>
void expect_same_as_torch(const Component<Optimizer>& component, const TheirOptions& options) {
  auto ours = make_parameters();
  std::vector<torch::Tensor> theirs;
  for (const auto& tensor : ours) theirs.push_back(tensor.clone().requires_grad_());
  WorkerPool workers(2);
  const auto optimizer = component.build({.parameters = named(ours)});
  Theirs reference(theirs, options);
  for (int64_t step = 0; step < 60; ++step) {
    const auto gradients = gradients_at(step, ours);
    for (size_t i = 0; i < theirs.size(); ++i) theirs[i].mutable_grad() = gradients[i].clone();
    reference.step();
    optimizer->step(dense(gradients), 1.0, workers);
    for (size_t i = 0; i < ours.size(); ++i)
      ASSERT_TRUE(torch::allclose(ours[i], theirs[i].detach(), 1e-5, 1e-6))
          << "parameter " << i << " after step " << step << " is off by "
          << (ours[i] - theirs[i].detach()).abs().max().item<double>();
  }
}

TEST(Optimizer, AdamFollowsTorch) {
  expect_same_as_torch<torch::optim::Adam>(
      Component<Optimizer>::make<Adam>(
          {.lr = 0.03, .betas = {0.8, 0.95}, .eps = 1e-6, .weight_decay = 0.1}),
      torch::optim::AdamOptions(0.03).betas({0.8, 0.95}).eps(1e-6).weight_decay(0.1));
}

TEST(Optimizer, AdamWFollowsTorch) {
  expect_same_as_torch<torch::optim::AdamW>(
      Component<Optimizer>::make<AdamW>({.lr = 0.03, .betas = {0.9, 0.98}, .weight_decay = 0.2}),
      torch::optim::AdamWOptions(0.03).betas({0.9, 0.98}).weight_decay(0.2));
}

TEST(Optimizer, AdagradFollowsTorch) {
  expect_same_as_torch<torch::optim::Adagrad>(
      Component<Optimizer>::make<Adagrad>(
          {.lr = 0.1, .weight_decay = 0.05, .initial_accumulator = 0.2}),
      torch::optim::AdagradOptions(0.1).weight_decay(0.05).initial_accumulator_value(0.2));
}

TEST(Optimizer, SgdFollowsTorch) {
  expect_same_as_torch<torch::optim::SGD>(Component<Optimizer>::make<Sgd>(
                                              {.lr = 0.05, .weight_decay = 0.1}),
                                          torch::optim::SGDOptions(0.05).weight_decay(0.1));
}

TEST(Optimizer, SgdWithMomentumFollowsTorch) {
  expect_same_as_torch<torch::optim::SGD>(
      Component<Optimizer>::make<Sgd>(
          {.lr = 0.02, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1}),
      torch::optim::SGDOptions(0.02).momentum(0.9).nesterov(true).weight_decay(0.1));
}

std::vector<std::pair<std::string, Component<Optimizer>>> all_optimizers() {
  return {{"adam", Component<Optimizer>::make<Adam>({.lr = 0.02, .weight_decay = 0.01})},
          {"adamw", Component<Optimizer>::make<AdamW>({.lr = 0.02})},
          {"adagrad", Component<Optimizer>::make<Adagrad>({.lr = 0.1})},
          {"row_wise adagrad", Component<Optimizer>::make<Adagrad>({.lr = 0.1, .row_wise = true})},
          {"sgd", Component<Optimizer>::make<Sgd>({.lr = 0.1})},
          {"momentum", Component<Optimizer>::make<Sgd>({.lr = 0.1, .momentum = 0.9})}};
}

// Where every row is touched in every step, laziness makes no difference.
TEST(Optimizer, RowUpdatesOfAllRowsEqualDenseOnes) {
  for (const auto& [name, component] : all_optimizers()) {
    if (name == "row_wise adagrad") continue;
    SCOPED_TRACE(name);
    torch::manual_seed(1);
    const auto a = torch::randn({6, 4}), b = a.clone();
    WorkerPool workers(1);
    const auto by_rows = component.build({.parameters = named({a})});
    const auto densely = component.build({.parameters = named({b})});
    for (int64_t step = 0; step < 30; ++step) {
      const auto gradient = gradients_at(step, {a})[0];
      by_rows->step({of_rows(gradient, {0, 1, 2, 3, 4, 5})}, 1.0, workers);
      densely->step(dense({gradient}), 1.0, workers);
      ASSERT_TRUE(torch::allclose(a, b, 1e-5, 1e-6)) << "after step " << step;
    }
  }
}

TEST(Optimizer, SparseAdagradEqualsDenseAdagradWithZerosElsewhere) {
  torch::manual_seed(1);
  const auto a = torch::randn({6, 4}), b = a.clone();
  WorkerPool workers(1);
  Adagrad by_rows({.lr = 0.1}, {.parameters = named({a})}),
      densely({.lr = 0.1}, {.parameters = named({b})});
  for (int64_t step = 0; step < 30; ++step) {
    auto gradient = gradients_at(step, {a})[0];
    const std::vector<int64_t> rows = {step % 3, 3 + step % 2};
    auto zeros = torch::zeros_like(gradient);
    for (const int64_t row : rows) zeros[row] = gradient[row];
    by_rows.step({of_rows(gradient, rows)}, 1.0, workers);
    densely.step(dense({zeros}), 1.0, workers);
    ASSERT_TRUE(torch::allclose(a, b, 1e-5, 1e-6)) << "after step " << step;
  }
}

TEST(Optimizer, RowsWithoutAGradientStayAsTheyWere) {
  for (const auto& [name, component] : all_optimizers()) {
    SCOPED_TRACE(name);
    const auto table = torch::ones({5, 3});
    WorkerPool workers(1);
    const auto optimizer = component.build({.parameters = named({table})});
    for (int64_t step = 0; step < 3; ++step)
      optimizer->step({of_rows(torch::ones({5, 3}), {1, 4})}, 1.0, workers);
    EXPECT_TRUE(torch::equal(table.index({torch::tensor({0, 2, 3})}), torch::ones({3, 3})));
    EXPECT_LT(table[1][0].item<double>(), 1.0);
    EXPECT_LT(table[4][2].item<double>(), 1.0);
  }
}

TEST(Optimizer, RowWiseAdagradKeepsOneNumberForEachRow) {
  const auto table = torch::zeros({4, 2});
  WorkerPool workers(1);
  Adagrad optimizer({.lr = 1.0, .eps = 1e-10, .row_wise = true}, {.parameters = named({table})});
  optimizer.step({of_rows(torch::tensor({{0.0, 0.0}, {3.0, 1.0}, {0.0, 0.0}, {0.0, 0.0}}), {1})},
                 1.0, workers);
  // Mean square (9 + 1) / 2 = 5.
  EXPECT_NEAR(table[1][0].item<double>(), -3.0 / std::sqrt(5.0), 1e-6);
  EXPECT_EQ(optimizer.state().at("sum/p0").sizes(), torch::IntArrayRef({4}));
  // A dense gradient later goes the same way.
  optimizer.step(dense({torch::ones({4, 2})}), 1.0, workers);
  EXPECT_NEAR(table[0][0].item<double>(), -1.0, 1e-6);
}

TEST(Optimizer, ThreadsDoNotChangeABit) {
  for (const auto& [name, component] : all_optimizers()) {
    SCOPED_TRACE(name);
    std::vector<std::vector<torch::Tensor>> results;
    for (const int64_t threads : {1, 2, 4}) {
      auto parameters = make_parameters();
      WorkerPool workers(threads);
      const auto optimizer = component.build({.parameters = named(parameters)});
      for (int64_t step = 0; step < 3; ++step)
        optimizer->step(dense(gradients_at(step, parameters)), 1.0, workers);
      results.push_back(parameters);
    }
    for (size_t i = 0; i < results[0].size(); ++i) {
      EXPECT_TRUE(torch::equal(results[0][i], results[1][i])) << "parameter " << i;
      EXPECT_TRUE(torch::equal(results[0][i], results[2][i])) << "parameter " << i;
    }
  }
}

TEST(Optimizer, StateLoadedIntoAnotherGoesOnBitByBit) {
  for (const auto& [name, component] : all_optimizers()) {
    SCOPED_TRACE(name);
    auto parameters = make_parameters();
    WorkerPool workers(1);
    const auto first = component.build({.parameters = named(parameters)});
    const auto gradients = [&](int64_t step) {
      auto all = dense(gradients_at(step, parameters));
      all[1] = of_rows(all[1].dense, {step % 7});
      return all;
    };
    for (int64_t step = 0; step < 5; ++step) first->step(gradients(step), 1.0, workers);
    std::vector<torch::Tensor> copies;
    for (const auto& parameter : parameters) copies.push_back(parameter.clone());
    const auto second = component.build({.parameters = named(copies)});
    second->load(first->state());
    for (int64_t step = 5; step < 10; ++step) {
      first->step(gradients(step), 1.0, workers);
      second->step(gradients(step), 1.0, workers);
    }
    for (size_t i = 0; i < parameters.size(); ++i)
      EXPECT_TRUE(torch::equal(parameters[i], copies[i])) << "parameter " << i;
  }
}

TEST(Optimizer, RefusesAStateOfAnotherShape) {
  WorkerPool workers(1);
  Adam first({}, {.parameters = named({torch::zeros({3, 2})})});
  first.step(dense({torch::ones({3, 2})}), 1.0, workers);
  Adam narrower({}, {.parameters = named({torch::zeros({3, 1})})});
  EXPECT_THROW(narrower.load(first.state()), std::invalid_argument);
  Adam other({}, {.parameters = {
                      {.name = "other", .tensor = torch::zeros({3, 2}), .weight_decay = {}}}});
  EXPECT_THROW(other.load(first.state()), std::invalid_argument);
  Sgd sgd({.momentum = 0.9}, {.parameters = named({torch::zeros({3, 2})})});
  EXPECT_THROW(sgd.load(first.state()), std::invalid_argument);
}

TEST(Optimizer, StateOfATableThatGrewIsPaddedWithZeros) {
  for (const auto& [name, component] : all_optimizers()) {
    SCOPED_TRACE(name);
    EmbeddingTable table(EmbeddingTableImpl::Options{.num_rows = 3, .width = 2, .init = {}});
    WorkerPool workers(1);
    const auto parameters = trained_parameters(*table, {});
    ASSERT_EQ(parameters.size(), 1u);
    const auto weight = parameters[0].tensor;
    const auto optimizer = component.build({.parameters = parameters});
    const auto rows = [](int64_t height) {
      return of_rows(torch::ones({height, 2}), {2, height - 1});
    };
    optimizer->step({rows(5)}, 1.0, workers);
    table->grow(2, 11);
    const auto drawn = table->all()[4].detach().clone();
    optimizer->step({rows(7)}, 1.0, workers);
    EXPECT_FALSE(torch::equal(table->all()[4].detach(), drawn)) << "the new row is not trained";
    for (const auto& [key, state] : optimizer->state()) {
      if (state.dim() > 0) {
        EXPECT_EQ(state.size(0), 7) << key;
      }
    }
  }
}

TEST(Optimizer, ScheduleScalesTheLearningRate) {
  const auto a = torch::zeros({3}), b = torch::zeros({3});
  WorkerPool workers(1);
  Sgd half({.lr = 0.2}, {.parameters = named({a})}), whole({.lr = 0.1}, {.parameters = named({b})});
  half.step(dense({torch::ones({3})}), 0.5, workers);
  whole.step(dense({torch::ones({3})}), 1.0, workers);
  EXPECT_TRUE(torch::equal(a, b));
}

TEST(Optimizer, ParametersWithoutAGradientDoNotAge) {
  const auto a = torch::zeros({2}), b = torch::zeros({2});
  WorkerPool workers(1);
  Adam optimizer({.lr = 0.1}, {.parameters = named({a, b})});
  const auto one = torch::ones({2});
  optimizer.step({Gradient{.dense = one, .rows = {}, .values = {}}, Gradient{}}, 1.0, workers);
  optimizer.step(dense({one, one}), 1.0, workers);
  EXPECT_EQ(optimizer.state().at("step/p0").item<double>(), 2.0);
  EXPECT_EQ(optimizer.state().at("step/p1").item<double>(), 1.0);
  EXPECT_NEAR(b[0].item<double>(), -0.1, 1e-6) << "a first step of Adam is as long as lr";
}

TEST(ParameterGroups, RolesAndPatternsDecideOnDecayAndRate) {
  TinyModel model({}, 5, 6);
  Optimizer::Common common;
  common.no_decay = {ParameterRole::kBiases, ParameterRole::kEmbeddings};
  common.groups = {{.parameters = {"mix.*"}, .lr_scale = 0.5, .weight_decay = 0.3},
                   {.parameters = {"*.bias", "users.weight"}, .lr_scale = 2.0, .weight_decay = {}}};
  std::map<std::string, OptimizedParameter> found;
  for (const auto& parameter : trained_parameters(model, common)) found[parameter.name] = parameter;
  ASSERT_EQ(found.size(), 5u);
  EXPECT_EQ(found.at("mix.bias").lr_scale, 0.5) << "the first group that names it holds";
  EXPECT_EQ(found.at("mix.bias").weight_decay, 0.3) << "a group is nearer than a role";
  EXPECT_EQ(found.at("users.weight").lr_scale, 2.0);
  EXPECT_EQ(found.at("users.weight").weight_decay, 0.0);
  EXPECT_EQ(found.at("items.weight").lr_scale, 1.0);
  EXPECT_EQ(found.at("item_bias.weight").weight_decay, 0.0);
}

TEST(ParameterGroups, APatternThatFitsNothingNamesWhatThereIs) {
  TinyModel model({}, 5, 6);
  Optimizer::Common common;
  common.groups = {{.parameters = {"encoder.*"}, .weight_decay = {}}};
  try {
    trained_parameters(model, common);
    FAIL() << "nothing was thrown";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("groups[0].parameters[0]: no trained parameter is called 'encoder.*'"));
    EXPECT_THAT(error.what(), HasSubstr("users.weight"));
  }
}

TEST(Optimizer, RowsOfATableAreWrittenThroughItSoThatPaddingStaysZero) {
  for (const auto& [optimizer_name, component] : all_optimizers()) {
    SCOPED_TRACE(optimizer_name);
    TinyModel model({.sparse = true}, 5, 6);
    const auto parameters = trained_parameters(model, {});
    const auto optimizer = component.build({.parameters = parameters});
    std::vector<Gradient> gradients(parameters.size());
    std::vector<torch::Tensor> before;
    for (size_t p = 0; p < parameters.size(); ++p) {
      before.push_back(parameters[p].tensor.detach().clone());
      if (parameters[p].table)
        gradients[p] = of_rows(torch::ones_like(parameters[p].tensor), {0, 3});
    }
    WorkerPool workers(1);
    optimizer->step(gradients, 1.0, workers);
    int64_t num_tables = 0;
    for (size_t p = 0; p < parameters.size(); ++p) {
      if (!parameters[p].table) continue;
      ++num_tables;
      const auto& now = parameters[p].tensor;
      EXPECT_TRUE(torch::equal(now[0], torch::zeros_like(now[0]))) << parameters[p].name;
      EXPECT_FALSE(torch::equal(now[3], before[p][3])) << parameters[p].name;
      EXPECT_TRUE(torch::equal(now[4], before[p][4])) << parameters[p].name;
    }
    EXPECT_EQ(num_tables, 3);
  }
}

struct TableOfAModel : torch::nn::Module {
  explicit TableOfAModel(const EmbeddingTableImpl::Options& options)
      : table(register_module("table", EmbeddingTable(options))) {}
  EmbeddingTable table;
};

// Rows of a table that are read now and then, beside torch's Adam, which moves all of them in each step.
template <class Theirs, class TheirOptions>
void expect_rows_to_keep_up(const Component<Optimizer>& component, const TheirOptions& options) {
  constexpr int64_t kRows = 37;
  torch::manual_seed(5);
  const TableOfAModel model({.num_rows = kRows, .width = 20, .init = {.scale = 1.0}});
  auto table = model.table;
  const auto parameters = trained_parameters(model, {});
  const auto weight = parameters[0].tensor;  // [2 + kRows, 20]
  auto reference = weight.detach().clone().requires_grad_();
  Theirs theirs({reference}, options);
  WorkerPool workers(2);
  const auto of = [&](const std::vector<int64_t>& rows, uint64_t seed) {
    torch::manual_seed(seed);
    auto gradient = torch::zeros_like(weight);
    for (const auto row : rows) gradient[row] = torch::randn({20});
    return gradient;
  };
  {
    const auto optimizer = component.build({.parameters = parameters});
    ASSERT_EQ(optimizer->parameters()[0].row_sums, RowSums::kFew);
    for (int64_t step = 0; step < 150; ++step) {
      const std::vector<int64_t> rows = {2 + step % 5, 7 + step % 3, 30};
      const bool is_dense = step % 40 == 39;
      const auto gradient =
          is_dense ? torch::randn_like(weight).index_fill_(0, torch::tensor({0}, torch::kLong), 0.0)
                   : of(rows, static_cast<uint64_t>(step));
      reference.mutable_grad() = gradient.clone();
      theirs.step();
      if (is_dense)
        optimizer->step(dense({gradient.detach()}), 1.0, workers);
      else
        optimizer->step({of_rows(gradient.detach(), rows)}, 1.0, workers);
      const auto ids = torch::tensor({step % kRows, (step * 7) % kRows}, torch::kLong);
      ASSERT_TRUE(torch::allclose(table->lookup(ids).detach(),
                                  reference.detach().index_select(0, ids + 2), 1e-4, 1e-5))
          << "step " << step;
      if (step % 25 == 24) {
        ASSERT_TRUE(
            torch::allclose(table->all().detach(), reference.detach().slice(0, 2), 1e-4, 1e-5))
            << "step " << step;
      }
    }
    EXPECT_EQ(optimizer->state().at("step/table.weight").item<double>(), 150.0);
    EXPECT_TRUE(torch::allclose(weight.detach(), reference.detach(), 1e-4, 1e-5))
        << "a state is whole";
    optimizer->step({of_rows(of({4}, 1), {4})}, 1.0, workers);
    reference.mutable_grad() = of({4}, 1);
    theirs.step();
  }
  EXPECT_TRUE(torch::allclose(weight.detach(), reference.detach(), 1e-4, 1e-5))
      << "an optimiser leaves nothing undone";
  EXPECT_NO_THROW(table->lookup(torch::tensor({1}, torch::kLong)));
}

TEST(Optimizer, RowsThatPutOffStepsOfAdamAreReadAsIfTheyHadNot) {
  expect_rows_to_keep_up<torch::optim::Adam>(Component<Optimizer>::make<Adam>(
                                                 {.lr = 0.03, .weight_decay = 1e-3}),
                                             torch::optim::AdamOptions(0.03).weight_decay(1e-3));
  expect_rows_to_keep_up<torch::optim::Adam>(Component<Optimizer>::make<Adam>(
                                                 {.lr = 0.03, .betas = {0.8, 0.95}}),
                                             torch::optim::AdamOptions(0.03).betas({0.8, 0.95}));
}

TEST(Optimizer, RowsThatPutOffStepsOfAdamWAreReadAsIfTheyHadNot) {
  expect_rows_to_keep_up<torch::optim::AdamW>(Component<Optimizer>::make<AdamW>(
                                                  {.lr = 0.03, .weight_decay = 0.2}),
                                              torch::optim::AdamWOptions(0.03).weight_decay(0.2));
}

TEST(Optimizer, AStateThatIsLoadedTakesNoStepsThatWerePutOff) {
  const TableOfAModel model({.num_rows = 4, .width = 2, .init = {}});
  WorkerPool workers(1);
  const auto parameters = trained_parameters(model, {});
  const auto optimizer =
      Component<Optimizer>::make<Adam>({.weight_decay = 0.1}).build({.parameters = parameters});
  const auto rows = of_rows(torch::ones({6, 2}), {3});
  optimizer->step({rows}, 1.0, workers);
  std::map<std::string, torch::Tensor> state;
  for (const auto& [name, tensor] : optimizer->state()) state[name] = tensor.clone();
  optimizer->step({rows}, 1.0, workers);
  const auto before = parameters[0].tensor.detach().clone();
  optimizer->load(state);
  EXPECT_TRUE(torch::equal(model.table->all().detach(), before.slice(0, 2)));
}

TEST(Optimizer, ATableThatGrowsHasMadeItsStepsBefore) {
  TableOfAModel model({.num_rows = 3, .width = 2, .init = {.scale = 1.0}});
  auto table = model.table;
  WorkerPool workers(1);
  const auto parameters = trained_parameters(model, {});
  const auto optimizer = Component<Optimizer>::make<Adam>({.lr = 0.1, .weight_decay = 0.1})
                             .build({.parameters = parameters});
  const auto first = table->all().detach().clone();
  optimizer->step({of_rows(torch::ones({5, 2}), {3})}, 1.0, workers);
  table->grow(2, 11);
  const auto grown = table->all().detach().clone();
  EXPECT_FALSE(grown.slice(0, 0, 3).eq(first).any().item<bool>()) << "the decay moves every row";
  const auto ids = torch::tensor({0, 4}, torch::kLong);
  EXPECT_TRUE(torch::equal(table->lookup(ids).detach(), grown.index_select(0, ids)));
  optimizer->step({of_rows(torch::ones({7, 2}), {6})}, 1.0, workers);
  EXPECT_FALSE(table->all().detach().eq(grown).any().item<bool>()) << "new rows among them";
}

TEST(ParameterGroups, FrozenParametersAreNotTrained) {
  TinyModel model({}, 5, 6);
  model.named_parameters()["users.weight"].set_requires_grad(false);
  for (const auto& parameter : trained_parameters(model, {}))
    EXPECT_NE(parameter.name, "users.weight");
}

TEST(ParameterGroups, AStarStandsForAnyText) {
  EXPECT_TRUE(matches("encoder.0.bias", "encoder.*.bias"));
  EXPECT_TRUE(matches("encoder.0.bias", "*bias"));
  EXPECT_TRUE(matches("a.b.bias", "a*b*bias"));
  EXPECT_FALSE(matches("encoder.0.bias", "encoder.*.weight"));
  EXPECT_FALSE(matches("encoder", "encoder.*"));
  EXPECT_TRUE(matches("", "*"));
  EXPECT_FALSE(matches("x", ""));
}

}  // namespace
}  // namespace reckon::optimizer_test
