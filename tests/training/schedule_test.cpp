#include "training/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/catalog.h"
#include "training/catalog.h"

namespace reckon::schedule_test {
namespace {

Component<Schedule> read(const std::string& yaml) {
  static const Catalog catalog = [] {
    Catalog made;
    add_training(made);
    return made;
  }();
  const auto node = parse_yaml(yaml, "schedule.yaml");
  Problems problems;
  Component<Schedule> component;
  Codec<Component<Schedule>>::read(Cursor(node, catalog, problems, nullptr), component);
  problems.throw_if_any();
  return component;
}

const Schedule::Deps kRun{.total_steps = 101, .steps_per_epoch = 10};

TEST(Schedule, ConstantNeverMoves) {
  for (const int64_t step : {0, 50, 100})
    EXPECT_EQ(scheduled_factor(read("type: constant"), kRun, step), 1.0);
}

TEST(Schedule, LinearFallsInEqualStepsToItsEnd) {
  const auto schedule = read("{type: linear, end: 0.2}");
  EXPECT_EQ(scheduled_factor(schedule, kRun, 0), 1.0);
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 25), 0.8, 1e-12);
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 100), 0.2, 1e-12);
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 1000), 0.2, 1e-12) << "behind the end it stays";
}

TEST(Schedule, CosineIsHalfWayInTheMiddle) {
  const auto schedule = read("{type: cosine, end: 0.1}");
  EXPECT_EQ(scheduled_factor(schedule, kRun, 0), 1.0);
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 50), 0.55, 1e-12);
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 25), 0.1 + 0.9 * 0.5 * (1 + std::sqrt(0.5)), 1e-12);
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 100), 0.1, 1e-12);
}

TEST(Schedule, StepDropsAfterWholeEpochs) {
  const auto schedule = read("{type: step, every: 3, gamma: 0.5}");
  EXPECT_EQ(scheduled_factor(schedule, kRun, 29), 1.0);
  EXPECT_EQ(scheduled_factor(schedule, kRun, 30), 0.5);
  EXPECT_EQ(scheduled_factor(schedule, kRun, 60), 0.25);
}

TEST(Schedule, ExponentialFallsByTheSameFactorInEachEpoch) {
  const auto schedule = read("{type: exponential, gamma: 0.9}");
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 10), 0.9, 1e-12);
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 15), std::pow(0.9, 1.5), 1e-12);
}

TEST(Schedule, WarmUpRisesInEqualStepsAndTheScheduleBeginsAfterIt) {
  const auto schedule = read("{type: linear, warmup_steps: 4}");
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 0), 0.2, 1e-12);
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 3), 0.8, 1e-12);
  EXPECT_EQ(scheduled_factor(schedule, kRun, 4), 1.0);
  EXPECT_NEAR(scheduled_factor(schedule, kRun, 100), 0.0, 1e-12);
}

TEST(Schedule, ARunOfOneStepIsDefined) {
  for (const char* yaml : {"type: linear", "type: cosine", "type: step", "type: exponential"})
    EXPECT_EQ(scheduled_factor(read(yaml), {.total_steps = 1, .steps_per_epoch = 1}, 0), 1.0)
        << yaml;
}

}  // namespace
}  // namespace reckon::schedule_test
