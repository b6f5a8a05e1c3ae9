// What `train`, `evaluate` and `compare` do with the folders of runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files.h"
#include "evaluation/results_io.h"
#include "tests/cli/command.h"

namespace reckon::runs_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Runs : public ::testing::Test {
 protected:
  std::string experiment(const std::string& name = "e.yaml", const std::string& more = "",
                         const std::string& data = "") const {
    return shop_.experiment(name, std::string(kTinySequenceModel) + kShortTraining + more, data);
  }
  Said train(const std::string& path, const std::string& run,
             const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"train", path, "--quiet", "--run", shop_.file(run)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return reckon(arguments);
  }
  nlohmann::json json(const std::string& path) const {
    return nlohmann::json::parse(read_file(shop_.file(path)));
  }

  Workshop shop_{"runs"};
};

TEST_F(Runs, ResumingARunThatIsNotThereIsRefusedAndBeginsNone) {
  const auto said = train(experiment(), "typo", {"--resume"});
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.err,
              HasSubstr(shop_.file("typo") + ": error: there is no run to resume\n"
                                             "    hint: leave --resume away to begin one"));
  EXPECT_FALSE(fs::exists(shop_.file("typo")));
  EXPECT_FALSE(fs::exists(shop_.file("cache")))
      << "it was refused only after the data had been read";
  EXPECT_EQ(train(experiment("two.yaml", "seeds: [1, 2]\n"), "typo", {"--resume"}).code, 1);
}

TEST_F(Runs, OfSeveralSeedsOneThatHadNotBegunIsBegunByAResume) {
  const auto path = experiment("e.yaml", "seeds: [1, 2]\n");
  ASSERT_EQ(train(path, "run").code, 0);
  const auto both = json("run/seeds.json");
  fs::remove_all(shop_.file("run/seed-2"));
  ASSERT_EQ(train(path, "run", {"--resume"}).code, 0);
  EXPECT_EQ(json("run/seeds.json"), both);
}

TEST_F(Runs, ACrossValidationRunsEveryFoldAndItsMeanIsThatOfTheFolds) {
  const auto path = shop_.experiment("folds.yaml",
                                     "model: {preset: popularity}\n"
                                     "evaluation: {metrics: [recall@5, auc]}\n",
                                     "  split: {type: k_fold, folds: 3, fold: all}\n");
  const auto said = train(path, "cv");
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("95% interval"));
  const auto folds = json("cv/folds.json");
  double mean = 0.0;
  std::set<double> values;
  for (int fold = 1; fold <= 3; ++fold) {
    const auto result = json("cv/fold-" + std::to_string(fold) + "/result.json");
    mean += result["metrics"]["recall@5"].get<double>() / 3.0;
    values.insert(result["metrics"]["auc"].get<double>());
  }
  EXPECT_NEAR(folds["metrics"]["recall@5"]["mean"].get<double>(), mean, 1e-12);
  EXPECT_EQ(values.size(), 3U) << "folds must be other divisions";

  EXPECT_EQ(train(path, "cv").code, 1) << "a run is never overwritten without --force";
  fs::remove_all(shop_.file("cv/fold-3"));
  fs::remove(shop_.file("cv/folds.json"));
  const auto resumed = train(path, "cv", {"--resume"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(json("cv/folds.json"), folds);
  EXPECT_EQ(train(path, "cv", {"--force"}).code, 0);
  EXPECT_EQ(json("cv/folds.json"), folds);
  // Each fold is a run of its own.
  EXPECT_EQ(reckon({"evaluate", shop_.file("cv/fold-2")}).code, 0);
  EXPECT_THAT(reckon({"evaluate", shop_.file("cv")}).err, HasSubstr("runs of several folds"));
  EXPECT_THAT(reckon({"prepare", path}).out, HasSubstr("fold 3"));
}

TEST_F(Runs, AResumeWithAnotherConfigNamesTheLineThatDiffers) {
  ASSERT_EQ(train(experiment(), "run").code, 0);
  const auto other = shop_.experiment(
      "other.yaml",
      std::string(kTinySequenceModel) +
          "training: {type: supervised, epochs: 2, batch_size: 8, threads: 1, shards: 1}\n");
  EXPECT_THAT(train(other, "run", {"--resume"}).err,
              HasSubstr(
                  other +
                  ":6:53: error: training.batch_size: the run to resume has 16, now it is 8"));
  const auto said = train(experiment(), "run", {"--resume", "--set", "model.dim=16"});
  EXPECT_THAT(said.err,
              HasSubstr("<command line>: error: model.dim: the run to resume has 8, now it is 16"));
}

TEST_F(Runs, ForceTakesThePlaceOfARunAndKeepsWhatStandsBesideIt) {
  ASSERT_EQ(train(experiment(), "run").code, 0);
  ASSERT_EQ(reckon({"export", shop_.file("run"), "--output", shop_.file("run/model.pt")}).code, 0);
  EXPECT_EQ(train(experiment(), "run").code, 1) << "a run was overwritten without --force";
  ASSERT_EQ(train(experiment(), "run", {"--force", "--set", "training.epochs=1"}).code, 0);
  EXPECT_TRUE(fs::exists(shop_.file("run/model.pt")));
  EXPECT_EQ(json("run/result.json")["epochs"], 1);
}

TEST_F(Runs, ResultsOfAnotherProtocolAreNotReplacedSilently) {
  ASSERT_EQ(train(experiment(), "run").code, 0);
  const auto before = read_file(shop_.file("run/test-result.json"));
  const auto users = read_file(shop_.file("run/test-per-user.parquet"));
  const std::vector<std::string> other = {"evaluate", shop_.file("run"), "--set",
                                          "evaluation.mask_seen=false"};
  const auto said = reckon(other);
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.out, HasSubstr("seen items kept"));
  EXPECT_THAT(
      said.err,
      AllOf(HasSubstr(
                "not replaced: it holds results of another protocol (full ranking, seen items "
                "masked), these are of: full ranking, seen items kept"),
            HasSubstr("--output FOLDER writes them elsewhere, --force takes their place")));
  EXPECT_EQ(read_file(shop_.file("run/test-result.json")), before);
  EXPECT_EQ(read_file(shop_.file("run/test-per-user.parquet")), users);

  auto elsewhere = other;
  elsewhere.insert(elsewhere.end(), {"--output", shop_.file("elsewhere")});
  EXPECT_EQ(reckon(elsewhere).code, 0);
  EXPECT_EQ(json("elsewhere/test-result.json")["protocol"], "full ranking, seen items kept");
  EXPECT_EQ(read_file(shop_.file("run/test-result.json")), before);
  EXPECT_EQ(json("run/result.json")["protocol"], "full ranking, seen items masked");

  auto forced = other;
  forced.push_back("--force");
  EXPECT_EQ(reckon(forced).code, 0);
  for (const char* name : {"run/test-result.json", "run/result.json"})
    EXPECT_EQ(json(name)["protocol"], "full ranking, seen items kept") << name;
}

TEST_F(Runs, ResultsOfOtherListsAreNotReplacedSilentlyButCompared) {
  ASSERT_EQ(train(experiment(), "run").code, 0);
  const auto before = read_file(shop_.file("run/test-result.json"));
  const std::vector<std::string> other = {"evaluate", shop_.file("run"), "--set",
                                          "evaluation.reranking={type: mmr, candidates: 12}"};
  const auto said = reckon(other);
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.err, AllOf(HasSubstr("not replaced: it holds results of lists as the model "
                                        "ranks, these are of lists re-ranked by {type: mmr, "),
                              HasSubstr("candidates: 12"), HasSubstr("--output FOLDER")));
  EXPECT_EQ(read_file(shop_.file("run/test-result.json")), before);

  auto elsewhere = other;
  elsewhere.insert(elsewhere.end(), {"--output", shop_.file("elsewhere")});
  EXPECT_EQ(reckon(elsewhere).code, 0);
  EXPECT_THAT(json("elsewhere/test-result.json")["reranking"].get<std::string>(),
              HasSubstr("type: mmr"));
  const auto compared = reckon({"compare", shop_.file("run"), shop_.file("elsewhere")});
  EXPECT_EQ(compared.code, 0) << compared.err;
  EXPECT_THAT(compared.out, HasSubstr("elsewhere"));
}

TEST_F(Runs, AnExportedFileStatesMetricsWithoutReranking) {
  ASSERT_EQ(train(experiment(), "run").code, 0);
  const auto metrics_of = [&](const std::string& file) {
    const auto said = reckon({"inspect", shop_.file(file)});
    EXPECT_EQ(said.code, 0) << said.err;
    const auto at = said.out.find("ndcg@10");
    EXPECT_NE(at, std::string::npos) << said.out;
    return said.out.substr(at, said.out.find('\n', at) - at);
  };
  ASSERT_EQ(reckon({"export", shop_.file("run"), "--output", shop_.file("plain.pt")}).code, 0);
  const auto said =
      reckon({"export", shop_.file("run"), "--output", shop_.file("reranked.pt"), "--set",
              "evaluation.reranking={type: popularity_discount, discount: 30, candidates: 20}"});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("without evaluation.reranking"));
  EXPECT_EQ(metrics_of("reranked.pt"), metrics_of("plain.pt"));
}

TEST_F(Runs, TheSameProtocolWithOtherMetricsIsReplaced) {
  ASSERT_EQ(train(experiment(), "run").code, 0);
  ASSERT_EQ(reckon({"evaluate", shop_.file("run"), "--set", "evaluation.metrics=[mrr@3]"}).code, 0);
  EXPECT_TRUE(json("run/test-result.json")["metrics"].contains("mrr@3"));
  EXPECT_TRUE(json("run/result.json")["metrics"].contains("mrr@3"));
}

TEST_F(Runs, CompareTakesTheMeanOverSeedsForEachUser) {
  ASSERT_EQ(train(experiment("two.yaml", "seeds: [1, 2]\n"), "two").code, 0);
  ASSERT_EQ(train(experiment("one.yaml"), "one").code, 0);
  const auto said = reckon({"compare", shop_.file("one"), shop_.file("two"), "--format", "json"});
  ASSERT_EQ(said.code, 0) << said.err;
  const auto first = read_per_user(shop_.file("two/seed-1/test-per-user.parquet"), "1");
  const auto second = read_per_user(shop_.file("two/seed-2/test-per-user.parquet"), "2");
  ASSERT_EQ(first.users, second.users);
  const auto expected = ((first.values + second.values) / 2.0).mean(0);  // [M]
  const auto mean = mean_of_seeds({first, second}, "two (2 seeds)");
  EXPECT_TRUE(torch::allclose(mean.values.mean(0), expected));
  EXPECT_THAT(said.out, HasSubstr("two (2 seeds)"));
  EXPECT_THAT(reckon({"compare", shop_.file("one"), shop_.file("two")}).out,
              HasSubstr("two (2 seeds)"));
}

TEST_F(Runs, SeedsOfDifferentDataHaveNoMean) {
  ASSERT_EQ(train(experiment(), "run").code, 0);
  auto first = read_per_user(shop_.file("run/test-per-user.parquet"), "1"), second = first;
  second.fingerprint = "other";
  EXPECT_THROW(mean_of_seeds({first, second}, "both"), DataError);
}

TEST_F(Runs, WithoutATestPartTrainSaysWhyThereAreNoMetricsAndEvaluateRefuses) {
  const auto path = experiment("e.yaml", "", "  split: {type: ratio, validation: 0.2, test: 0}\n");
  const auto said = train(path, "run");
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("no metrics: the data has no test part, by data.split"));
  const auto refused = reckon({"evaluate", shop_.file("run")});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err,
              HasSubstr("error: evaluation.split: the data has no test part to measure on"));
  EXPECT_THAT(refused.out, Not(HasSubstr("recall")));
  EXPECT_EQ(reckon({"evaluate", shop_.file("run"), "--split", "validation"}).code, 0);
}

}  // namespace
}  // namespace reckon::runs_test
