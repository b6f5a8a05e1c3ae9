#include "training/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/diagnostics.h"
#include "tests/support/temporary_folder.h"

namespace reckon::run_folder_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

void put(const std::string& path) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path) << "x";
}

std::set<std::string> names(const std::string& path) {
  std::set<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) out.insert(fs::relative(entry.path(), path).string());
  return out;
}

std::string problem(const std::function<void()>& call) {
  try {
    call();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

// Everything that a run and its evaluations write.
void put_run(const std::string& path) {
  for (const char* name :
       {"config.yaml", "log.txt", "metrics.jsonl", "environment.json", "result.json", "trace.json",
        "events.out.tfevents.1.host", "test-result.json", "test-per-user.parquet", "test-lists.run",
        "validation-lists.parquet", "checkpoints/last.ckpt", "checkpoints/best.ckpt"})
    put(path + "/" + name);
}

class RunFolders : public ::testing::Test {
 protected:
  TemporaryFolder folder_{"run-folder"};
  std::string path_ = folder_.file("run");
};

TEST_F(RunFolders, ANewOneIsMadeWithAllAboveIt) {
  const auto deep = folder_.file("a/b/run");
  EXPECT_EQ(RunFolder::create(deep).last_checkpoint(), deep + "/checkpoints/last.ckpt");
  EXPECT_TRUE(fs::is_directory(deep + "/checkpoints"));
}

TEST_F(RunFolders, ARunIsNeverOverwrittenWithoutForce) {
  put_run(path_);
  EXPECT_THAT(problem([&] { RunFolder::create(path_); }),
              HasSubstr("the folder holds a run already\n    hint: --resume goes on with it, "
                        "--force takes its place"));
  EXPECT_EQ(names(path_).size(), 13U);
}

TEST_F(RunFolders, ForceRemovesWhatTheRunWroteAndNothingElse) {
  put_run(path_);
  for (const char* name : {"model.pt", "model.pt.ids.json", "notes.txt", "train.parquet",
                           "test.json", "mine/config.yaml"})
    put(path_ + "/" + name);
  RunFolder::create(path_, /*force=*/true);
  EXPECT_THAT(names(path_), ElementsAre("mine/config.yaml", "model.pt", "model.pt.ids.json",
                                        "notes.txt", "test.json", "train.parquet"));
}

TEST_F(RunFolders, ForceRemovesTheRunsOfSeveralSeedsAndKeepsWhatStandsBesideThem) {
  put_run(path_ + "/seed-1");
  put_run(path_ + "/seed-20");
  put(path_ + "/seed-20/model.pt");
  put(path_ + "/seeds.json");
  put(path_ + "/seed-data/rows.txt");
  EXPECT_NE(problem([&] { RunFolder::create(path_); }), "");
  RunFolder::create(path_, /*force=*/true);
  EXPECT_THAT(names(path_), ElementsAre("seed-20/model.pt", "seed-data/rows.txt"));
  EXPECT_FALSE(fs::exists(path_ + "/seed-1"));
}

TEST_F(RunFolders, AFolderOfSomethingElseIsRefusedEvenWithForce) {
  put(path_ + "/config.yaml");  // of another program: there is no checkpoints/ beside it
  put(path_ + "/thesis.tex");
  for (const bool force : {false, true})
    EXPECT_THAT(problem([&] { RunFolder::create(path_, force); }),
                HasSubstr("the folder is in use: it holds 'thesis.tex', which is not of a run"));
  EXPECT_EQ(names(path_).size(), 2U);
  put(folder_.file("file"));
  EXPECT_THAT(problem([&] { RunFolder::create(folder_.file("file"), true); }),
              HasSubstr("a file is where"));
}

TEST_F(RunFolders, ARunThatDiedBeforeItBeganIsBegunAnew) {
  put(path_ + "/log.txt");
  RunFolder::create(path_);
  EXPECT_TRUE(names(path_).empty());
}

TEST_F(RunFolders, OnlyWhatIsThereCanBeResumed) {
  EXPECT_THAT(problem([&] { RunFolder::open(path_); }),
              HasSubstr("there is no run to resume\n    hint: leave --resume away to begin one"));
  EXPECT_FALSE(fs::exists(path_));
  put(path_ + "/thesis.tex");
  EXPECT_THAT(problem([&] { RunFolder::open(path_); }), HasSubstr("this is no folder of a run"));
  put_run(path_);
  EXPECT_EQ(RunFolder::open(path_).path(), path_);
}

EvaluationResult result(double ndcg, double recall) {
  EvaluationResult out;
  out.metrics = {{{Metric::kNdcg, 10}, ndcg, 0.0, 5}, {{Metric::kRecall, 5}, recall, 0.0, 5}};
  return out;
}

TEST(SeedSummary, HasMeanAndSampleDeviationOfEachMetric) {
  const auto summary =
      summarize_seeds({3, 5, 8}, {result(0.1, 1.0), result(0.2, 1.0), result(0.6, 1.0)});
  ASSERT_EQ(summary.metrics.size(), 2U);
  EXPECT_EQ(summary.metrics[0].name, "ndcg@10");
  EXPECT_THAT(summary.metrics[0].values, ElementsAre(0.1, 0.2, 0.6));
  EXPECT_NEAR(summary.metrics[0].mean, 0.3, 1e-12);
  EXPECT_NEAR(summary.metrics[0].deviation, std::sqrt((0.04 + 0.01 + 0.09) / 2.0), 1e-12);
  EXPECT_NEAR(summary.metrics[1].deviation, 0.0, 1e-12);
}

TEST(SeedSummary, OneSeedHasNoDeviationAndAMetricThatSomeLackIsLeftOut) {
  EXPECT_TRUE(std::isnan(summarize_seeds({3}, {result(0.1, 0.2)}).metrics[0].deviation));
  auto less = result(0.3, 0.4);
  less.metrics.pop_back();
  const auto summary = summarize_seeds({1, 2}, {result(0.1, 0.2), less});
  ASSERT_EQ(summary.metrics.size(), 1U);
  EXPECT_EQ(summary.metrics[0].name, "ndcg@10");
  EXPECT_THROW(summarize_seeds({1, 2}, {result(0.1, 0.2)}), c10::Error);
}

TEST(SeedSummary, IsATableForPeopleAndJsonForPrograms) {
  const auto summary = summarize_seeds({3, 5}, {result(0.1, 1.0), result(0.3, 1.0)});
  EXPECT_THAT(to_text(summary), HasSubstr("ndcg@10"));
  EXPECT_THAT(to_text(summary), HasSubstr("seed 5"));
  EXPECT_THAT(to_text(summary), HasSubstr("0.1414"));
  const auto json = nlohmann::json::parse(to_json(summary));
  EXPECT_EQ(json["seeds"], (std::vector<int64_t>{3, 5}));
  EXPECT_NEAR(json["metrics"]["ndcg@10"]["mean"].get<double>(), 0.2, 1e-12);
}

}  // namespace
}  // namespace reckon::run_folder_test
