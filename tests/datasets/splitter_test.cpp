#include "datasets/splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/diagnostics.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing::splitter_test {
namespace {

using ::testing::ElementsAre;
constexpr uint8_t kOut = Splitter::kLeftOut;

std::vector<uint8_t> split(const Splitter& splitter, const std::vector<int64_t>& offsets,
                           const std::vector<int64_t>& times = {},
                           std::vector<uint8_t> origins = {}) {
  if (origins.empty()) origins.assign(offsets.back(), 0);
  return splitter.assign({.user_offsets = offsets, .times = times, .origins = origins});
}

TEST(LeaveOneOut, HoldsOutTheLastTwoOfEachUserWithThree) {
  const LeaveOneOut splitter({}, {});
  EXPECT_THAT(split(splitter, {0, 4, 6, 7, 10}), ElementsAre(0, 0, 1, 2, 0, 0, 0, 0, 1, 2));
}

TEST(LeaveOneOut, WithGlobalTimeNothingInTrainingIsYoungerThanAnythingHeldOut) {
  const LeaveOneOut splitter({.global_time = true, .validation = 0.2, .test = 0.2}, {});
  const std::vector<int64_t> offsets = {0, 5, 10, 14};
  const std::vector<int64_t> times = {1, 4, 7, 10, 13, 2, 3, 11, 12, 14, 5, 6, 8, 9};
  const auto parts = split(splitter, offsets, times);
  int64_t youngest_training = -1, oldest_held_out = 100;
  int held_out = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == 0) youngest_training = std::max(youngest_training, times[i]);
    if (parts[i] == 1 || parts[i] == 2)
      oldest_held_out = std::min(oldest_held_out, times[i]), ++held_out;
  }
  EXPECT_GT(held_out, 0);
  EXPECT_LT(youngest_training, oldest_held_out);
}

TEST(RatioSplit, TakesTheShareOfEachUserByTime) {
  const RatioSplit splitter(
      {.validation = 0.2, .test = 0.2, .order = RatioSplit::Options::Order::kTemporal}, {});
  EXPECT_THAT(split(splitter, {0, 5, 6}, {1, 2, 3, 4, 5, 1}), ElementsAre(0, 0, 0, 1, 2, 0));
}

TEST(RatioSplit, AtRandomItKeepsTheSharesAndFollowsTheSeed) {
  const std::vector<int64_t> offsets = {0, 1000, 2000};
  const auto draw = [&](int64_t seed, RatioSplit::Options::Scope scope) {
    return split(RatioSplit({.validation = 0.1, .test = 0.3, .scope = scope, .seed = seed}, {}),
                 offsets);
  };
  for (const auto scope :
       {RatioSplit::Options::Scope::kUser, RatioSplit::Options::Scope::kGlobal}) {
    const auto parts = draw(1, scope);
    EXPECT_EQ(std::count(parts.begin(), parts.end(), 1), 200);
    EXPECT_EQ(std::count(parts.begin(), parts.end(), 2), 600);
    EXPECT_EQ(parts, draw(1, scope));
    EXPECT_NE(parts, draw(2, scope));
  }
  const auto of_user = draw(1, RatioSplit::Options::Scope::kUser);
  EXPECT_EQ(std::count(of_user.begin(), of_user.begin() + 1000, 2), 300);
}

TEST(RatioSplit, GloballyByTimeRowsOfOneInstantStayTogether) {
  const RatioSplit splitter({.validation = 0.25,
                             .test = 0.25,
                             .order = RatioSplit::Options::Order::kTemporal,
                             .scope = RatioSplit::Options::Scope::kGlobal},
                            {});
  const std::vector<int64_t> times = {1, 3, 5, 5, 2, 4, 5, 6};
  const auto parts = split(splitter, {0, 4, 8}, times);
  for (size_t i = 0; i < times.size(); ++i)
    for (size_t j = 0; j < times.size(); ++j)
      EXPECT_TRUE(times[i] > times[j] || parts[i] <= parts[j]) << times[i] << " " << times[j];
  EXPECT_EQ(parts[7], 2);
  EXPECT_EQ(parts[0], 0);
}

TEST(TimeSplit, DividesAtTheInstants) {
  const TimeSplit splitter({.validation_from = "100", .test_from = "2001-09-09T01:46:41Z"}, {});
  EXPECT_THAT(split(splitter, {0, 3, 5}, {99, 100, 1000000001, 0, 1000000000}),
              ElementsAre(0, 1, 2, 0, 1));
}

TEST(FilesSplit, PartsAreTheFilesRowsCameFrom) {
  EXPECT_THAT(split(FilesSplit({}, {}), {0, 3, 4}, {}, {0, 1, 2, 0}), ElementsAre(0, 1, 2, 0));
}

TEST(FilesSplit, WithGlobalTimeTrainingEndsBeforeWhatIsHeldOut) {
  EXPECT_THAT(split(FilesSplit({.global_time = true}, {}), {0, 3, 5}, {1, 5, 9, 2, 6},
                    {0, 2, 2, 0, 0}),
              ElementsAre(0, 2, 2, 0, kOut));
}

TEST(KFoldSplit, EveryRowIsTheTestOfOneFoldOfEachRepeat) {
  const std::vector<int64_t> offsets = {0, 1, 1, 6, 23};
  for (const auto scope :
       {RatioSplit::Options::Scope::kUser, RatioSplit::Options::Scope::kGlobal}) {
    std::vector<std::vector<uint8_t>> all;
    for (int repeat = 0; repeat < 2; ++repeat) {
      std::vector<int> tests(23, 0);
      for (int fold = 1; fold <= 4; ++fold) {
        const auto number = std::to_string(4 * repeat + fold);
        const KFoldSplit splitter({.folds = 4, .repeats = 2, .fold = number, .scope = scope}, {});
        EXPECT_EQ(splitter.num_folds(), 0);
        all.push_back(split(splitter, offsets));
        EXPECT_EQ(all.back(), split(splitter, offsets)) << "not the same one again";
        int size = 0;
        for (size_t row = 0; row < 23; ++row) {
          tests[row] += all.back()[row] == 2;
          size += all.back()[row] == 2;
          EXPECT_NE(all.back()[row], 1) << "no validation was asked for";
        }
        if (scope == RatioSplit::Options::Scope::kGlobal) {
          EXPECT_TRUE(size == 5 || size == 6) << size;
        }
      }
      EXPECT_THAT(tests, ::testing::Each(1));
    }
    EXPECT_NE(all[0], all[4]) << "a repeat divides anew";
  }
}

TEST(KFoldSplit, OfEachUserAloneFoldsDifferByOneRowAtMost) {
  for (int fold = 1; fold <= 3; ++fold) {
    const auto parts = split(KFoldSplit({.folds = 3,
                                         .fold = std::to_string(fold),
                                         .scope = RatioSplit::Options::Scope::kUser,
                                         .validation = 0.25},
                                        {}),
                             {0, 12, 24, 25});
    for (const int user : {0, 1}) {
      const auto begin = parts.begin() + 12 * user;
      EXPECT_EQ(std::count(begin, begin + 12, 2), 4);
      EXPECT_EQ(std::count(begin, begin + 12, 1), 2);
    }
  }
}

TEST(KFoldSplit, AnotherSeedDividesOtherwiseAndAllFoldsAreNoDivision) {
  const auto of_seed = [](int64_t seed) {
    return split(KFoldSplit({.seed = seed, .fold = "1"}, {}), {0, 40});
  };
  EXPECT_NE(of_seed(1), of_seed(2));
  const KFoldSplit all({.folds = 3, .repeats = 2}, {});
  EXPECT_EQ(all.num_folds(), 6);
  EXPECT_THROW(split(all, {0, 40}), DataError);
}

TEST(NoSplit, EverythingIsTraining) {
  EXPECT_THAT(split(NoSplit({}, {}), {0, 2, 3}), ElementsAre(0, 0, 0));
}

TEST(PrepareDataset, WarnsWhereASplitPutsAUsersFutureIntoTraining) {
  const TemporaryDirectory directory;
  std::string text = "user,item,timestamp\n";
  for (int user = 0; user < 4; ++user)
    for (int i = 0; i < 6; ++i)
      text += "u" + std::to_string(user) + ",i" + std::to_string((user * 2 + i) % 9) + "," +
              std::to_string(10 * i + user) + "\n";
  directory.write("r.csv", text);
  const auto random =
      prepare_dataset(data_options(directory,
                                   "{files: {interactions: {path: r.csv}}, split: {type: ratio, "
                                   "validation: 0.2, test: 0.2, order: random}}"));
  EXPECT_THAT(random.warnings, ::testing::Contains(::testing::HasSubstr("future")));
  const auto temporal =
      prepare_dataset(data_options(directory,
                                   "{files: {interactions: {path: r.csv}}, split: {type: ratio, "
                                   "validation: 0.2, test: 0.2, order: temporal}}"));
  EXPECT_THAT(temporal.warnings,
              ::testing::Not(::testing::Contains(::testing::HasSubstr("a user's future"))));
}

TEST(Dataset, EvaluationKnowsOnlyWhatCameBefore) {
  const TemporaryDirectory directory;
  directory.write("s.txt", "a x y z w\nb y z\n");
  const auto dataset = prepare_dataset(data_options(directory,
                                                    "{files: {interactions: {path: s.txt, format: "
                                                    "sequences}}, split: {type: leave_one_out}}"))
                           .dataset;
  const auto validation = dataset.evaluation(Split::kValidation),
             test = dataset.evaluation(Split::kTest);
  EXPECT_THAT(values_of<int64_t>(validation.users), ElementsAre(0));
  EXPECT_THAT(values_of<int32_t>(validation.history_items), ElementsAre(0, 1));
  EXPECT_THAT(values_of<int32_t>(validation.target_items), ElementsAre(2));
  EXPECT_THAT(values_of<int32_t>(test.history_items), ElementsAre(0, 1, 2));
  EXPECT_THAT(values_of<int32_t>(test.target_items), ElementsAre(3));
}

}  // namespace
}  // namespace reckon::testing::splitter_test
