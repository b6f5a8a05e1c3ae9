#include "training/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "models/popularity.h"
#include "tests/training/tiny_model.h"

namespace reckon::fit_test {
namespace {

struct Recorder : TrainingObserver {
  std::vector<EpochRecord> epochs;
  void on_epoch(const EpochRecord& record) override { epochs.push_back(record); }
};

torch::Tensor scores(Popularity& model) {
  Batch request(1);
  request.set(batch_key::kUsers, torch::zeros({1}, torch::kLong));
  return model.score(model.encode(request),
                     torch::arange(model.num_items()).unsqueeze(0))[0];  // [I]
}

TEST(Fit, TakesOneStepOverTheTrainingPartAlone) {
  const auto dataset = tiny_dataset();
  Popularity model({}, {.num_users = dataset.num_users(), .num_items = dataset.num_items()});
  Recorder recorder;
  Fit fit({}, {.model = &model, .dataset = &dataset, .observer = &recorder});
  EXPECT_FALSE(fit.is_finished());
  EXPECT_EQ(fit.num_steps(), 0);
  fit.step();
  EXPECT_TRUE(fit.is_finished());
  EXPECT_EQ(fit.num_steps(), 1);
  const auto expected = item_counts(dataset.part(Split::kTrain)).to(torch::kFloat);  // [I]
  EXPECT_TRUE(torch::equal(scores(model), expected));
  EXPECT_FALSE(torch::equal(expected, item_counts(dataset.interactions()).to(torch::kFloat)));
  ASSERT_EQ(recorder.epochs.size(), 1U);
  EXPECT_TRUE(std::isnan(recorder.epochs[0].loss));
  EXPECT_TRUE(recorder.epochs[0].validation.empty());
}

TEST(Fit, ValidatesWhereThereIsAPartForIt) {
  const auto dataset = tiny_dataset();
  Popularity model({}, {.num_users = dataset.num_users(), .num_items = dataset.num_items()});
  Procedure::Deps deps{.model = &model, .dataset = &dataset};
  deps.validate = [&](const std::vector<MetricName>&) {
    EXPECT_GT(scores(model).sum().item<double>(), 0.0) << "it is fitted by then";
    EvaluationResult result;
    result.metrics = {{{Metric::kNdcg, 10}, 0.25, 0.0, 1}};
    return result;
  };
  Fit fit({}, deps);
  fit.step();
  EXPECT_THAT(fit.history()[0].validation,
              ::testing::ElementsAre(std::pair<std::string, double>{"ndcg@10", 0.25}));
}

TEST(Fit, ItsStateSaysWhetherItWasDone) {
  const auto dataset = tiny_dataset();
  Popularity model({}, {.num_users = dataset.num_users(), .num_items = dataset.num_items()});
  const Procedure::Deps deps{.model = &model, .dataset = &dataset};
  Fit before({}, deps), after({}, deps), resumed({}, deps);
  after.step();
  resumed.load(after.state());
  EXPECT_TRUE(resumed.is_finished());
  resumed.load(before.state());
  EXPECT_FALSE(resumed.is_finished());
  EXPECT_THROW(resumed.load({{}, "{}"}), std::invalid_argument);
  EXPECT_THROW(resumed.load({{{"optimizer/step", torch::ones({1})}}, after.state().json}),
               std::invalid_argument);
}

TEST(Fit, RefusesAModelThatHasALossOnly) {
  TinyModel model({}, 5, 6);
  try {
    Fit fit({}, {.model = &model});
    FAIL() << "built";
  } catch (const MisfitError& error) {
    ASSERT_EQ(error.misfits().size(), 1U);
    EXPECT_EQ(error.misfits()[0].key, "type");
    EXPECT_EQ(error.misfits()[0].message, "model `tiny_model` has no closed form");
  }
}

}  // namespace
}  // namespace reckon::fit_test
