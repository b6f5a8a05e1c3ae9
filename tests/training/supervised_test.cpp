#include "training/supervised.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <variant>

#include "models/popularity.h"
#include "tests/training/tiny_model.h"
#include "training/adam.h"
#include "training/checkpoint.h"
#include "training/weight_average.h"

namespace reckon::supervised_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What an observer hears, in order.
struct Recorder : TrainingObserver {
  std::vector<EpochRecord> epochs;
  std::vector<BestEpoch> bests;
  std::vector<StepReport> steps;
  void on_step(const StepReport& report) override { steps.push_back(report); }
  void on_epoch(const EpochRecord& record) override { epochs.push_back(record); }
  void on_best(const BestEpoch& best) override { bests.push_back(best); }
};

SupervisedOptions default_options() {
  SupervisedOptions options;
  options.epochs = 4;
  options.batch_size = 64;
  options.threads = 1;
  options.prefetch_threads = 0;
  options.optimizer = Component<Optimizer>::make<Adam>({.lr = 1e-2}, "adam");
  options.schedule = Component<Schedule>::make<ConstantSchedule>({}, "constant");
  return options;
}

/// Says these values of the metric, one after another.
struct Script {
  MetricName metric = {Metric::kNdcg, 10};
  std::vector<double> values;
  size_t next = 0;

  EvaluationResult operator()(const std::vector<MetricName>&) {
    EvaluationResult result;
    result.metrics = {{metric, values.at(next++), 0.0, 1}};
    return result;
  }
};

/// Says something that depends on the weights alone, as measuring does; up and down from epoch to epoch.
struct Measure {
  EvaluationResult operator()(const Model& model) const {
    const torch::NoGradGuard no_grad;
    const auto digits = model.parameters()[0].sum().item<double>() * 1000.0;
    EvaluationResult result;
    result.metrics = {{{Metric::kNdcg, 10}, digits - std::floor(digits), 0.0, 1}};
    return result;
  }
};

/// A model, its data and a procedure over both.
struct Session {
  using Validation = std::variant<std::monostate, Script*, Measure>;
  explicit Session(const SupervisedOptions& options, const TinyModel::Options& model_options = {},
                   const Validation& validation = {}, int64_t limit = 0)
      : dataset(tiny_dataset()) {
    torch::manual_seed(2);
    model = std::make_shared<TinyModel>(model_options, dataset.num_users(), dataset.num_items());
    Procedure::Deps deps{.model = model.get(),
                         .dataset = &dataset,
                         .seed = 3,
                         .limit_batches = limit,
                         .observer = &recorder};
    if (auto* const* script = std::get_if<Script*>(&validation))
      deps.validate = [script = *script](const std::vector<MetricName>& also) {
        return (*script)(also);
      };
    if (const auto* measure = std::get_if<Measure>(&validation))
      deps.validate = [measure = *measure, model = model](const std::vector<MetricName>&) {
        return measure(*model);
      };
    procedure = std::make_unique<Supervised>(options, deps);
  }
  void run() {
    while (!procedure->is_finished()) procedure->step();
  }

  Dataset dataset;
  std::shared_ptr<TinyModel> model;
  Recorder recorder;
  std::unique_ptr<Supervised> procedure;
};

int64_t steps_per_epoch() {
  Session session(default_options());
  session.procedure->step();
  return session.recorder.steps.back().steps_per_epoch;
}

void expect_same(const Session& a, const Session& b) {
  const auto left = model_tensors(*a.model), right = model_tensors(*b.model);
  for (const auto& [name, tensor] : left) EXPECT_TRUE(torch::equal(tensor, right.at(name))) << name;
  const auto x = a.procedure->state(), y = b.procedure->state();
  EXPECT_EQ(x.json, y.json);
  ASSERT_EQ(x.tensors.size(), y.tensors.size());
  for (const auto& [name, tensor] : x.tensors)
    EXPECT_TRUE(torch::equal(tensor, y.tensors.at(name))) << name;
}

// Goes on from `from` in a fresh session, as a resumed run does.
void resume(const Session& from, Session& to) {
  load_model(*to.model, model_tensors(*from.model), "test");
  to.procedure->load(from.procedure->state());
}

std::vector<std::string> keys(const std::function<void()>& build) {
  try {
    build();
  } catch (const MisfitError& error) {
    std::vector<std::string> keys;
    for (const auto& misfit : error.misfits()) keys.push_back(misfit.key);
    return keys;
  }
  return {};
}

TEST(Supervised, LearnsUntilItsEpochsAreOverAndTheLossFalls) {
  auto options = default_options();
  options.epochs = 20;
  Session session(options);
  session.run();
  EXPECT_EQ(session.procedure->history().size(), 20U);
  EXPECT_EQ(session.procedure->num_steps(), 20 * steps_per_epoch());
  EXPECT_LT(session.procedure->history().back().loss,
            0.6 * session.procedure->history().front().loss);
  EXPECT_FALSE(session.procedure->has_stopped_early());
}

TEST(Supervised, MoreEpochsThanANumberCanCountAreTrainedOneByOne) {
  auto options = default_options();
  options.epochs = std::numeric_limits<int64_t>::max() / 2;
  Session session(options, {}, {}, /*limit=*/3);
  session.run();
  EXPECT_EQ(session.procedure->num_steps(), 3);
  EXPECT_EQ(session.recorder.steps.back().total_steps, std::numeric_limits<int64_t>::max());
}

TEST(Supervised, StepsEndARunInsideAnEpoch) {
  auto options = default_options();
  options.steps = steps_per_epoch() + 1;
  Session session(options);
  session.run();
  EXPECT_EQ(session.procedure->num_steps(), options.steps);
  ASSERT_EQ(session.procedure->history().size(), 2U);
  EXPECT_TRUE(session.procedure->history()[0].is_whole);
  EXPECT_FALSE(session.procedure->history()[1].is_whole);
}

TEST(EarlyStopping, EndsAfterPatienceValidationsAndNamesTheBestEpoch) {
  auto options = default_options();
  options.epochs = 50;
  options.early_stopping = EarlyStoppingOptions{.patience = 2};
  Script script{.values = {0.1, 0.3, 0.2, 0.3, 0.9}};
  Session session(options, {}, &script);
  session.run();
  EXPECT_TRUE(session.procedure->has_stopped_early());
  EXPECT_EQ(session.procedure->history().size(), 4U);
  ASSERT_EQ(session.recorder.bests.size(), 2U);
  EXPECT_EQ(
      session.recorder.bests[1],
      (BestEpoch{.epoch = 2, .step = 2 * steps_per_epoch(), .metric = "ndcg@10", .value = 0.3}));
  EXPECT_EQ(session.procedure->best(), session.recorder.bests[1]);
}

TEST(EarlyStopping, AGainOfNoMoreThanMinDeltaIsNone) {
  auto options = default_options();
  options.early_stopping = EarlyStoppingOptions{.patience = 9, .min_delta = 0.05};
  Script script{.values = {0.10, 0.14, 0.16, 0.20}};
  Session session(options, {}, &script);
  session.run();
  EXPECT_EQ(session.procedure->best()->epoch, 3);
}

TEST(EarlyStopping, OfAnErrorLessIsBetterAndNanIsNothing) {
  auto options = default_options();
  const MetricName rmse{Metric::kRmse, 0};
  options.early_stopping = EarlyStoppingOptions{.metric = rmse, .patience = 9};
  Script script{.metric = rmse, .values = {std::nan(""), 0.9, 0.7, 0.8}};
  Session session(options, {}, &script);
  session.run();
  EXPECT_EQ(session.procedure->best()->epoch, 3);
}

TEST(EarlyStopping, LooksEverySoManyEpochsAndAtTheLast) {
  auto options = default_options();
  options.epochs = 5;
  options.early_stopping = EarlyStoppingOptions{.patience = 9, .evaluate_every = 2};
  Script script{.values = {0.1, 0.2, 0.3}};
  Session session(options, {}, &script);
  session.run();
  std::vector<int64_t> validated;
  for (const auto& record : session.procedure->history())
    if (!record.validation.empty()) validated.push_back(record.epoch);
  EXPECT_THAT(validated, ElementsAre(2, 4, 5));
  EXPECT_EQ(session.procedure->best()->epoch, 5);
}

TEST(EarlyStopping, ARunThatWasStoppedAtAnyStepAndResumedEqualsOneThatWasNot) {
  auto options = default_options();
  options.epochs = 6;
  options.early_stopping = EarlyStoppingOptions{.patience = 2, .evaluate_every = 2};
  const auto session_of = [&](int64_t limit) {
    return std::make_unique<Session>(options, TinyModel::Options{}, Measure{}, limit);
  };
  const auto whole = session_of(0);
  whole->run();
  ASSERT_TRUE(whole->procedure->best().has_value());
  for (int64_t limit = 1; limit < whole->procedure->num_steps(); ++limit) {
    const auto first = session_of(limit), second = session_of(0);
    first->run();
    ASSERT_EQ(first->procedure->num_steps(), limit);
    resume(*first, *second);
    second->run();
    SCOPED_TRACE("stopped at step " + std::to_string(limit));
    expect_same(*second, *whole);
  }
}

TEST(WeightAverage, FollowsItsFormulaFromStepToStep) {
  for (const double decay : {0.05, 0.5, 0.999}) {
    const auto weight = torch::tensor({1.0, -2.0}, torch::kDouble);  // [2]
    WeightAverage average(decay, {{.name = "w", .tensor = weight}});
    double expected = 1.0;
    for (int64_t n = 1; n <= 20; ++n) {
      weight.add_(0.25 * static_cast<double>(n % 3));
      average.update(n);
      const double d =
          std::min(decay, (1.0 + static_cast<double>(n)) / (10.0 + static_cast<double>(n)));
      expected = d * expected + (1.0 - d) * weight[0].item<double>();
      EXPECT_NEAR(average.state().at("average/w")[0].item<double>(), expected, 1e-12) << n;
    }
    const auto before = weight.clone();
    average.exchange();
    EXPECT_NEAR(weight[0].item<double>(), expected, 1e-12);
    average.exchange();
    EXPECT_TRUE(torch::equal(weight, before));
  }
}

TEST(WeightAverage, RefusesTheStateOfOtherWeights) {
  const auto weight = torch::ones({2});  // [2]
  WeightAverage average(0.9, {{.name = "w", .tensor = weight}});
  const auto own = average.state();
  auto less = own, more = own, other = own;
  less.erase("weight/w");
  more["average/v"] = torch::ones({2});
  other["average/w"] = torch::ones({3});
  for (const auto& state : {less, more, other})
    EXPECT_THROW(average.load(state), std::invalid_argument);
  weight.zero_();
  EXPECT_NO_THROW(average.load(own));
  EXPECT_TRUE(torch::equal(weight, torch::ones({2})));
}

TEST(WeightAverage, IsWhatIsValidatedAndLearningGoesOnAsWithoutIt) {
  auto options = default_options();
  options.validate_every = 1;
  Session plain(options, {}, Measure{});
  plain.run();
  options.weight_average = 0.9;
  Session averaged(options, {}, Measure{});
  averaged.run();
  const auto weights = model_tensors(*plain.model);
  for (const auto& [name, tensor] : model_tensors(*averaged.model))
    EXPECT_TRUE(torch::equal(tensor, weights.at(name))) << name;
  averaged.procedure->exchange_weights();
  EXPECT_FALSE(
      torch::equal(model_tensors(*averaged.model).at("mix.weight"), weights.at("mix.weight")));
  EXPECT_EQ(averaged.procedure->history().back().validation.at(0).second,
            Measure{}(*averaged.model).metrics.at(0).mean);
  averaged.procedure->exchange_weights();
  EXPECT_NE(averaged.procedure->history().back().validation.at(0).second,
            plain.procedure->history().back().validation.at(0).second);
}

TEST(WeightAverage, OfARunThatWasStoppedAtAnyStepAndResumedEqualsThatOfOneThatWasNot) {
  auto options = default_options();
  options.weight_average = 0.9;
  options.epochs = 3;
  options.early_stopping = EarlyStoppingOptions{.patience = 2};
  const auto session_of = [&](bool sparse, int64_t limit) {
    return std::make_unique<Session>(options, TinyModel::Options{.sparse = sparse}, Measure{},
                                     limit);
  };
  for (const bool sparse : {false, true}) {
    const auto whole = session_of(sparse, 0);
    whole->run();
    for (int64_t limit = 1; limit < whole->procedure->num_steps(); ++limit) {
      const auto first = session_of(sparse, limit), second = session_of(sparse, 0);
      first->run();
      // As a checkpoint has it, whose model holds the averages.
      const auto state = first->procedure->state();
      first->procedure->exchange_weights();
      load_model(*second->model, model_tensors(*first->model), "test");
      second->procedure->load(state);
      second->run();
      SCOPED_TRACE("stopped at step " + std::to_string(limit));
      expect_same(*second, *whole);
    }
  }
}

TEST(EarlyStopping, AnEpochThatWasCutShortIsMeasuredForTheRecordAlone) {
  auto options = default_options();
  options.early_stopping = EarlyStoppingOptions{.patience = 1};
  Script script{.values = {0.1, 0.9}};
  Session session(options, {}, &script, /*limit=*/steps_per_epoch() + 1);
  session.run();
  EXPECT_EQ(session.procedure->best()->epoch, 1);
  EXPECT_FALSE(session.procedure->has_stopped_early());
  EXPECT_THAT(session.procedure->history().back().validation,
              ElementsAre(std::pair<std::string, double>{"ndcg@10", 0.9}));
  EXPECT_EQ(session.recorder.bests.size(), 1U);
}

TEST(Divergence, LeavesTheStateFromBeforeTheStepAndSaysWhere) {
  auto options = default_options();
  const int64_t bad = steps_per_epoch() + 2;
  Session session(options, {.poison_from_step = static_cast<double>(bad)});
  Session healthy(options, {}, {}, bad);
  try {
    session.run();
    FAIL() << "it went on";
  } catch (const DivergenceError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("training stopped at epoch 2, batch 3 (step " + std::to_string(bad + 1)));
    EXPECT_THAT(error.what(), HasSubstr("the loss is nan, by its term `tiny`"));
  }
  while (healthy.procedure->num_steps() < bad) healthy.procedure->step();
  const auto left = model_tensors(*session.model), right = model_tensors(*healthy.model);
  for (const auto& [name, tensor] : left) EXPECT_TRUE(torch::equal(tensor, right.at(name))) << name;
  EXPECT_EQ(session.procedure->num_steps(), bad);
}

TEST(Supervised, SaysAtOnceWhatDoesNotFitBeforeThereIsData) {
  auto options = default_options();
  options.device = "banana";
  options.early_stopping = EarlyStoppingOptions{};
  Optimizer::Common common;
  common.groups = {{.parameters = {"users.*", "nobody.*"}, .weight_decay = {}},
                   {.parameters = {"nothing"}, .weight_decay = {}}};
  options.optimizer = Component<Optimizer>::make<Adam>({}, "adam", common);
  TinyModel model({}, 5, 6);
  EXPECT_THAT(keys([&] { Supervised(options, {.model = &model}); }),
              ElementsAre("device", "early_stopping", "optimizer.groups[0].parameters[1]",
                          "optimizer.groups[1].parameters[0]"));
  EXPECT_THAT(keys([&] { Supervised(default_options(), {.model = &model}); }), IsEmpty());
}

TEST(Supervised, RefusesAModelWithoutALossAndOneWithoutAnythingToLearn) {
  Popularity popularity({}, {.num_users = 5, .num_items = 6});
  EXPECT_THAT(keys([&] { Supervised(default_options(), {.model = &popularity}); }),
              ElementsAre("type"));
  TinyModel frozen({}, 5, 6);
  for (auto& parameter : frozen.parameters()) parameter.set_requires_grad(false);
  EXPECT_THAT(keys([&] { Supervised(default_options(), {.model = &frozen}); }),
              ElementsAre("type"));
}

TEST(Supervised, ADeviceThatIsNotHereIsRefusedOnlyWhereItIsToCompute) {
  auto options = default_options();
  options.device = "cuda:31";
  TinyModel model({}, 60, 30);
  const auto dataset = tiny_dataset();
  EXPECT_THAT(keys([&] { Supervised(options, {.model = &model}); }), IsEmpty());
  EXPECT_THAT(keys([&] { Supervised(options, {.model = &model, .dataset = &dataset}); }),
              ElementsAre("device"));
  for (const char* name : {"meta", "gpu", "cuda:x"}) {
    options.device = name;
    EXPECT_THAT(keys([&] { Supervised(options, {.model = &model}); }), ElementsAre("device"))
        << name;
  }
}

TEST(Supervised, FrozenParametersStayBitForBitWhatTheyWere) {
  Session session(default_options());
  // Before the optimiser is made, as models do it.
  auto users = session.model->named_parameters()["users.weight"];
  users.set_requires_grad(false);
  const auto before = users.clone();
  const auto other = session.model->named_parameters()["items.weight"].clone();
  Procedure::Deps deps{.model = session.model.get(), .dataset = &session.dataset, .seed = 3};
  Supervised procedure(default_options(), deps);
  while (!procedure.is_finished()) procedure.step();
  EXPECT_TRUE(torch::equal(users, before));
  EXPECT_FALSE(torch::equal(session.model->named_parameters()["items.weight"], other));
}

TEST(BuildProcedure, ReportsEachMisfitAtItsPlaceInTheConfig) {
  const auto config = parse_yaml(
      "training:\n  device: banana\n  optimizer:\n    groups:\n      - {parameters: [mix.*, "
      "lost.*]}\n",
      "e.yaml");
  auto options = default_options();
  options.device = "banana";
  Optimizer::Common common;
  common.groups = {{.parameters = {"mix.*", "lost.*"}, .weight_decay = {}}};
  options.optimizer = Component<Optimizer>::make<Adam>({}, "adam", common);
  TinyModel model({}, 5, 6);
  try {
    build_procedure(Component<Procedure>::make<Supervised>(options, "supervised"),
                    {.model = &model}, config);
    FAIL() << "built";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("e.yaml:2:11: error: training.device: 'banana' is no device"));
    EXPECT_THAT(error.what(),
                HasSubstr(
                    "e.yaml:5:30: error: training.optimizer.groups[0].parameters[1]: no trained "
                    "parameter is called 'lost.*'\n    hint: there are: users.weight"));
  }
}

}  // namespace
}  // namespace reckon::supervised_test
