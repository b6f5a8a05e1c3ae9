#include "training/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/log.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "tests/support/temporary_folder.h"
#include "tests/training/tiny_model.h"
#include "training/adam.h"
#include "training/checkpoint.h"
#include "training/supervised.h"

namespace reckon::train_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SupervisedOptions options_of(int64_t epochs) {
  SupervisedOptions options;
  options.epochs = epochs;
  options.batch_size = 64;
  options.threads = 1;
  options.optimizer = Component<Optimizer>::make<Adam>({.lr = 1e-2}, "adam");
  options.schedule = Component<Schedule>::make<ConstantSchedule>({}, "constant");
  options.early_stopping = EarlyStoppingOptions{.patience = 50};
  return options;
}

Component<Procedure> procedure(int64_t epochs, double weight_average) {
  auto options = options_of(epochs);
  options.weight_average = weight_average;
  return Component<Procedure>::make<Supervised>(options, "supervised");
}

ConfigNode config(int64_t lr_digit = 1) {
  return parse_yaml(
      "model: tiny\ntraining:\n  optimizer: {lr: " + std::to_string(lr_digit) + "e-2}\n", "e.yaml");
}

class Train : public ::testing::Test {
 protected:
  void TearDown() override { init_log({.quiet = false}); }

  std::shared_ptr<TinyModel> model(const TinyModel::Options& options = {}) const {
    torch::manual_seed(2);
    return std::make_shared<TinyModel>(options, dataset_.num_users(), dataset_.num_items());
  }
  TrainOutcome run(TinyModel& model, const RunFolder& folder, TrainContext context,
                   int64_t epochs = 5, double weight_average = 0.0) const {
    context.seed = 3;
    context.quiet = true;
    if (!context.config.is_map()) context.config = config();
    return train(procedure(epochs, weight_average), model, dataset_, {}, folder, context);
  }
  std::string error_of(TinyModel& model, const RunFolder& folder,
                       const TrainContext& context = {}) const {
    try {
      run(model, folder, context);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_{"train"};
  Dataset dataset_ = tiny_dataset();
};

TEST_F(Train, ALimitedRunThatGoesOnEndsAsOneThatWasNeverStopped) {
  for (const double average : {0.0, 0.9}) {
    const auto kind = std::to_string(average) + "-";
    const auto whole_model = model();
    const auto whole = RunFolder::create(folder_.file(kind + "whole"));
    const auto outcome = run(*whole_model, whole, {}, 5, average);
    ASSERT_TRUE(outcome.best.has_value());
    for (const int64_t limit : {1, 4, 7}) {
      const auto path = folder_.file(kind + "limited-" + std::to_string(limit));
      const auto first = model(), second = model();
      EXPECT_EQ(run(*first, RunFolder::create(path), {.limit_batches = limit}, 5, average).end,
                TrainOutcome::End::kLimited);
      const auto resumed = run(*second, RunFolder::open(path), {.resume = true}, 5, average);
      EXPECT_EQ(resumed.resumed_from_step, limit);
      EXPECT_EQ(resumed.best, outcome.best);
      EXPECT_EQ(resumed.history, outcome.history);
      for (const auto& [key, tensor] : model_tensors(*whole_model))
        EXPECT_TRUE(torch::equal(tensor, model_tensors(*second).at(key))) << key;
      for (const char* name : {"last.ckpt", "best.ckpt"}) {
        const auto a = load_checkpoint(whole.path() + "/checkpoints/" + name);
        const auto b = load_checkpoint(path + "/checkpoints/" + name);
        for (const auto& [key, tensor] : a.model)
          EXPECT_TRUE(torch::equal(tensor, b.model.at(key))) << name << " " << key;
        for (const auto& [key, tensor] : a.state.tensors)
          EXPECT_TRUE(torch::equal(tensor, b.state.tensors.at(key))) << name << " " << key;
        EXPECT_EQ(a.state.json, b.state.json) << name;
      }
    }
  }
}

TEST_F(Train, CheckpointsAndTheModelOfARunHoldTheAverageOfItsWeights) {
  for (const bool stops_early : {false, true}) {
    auto options = options_of(3);
    options.weight_average = 0.9;
    if (!stops_early) options.early_stopping.reset();
    const auto averaged = model();
    const auto folder = RunFolder::create(folder_.file(stops_early ? "early" : "whole"));
    const auto outcome =
        train(Component<Procedure>::make<Supervised>(options, "supervised"), *averaged, dataset_,
              {}, folder, {.seed = 3, .quiet = true, .config = config()});
    const auto last = load_checkpoint(folder.last_checkpoint());
    for (const auto& [name, tensor] : last.model) {
      EXPECT_TRUE(torch::equal(tensor, last.state.tensors.at("average/" + name))) << name;
      EXPECT_FALSE(torch::equal(tensor, last.state.tensors.at("weight/" + name))) << name;
    }
    ASSERT_EQ(outcome.best.has_value(), stops_early);
    const auto expected =
        stops_early ? load_checkpoint(folder.best_checkpoint()).model : last.model;
    for (const auto& [name, tensor] : model_tensors(*averaged))
      EXPECT_TRUE(torch::equal(tensor, expected.at(name))) << name;
    if (stops_early && outcome.best->epoch == 3) {
      EXPECT_TRUE(torch::equal(expected.at("mix.weight"), last.model.at("mix.weight")));
    }
  }
}

TEST_F(Train, ADivergedRunLeavesTheStateFromBeforeInItsLastCheckpoint) {
  const auto bad = model({.poison_from_step = 4});
  const auto folder = RunFolder::create(folder_.file("run"));
  EXPECT_THAT(error_of(*bad, folder),
              ::testing::AllOf(HasSubstr("training stopped at epoch"),
                               HasSubstr("(step 5): the loss is nan"),
                               HasSubstr("the weights are those from before it, kept in " +
                                         folder.last_checkpoint())));
  const auto kept = load_checkpoint(folder.last_checkpoint());
  EXPECT_EQ(kept.step, 4);
  const auto healthy = model();
  const auto other = RunFolder::create(folder_.file("healthy"));
  run(*healthy, other, {.limit_batches = 4});
  const auto expected = load_checkpoint(other.last_checkpoint());
  for (const auto& [key, tensor] : expected.model)
    EXPECT_TRUE(torch::equal(tensor, kept.model.at(key))) << key;
}

TEST_F(Train, WeightsThatAreNoNumbersReplaceNoCheckpoint) {
  const auto bad = model();
  {
    const torch::NoGradGuard no_grad;
    bad->named_parameters()["users.weight"].fill_(std::nan(""));
  }
  const auto folder = RunFolder::create(folder_.file("run"));
  EXPECT_THAT(error_of(*bad, folder),
              ::testing::AllOf(HasSubstr("the weight of `users.weight` is not finite"),
                               Not(HasSubstr("kept in"))));
  EXPECT_FALSE(std::filesystem::exists(folder.last_checkpoint()));
}

TEST_F(Train, AResumeWithAnotherConfigNamesTheKeyAtItsPlace) {
  const auto path = folder_.file("run");
  run(*model(), RunFolder::create(path), {.limit_batches = 2});
  TrainContext context;
  context.resume = true;
  context.config = config(3);
  EXPECT_THAT(
      error_of(*model(), RunFolder::open(path), context),
      HasSubstr(
          "e.yaml:3:19: error: training.optimizer.lr: the run to resume has 1e-2, now it is 3e-2"));
}

TEST_F(Train, AnEvaluationOfTheSameSplitTakesItsPlaceInTheResult) {
  const auto folder = RunFolder::create(folder_.file("run"));
  EvaluationResult first, second;
  first.protocol = "full ranking, seen items masked";
  first.metrics = {{{Metric::kNdcg, 10}, 0.5, 0.0, 1}};
  second = first;
  second.protocol = "full ranking, seen items kept";
  second.metrics = {{{Metric::kRecall, 5}, 0.25, 0.0, 1}};
  update_result(folder, second);
  EXPECT_FALSE(std::filesystem::exists(folder.result_path())) << "nothing to update";
  write_result(folder, {.procedure = "supervised", .num_steps = 7}, first);
  auto other = second;
  other.split = Split::kValidation;
  update_result(folder, other);
  const auto read = [&] { return nlohmann::json::parse(read_file(folder.result_path())); };
  EXPECT_EQ(read()["protocol"], first.protocol);
  update_result(folder, second);
  EXPECT_EQ(read()["protocol"], second.protocol);
  EXPECT_EQ(read()["metrics"], (nlohmann::json{{"recall@5", 0.25}}));
  EXPECT_EQ(read()["steps"], 7);
}

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

TEST_F(Train, UsersWhoTeachASequenceModelNothingAreCounted) {
  Catalog catalog;
  add_layers(catalog);
  add_models(catalog);
  const auto slot = read_config<Slot>(
      parse_yaml(
          "model: {family: retrieval, dim: 4, user: {history: {encoder: {type: gru}}}, objectives: "
          "[{type: softmax}]}\n",
          "test.yaml"),
      catalog);
  DatasetParts parts;
  for (const char* id : {"a", "b", "c", "d"}) parts.users.add(id), parts.items.add(id);
  parts.interactions.num_users = parts.interactions.num_items = 4;
  parts.interactions.user_offsets = torch::tensor({0, 3, 4, 6, 7}, torch::kLong);
  parts.interactions.items = torch::tensor({0, 1, 2, 3, 1, 2, 0}, torch::kInt);
  parts.interactions.labels = torch::ones({7});
  parts.split_of = torch::zeros({7}, torch::kByte);
  parts.report = "{}";
  const auto dataset = DatasetBuilder::build(std::move(parts));
  const auto sequence_model = slot.model.build({.num_users = 4, .num_items = 4});
  SupervisedOptions options;
  options.epochs = 1;
  options.threads = 1;
  options.optimizer = Component<Optimizer>::make<Adam>({}, "adam");
  options.schedule = Component<Schedule>::make<ConstantSchedule>({}, "constant");
  const auto folder = RunFolder::create(folder_.file("run"));
  TrainContext context;
  context.quiet = true;
  context.config = config();
  train(Component<Procedure>::make<Supervised>(options, "supervised"), *sequence_model, dataset, {},
        folder, context);
  EXPECT_THAT(read_file(folder.log_path()),
              HasSubstr("2 users have one interaction in training and nothing to learn from"));
}

int interrupts_of_program = 0;

TEST(InterruptScope, SetsAFlagAndInAPauseLeavesInterruptsToTheProgram) {
  const auto before = std::signal(SIGTERM, [](int) { ++interrupts_of_program; });
  {
    const InterruptScope scope;
    {
      const InterruptPause pause;
      std::raise(SIGTERM);
      EXPECT_EQ(interrupts_of_program, 1);
      EXPECT_FALSE(InterruptScope::flag());
    }
    std::raise(SIGTERM);
    EXPECT_TRUE(InterruptScope::flag());
    EXPECT_EQ(interrupts_of_program, 1);
  }
  std::raise(SIGTERM);
  EXPECT_EQ(interrupts_of_program, 2);
  std::signal(SIGTERM, before);
}

}  // namespace
}  // namespace reckon::train_test
