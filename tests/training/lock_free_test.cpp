#include "training/lock_free.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/popularity.h"
#include "tests/training/tiny_model.h"

namespace reckon::lock_free_test {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kUsers = 60, kItems = 30;

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

std::shared_ptr<Model> make(const std::string& yaml, int64_t num_users = kUsers,
                            int64_t num_items = kItems) {
  Catalog catalog;
  add_layers(catalog);
  add_models(catalog);
  const auto slot = read_config<Slot>(parse_yaml("model: " + yaml + "\n", "test.yaml"), catalog);
  torch::manual_seed(3);
  return slot.model.build({.num_users = num_users, .num_items = num_items});
}

std::string factorisation(const std::string& objective = "{type: bpr, l2: 0.001}",
                          const std::string& scorer = "{type: dot, item_bias: true}",
                          const std::string& more = "") {
  return "{family: retrieval, dim: 8, user: {id: {}}, scorer: " + scorer + ", objectives: [" +
         objective + "]" + more + "}";
}

// A dataset whose interactions are all for training.
Dataset dataset_of(const std::vector<int64_t>& offsets, const std::vector<int64_t>& items,
                   int64_t num_items) {
  DatasetParts parts;
  const auto num_users = static_cast<int64_t>(offsets.size()) - 1;
  const auto size = static_cast<int64_t>(items.size());
  for (int64_t u = 0; u < num_users; ++u) parts.users.add("u" + std::to_string(u));
  for (int64_t i = 0; i < num_items; ++i) parts.items.add("i" + std::to_string(i));
  parts.interactions.num_users = num_users;
  parts.interactions.num_items = num_items;
  parts.interactions.user_offsets = torch::tensor(offsets, torch::kLong);
  parts.interactions.items = torch::tensor(items).to(torch::kInt);
  parts.interactions.labels = torch::ones({size});
  parts.split_of = torch::full({size}, static_cast<int64_t>(Split::kTrain), torch::kByte);
  parts.fingerprint = "fingerprint-of-few-rows";
  parts.report = "{}";
  return DatasetBuilder::build(std::move(parts));
}

std::vector<double> losses(const LockFree& procedure) {
  std::vector<double> of_epochs;
  for (const auto& record : procedure.history()) of_epochs.push_back(record.loss);
  return of_epochs;
}

void expect_equal(Model& a, Model& b, bool equal) {
  bool all = true;
  for (const auto& item : a.named_parameters())
    all = all && torch::equal(item.value(), b.named_parameters()[item.key()]);
  EXPECT_EQ(all, equal);
}

// Runs to the end and returns the losses.
std::vector<double> run(Model& model, const Dataset& dataset, const LockFree::Options& options,
                        uint64_t seed = 1) {
  LockFree procedure(options, {.model = &model, .dataset = &dataset, .seed = seed});
  while (!procedure.is_finished()) procedure.step();
  return losses(procedure);
}

TEST(LockFree, LearnsWhoseItemsAreWhose) {
  const auto dataset = tiny_dataset(kUsers, kItems);
  for (const int64_t threads : {1, 2}) {
    const auto model = make(factorisation());
    const auto found = run(*model, dataset, {.epochs = 300, .lr = 0.1, .threads = threads});
    ASSERT_EQ(found.size(), 300U);
    EXPECT_NEAR(found.front(), std::log(2.0), 0.05) << "it begins knowing nothing";
    EXPECT_LT(found.back(), 0.1) << threads << " threads";
  }
}

TEST(LockFree, DrawsNoItemThatTheUserHas) {
  // Of three items the user has two, so that each update moves the third one's bias down by half
  // of the rate: whatever else was drawn would leave it where it is.
  const auto dataset = dataset_of({0, 2}, {0, 1}, 3);
  const auto model = make(
      "{family: retrieval, dim: 1, user: {id: {}}, scorer: {type: dot, item_bias: true}, "
      "objectives: [{type: bpr}]}",
      1, 3);
  const auto bias = model->factors()->item_bias.detach().clone();  // [3]
  run(*model, dataset, {.epochs = 100, .lr = 1e-3, .deterministic = true});
  const auto moved = model->factors()->item_bias.detach() - bias;  // [3]
  EXPECT_NEAR(moved[2].item<double>(), -0.1, 0.01);
  EXPECT_NEAR(moved.sum().item<double>(), 0.0, 1e-6);
}

TEST(LockFree, DrawsWhatTheUserHasNotAlikeHoweverOftenSheHadTheRest) {
  // Items 1 and 4 of six, in any order and more than once: each of the other four is drawn a quarter of
  // the time.
  std::vector<int64_t> items;
  for (int64_t i = 0; i < 2000; ++i) items.push_back(i % 3 == 0 ? 1 : 4);
  const auto dataset = dataset_of({0, static_cast<int64_t>(items.size())}, items, 6);
  const auto model = make(
      "{family: retrieval, dim: 1, user: {id: {}}, scorer: {type: dot, item_bias: true}, "
      "objectives: [{type: bpr}]}",
      1, 6);
  const auto bias = model->factors()->item_bias.detach().clone();  // [6]
  run(*model, dataset, {.epochs = 2, .lr = 1e-5, .deterministic = true});
  const auto moved = model->factors()->item_bias.detach() - bias;  // [6]
  // 1,000 draws of each, give or take 27, and a step of half the rate.
  for (const int64_t item : {0, 2, 3, 5})
    EXPECT_NEAR(moved[item].item<double>(), -5e-3, 7e-4) << item;
  for (const int64_t item : {1, 4}) EXPECT_GT(moved[item].item<double>(), 0.0) << item;
}

TEST(LockFree, WithOneThreadTheSeedDecidesEverything) {
  const auto dataset = tiny_dataset(kUsers, kItems);
  const LockFree::Options options{.epochs = 5, .deterministic = true};
  const auto one = make(factorisation()), same = make(factorisation()),
             other = make(factorisation());
  EXPECT_EQ(run(*one, dataset, options), run(*same, dataset, options));
  expect_equal(*one, *same, true);
  run(*other, dataset, options, /*seed=*/2);
  expect_equal(*one, *other, false);
}

TEST(LockFree, GoesOnWhereItWasStopped) {
  const auto dataset = tiny_dataset(kUsers, kItems);
  const LockFree::Options options{.epochs = 6, .lr_decay = 0.9, .deterministic = true};
  const auto whole = make(factorisation()), parted = make(factorisation());
  const auto expected = run(*whole, dataset, options);
  LockFree before(options, {.model = parted.get(), .dataset = &dataset, .seed = 1});
  for (int epoch = 0; epoch < 3; ++epoch) before.step();
  LockFree after(options, {.model = parted.get(), .dataset = &dataset, .seed = 1});
  after.load(before.state());
  EXPECT_EQ(after.num_steps(), 3);
  while (!after.is_finished()) after.step();
  EXPECT_EQ(losses(after), expected);
  expect_equal(*whole, *parted, true);
}

TEST(LockFree, SlowsDownByItsDecay) {
  const auto dataset = tiny_dataset(kUsers, kItems);
  const auto steady = make(factorisation()), slowed = make(factorisation());
  const auto at_once = run(*steady, dataset, {.epochs = 20, .deterministic = true});
  const auto late = run(*slowed, dataset, {.epochs = 20, .lr_decay = 1e-3, .deterministic = true});
  EXPECT_EQ(late[0], at_once[0]);
  EXPECT_GT(late.back(), at_once.back());
}

TEST(LockFree, KeepsTheBestOfItsEpochs) {
  const auto dataset = tiny_dataset(kUsers, kItems);
  const auto model = make(factorisation());
  Procedure::Deps deps{.model = model.get(), .dataset = &dataset};
  const std::vector<double> found = {0.1, 0.3, 0.2, 0.2, 0.2};
  size_t asked = 0;
  deps.validate = [&](const std::vector<MetricName>&) {
    EvaluationResult result;
    result.metrics = {{{Metric::kNdcg, 10}, found.at(asked++), 0.0, 1}};
    return result;
  };
  LockFree procedure(
      {.epochs = 10, .deterministic = true, .early_stopping = EarlyStoppingOptions{.patience = 2}},
      deps);
  while (!procedure.is_finished()) procedure.step();
  EXPECT_TRUE(procedure.has_stopped_early());
  EXPECT_EQ(procedure.num_steps(), 4);
  EXPECT_EQ(procedure.best()->epoch, 2);
}

TEST(LockFree, StopsWhenItDiverges) {
  const auto dataset = tiny_dataset(kUsers, kItems);
  const auto model = make(factorisation("{type: bpr, l2: 100}"));
  EXPECT_THROW(run(*model, dataset, {.epochs = 50, .lr = 10.0, .deterministic = true}),
               DivergenceError);
}

std::string refusal(Model& model) {
  try {
    LockFree procedure({}, {.model = &model});
  } catch (const MisfitError& error) {
    EXPECT_EQ(error.misfits().size(), 1U);
    EXPECT_EQ(error.misfits()[0].key, "type");
    return error.misfits()[0].message + "; " + error.misfits()[0].hint;
  }
  return "taken";
}

TEST(LockFree, SaysWhichModelsItCannotTeach) {
  EXPECT_EQ(refusal(*make(factorisation())), "taken");
  EXPECT_EQ(refusal(*make(factorisation("{type: bpr, l2: 0.1}", "{type: dot}"))), "taken");
  Popularity popularity({}, {.num_users = 3, .num_items = 4});
  EXPECT_EQ(refusal(popularity),
            "model `popularity` does not learn from pairs; use training.type: fit");
  for (const auto* objective :
       {"{type: bce}", "{type: bpr, negatives: 2}", "{type: bpr}, {type: bce}",
        "{type: bpr, popularity_exponent: 0.5}"})
    EXPECT_THAT(refusal(*make(factorisation(objective))), HasSubstr("one negative drawn uniformly"))
        << objective;
  for (const auto* scorer :
       {"{type: mlp}", "{type: dot, user_bias: true}", "{type: dot, normalize: true}",
        "{type: dot, temperature: 0.5}", "{type: dot, dropout: 0.1}"})
    EXPECT_THAT(refusal(*make(factorisation("{type: bpr}", scorer))),
                HasSubstr("must be `dot`, with no more than item_bias"))
        << scorer;
  EXPECT_THAT(refusal(*make(factorisation("{type: bpr}", "{type: dot}", ", item: {dropout: 0.2}"))),
              HasSubstr("neither item.dropout nor frozen vectors"));
  EXPECT_THAT(refusal(*make("{family: retrieval, dim: 4, user: {history: {encoder: {type: "
                            "mean_pooling}}}, objectives: [{type: bpr}]}")),
              HasSubstr("model.user must be `id` alone"));
}

TEST(LockFree, HasNothingToPreferWhereEveryoneHasEverything) {
  const auto dataset = dataset_of({0, 2}, {0, 1}, 2);
  const auto model = make(factorisation(), 1, 2);
  try {
    run(*model, dataset, {.epochs = 1});
    FAIL() << "learnt";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("nothing to prefer"));
  }
}

}  // namespace
}  // namespace reckon::lock_free_test
