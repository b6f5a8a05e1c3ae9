#include "training/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace reckon::progress_test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

StepReport report() {
  return {.epoch = 3,
          .num_epochs = 20,
          .epoch_step = 50,
          .steps_per_epoch = 200,
          .step = 450,
          .total_steps = 4000,
          .loss = 1.5,
          .epoch_loss = 1.23456,
          .num_targets = 128};
}

TEST(ProgressLine, SaysWhereTheRunIsAndHowLongItWillTake) {
  EXPECT_EQ(progress_line(report(), {.targets_per_second = 12345.6, .seconds_left = 185.0}, 200),
            "epoch 3/20 [=====               ] loss 1.2346, 12,345 targets/s, 3 min 05 s left");
}

TEST(ProgressLine, LeavesOutWhatIsNotKnownAndNeverExceedsTheWidth) {
  const Pace unknown{.targets_per_second = 0.0, .seconds_left = -1.0};
  EXPECT_EQ(progress_line(report(), unknown, 200), "epoch 3/20 [=====               ] loss 1.2346");
  for (const int width : {0, 1, 17, 43})
    EXPECT_LE(progress_line(report(), unknown, width).size(), static_cast<size_t>(width));
  EXPECT_EQ(progress_line(report(), unknown, -5), "");
  auto empty = report();
  empty.epoch_step = empty.steps_per_epoch = 0;
  EXPECT_THAT(progress_line(empty, unknown, 200), HasSubstr("[                    ]"));
}

TEST(Progress, CountsTargetsAndForetellsFromTheStepsThatAreLeft) {
  Progress progress(false);
  EXPECT_EQ(progress.pace().targets_per_second, 0.0);
  EXPECT_LT(progress.pace().seconds_left, 0.0);
  progress.on_step(report());
  const auto pace = progress.pace();
  EXPECT_GT(pace.targets_per_second, 0.0);
  // One step took `seconds`, and 3,550 are left.
  EXPECT_GT(pace.seconds_left, 0.0);
  EXPECT_LE(pace.seconds_left, 3550.0 * progress.seconds());
}

TEST(Progress, OffATerminalALineIsDueAfterSoLongWithoutOne) {
  Progress never(false, hours(1)), always(false, milliseconds(0));
  never.on_step(report());
  always.on_step(report());
  EXPECT_EQ(never.due_line(report()), std::nullopt);
  ASSERT_TRUE(always.due_line(report()).has_value());
  EXPECT_THAT(*always.due_line(report()),
              MatchesRegex("epoch 3/20, step 50 of 200: loss 1.2346, [0-9,]+ targets/s, .* left"));
}

TEST(Progress, AnyLineOfTheRunPutsTheNextOneOff) {
  Progress progress(false, milliseconds(80));
  const auto begin = std::chrono::steady_clock::now();
  while (!progress.due_line(report())) {
  }
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(80));
  EXPECT_EQ(progress.due_line(report()), std::nullopt) << "it has just been written";
}

}  // namespace
}  // namespace reckon::progress_test
