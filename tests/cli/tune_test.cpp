// What `reckon tune` tries, keeps and refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <thread>

#include "core/config_node.h"
#include "core/files.h"
#include "tests/cli/command.h"
#include "tests/support/program.h"

namespace reckon::tune_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

constexpr const char* kSplit = "  split: {type: leave_one_out}\n";
constexpr const char* kDims =
    "parameters: {model.dim: [4, 8], training.optimizer.lr: [1e-3, 0.05]}";
constexpr const char* kRates =
    "parameters: {model.dim: [4, 8], training.optimizer.lr: {log_uniform: [1e-3, 0.3]}}";

class TuneCommand : public ::testing::Test {
 protected:
  std::string experiment(const std::string& tune, const std::string& data = kSplit,
                         const std::string& more = "") const {
    return shop_.experiment("e.yaml",
                            std::string(kTinyUserModel) +
                                "training: {type: supervised, epochs: 4, batch_size: 16, threads: "
                                "1, shards: 1, checkpoint_steps: 2}\n"
                                "evaluation: {metrics: [ndcg@5, recall@5]}\n" +
                                more + "tune: " + tune + "\n",
                            data);
  }
  Said tune(const std::string& run, const std::vector<std::string>& flags = {}) const {
    std::vector<std::string> arguments = {"tune", shop_.file("e.yaml"), "--run", shop_.file(run)};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return reckon(arguments);
  }
  // The records of a search without the times, which no two runs share.
  Json records(const std::string& run) const {
    auto json = Json::parse(read_file(shop_.file(run + "/search.json")));
    for (auto& record : json["trials"]) record.erase("seconds");
    return json["trials"];
  }
  std::vector<std::vector<std::string>> table(const std::string& run) const {
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(read_file(shop_.file(run + "/results.tsv")));
    for (std::string line; std::getline(lines, line);) {
      std::vector<std::string> cells(1);
      for (const char c : line) {
        if (c == '\t')
          cells.emplace_back();
        else
          cells.back() += c;
      }
      rows.push_back(cells);
    }
    return rows;
  }

  Workshop shop_{"tune"};
};

TEST_F(TuneCommand, AGridIsTrainedAndItsBestConfigGivesTheSameValueWithTrain) {
  experiment("{search: grid, metric: ndcg@5, " + std::string(kDims) + "}");
  const auto said = tune("t");
  ASSERT_EQ(said.code, 0) << said.err;
  const auto trials = records("t");
  ASSERT_EQ(trials.size(), 4U);
  double best = -1.0;
  Json winner;
  for (const auto& trial : trials)
    if (trial["value"] > best) {
      best = trial["value"];
      winner = trial;
    }
  EXPECT_THAT(said.out, HasSubstr("best: trial " + std::to_string(int64_t{winner["trial"]})));
  const auto config = load_yaml(shop_.file("t/best.yaml"));
  for (const auto& pair : winner["values"])
    EXPECT_EQ(emit_flow(*config.at_path(std::string(pair[0]))), std::string(pair[1]));
  const auto again = reckon({"train", shop_.file("t/best.yaml"), "--run", shop_.file("again"),
                             "--set", "evaluation.split=validation"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(Json::parse(read_file(shop_.file("again/result.json")))["metrics"]["ndcg@5"], best);

  const auto rows = table("t");
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"trial", "epochs", "ndcg@5", "recall@5", "model.dim",
                                               "training.optimizer.lr", "seconds", "failure"}));
  EXPECT_NEAR(std::stod(rows[1][2]), best, 1e-8);
  for (size_t i = 2; i < rows.size(); ++i)
    EXPECT_GE(std::stod(rows[i - 1][2]), std::stod(rows[i][2]));
}

TEST_F(TuneCommand, OnlyTheBestTrialKeepsItsWeights) {
  experiment("{search: grid, metric: ndcg@5, " + std::string(kDims) + "}");
  ASSERT_EQ(tune("t", {"--quiet"}).code, 0);
  std::vector<std::string> kept;
  for (const auto& entry : fs::directory_iterator(shop_.file("t/trials")))
    if (fs::exists(entry.path() / "checkpoints" / "last.ckpt"))
      kept.push_back(entry.path().filename().string());
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(std::stoi(kept[0]), std::stoi(table("t")[1][0]));
}

TEST_F(TuneCommand, TheSameSeedTriesTheSameAndFindsTheSame) {
  experiment("{trials: 4, metric: recall@5, seed: 5, " + std::string(kRates) + "}");
  ASSERT_EQ(tune("a").code, 0);
  ASSERT_EQ(tune("b").code, 0);
  EXPECT_EQ(records("a"), records("b"));
  EXPECT_EQ(read_file(shop_.file("a/best.yaml")), read_file(shop_.file("b/best.yaml")));
  ASSERT_EQ(tune("c", {"--set", "tune.seed=6"}).code, 0);
  EXPECT_NE(records("a"), records("c"));
}

TEST_F(TuneCommand, NeverMeasuresTheTestPart) {
  experiment("{trials: 1, metric: ndcg@5, " + std::string(kRates) + "}");
  ASSERT_EQ(tune("t").code, 0);
  for (const auto& entry : fs::recursive_directory_iterator(shop_.file("t"))) {
    const auto name = entry.path().filename().string();
    EXPECT_NE(name.rfind("test", 0), 0U) << name;
    if (name != "result.json") continue;
    EXPECT_EQ(Json::parse(read_file(entry.path().string()))["split"], "validation");
  }
}

TEST_F(TuneCommand, SeveralSeedsCountWithTheirMean) {
  experiment("{search: grid, metric: ndcg@5, parameters: {model.dim: [4]}}", kSplit,
             "seeds: [1, 2]\n");
  ASSERT_EQ(tune("t").code, 0);
  double sum = 0.0;
  for (const char* seed : {"1", "2"})
    sum += double{Json::parse(read_file(shop_.file(std::string("t/trials/0001/seed-") + seed +
                                                   "/result.json")))["metrics"]["ndcg@5"]};
  EXPECT_NEAR(double{records("t")[0]["value"]}, sum / 2, 1e-12);
}

// A halved search whose trials are each trained in several sessions, killed at any moment.
TEST_F(TuneCommand, KilledAtAnyMomentASearchEndsAsOneThatWasNot) {
  experiment("{search: halving, trials: 6, reduction: 2, min_epochs: 1, metric: ndcg@5, " +
             std::string(kRates) + "}");
  const auto arguments = [&](const std::string& run, bool resume) {
    std::vector<std::string> words = {"tune", shop_.file("e.yaml"), "--run", shop_.file(run)};
    if (resume) words.push_back("--resume");
    return words;
  };
  ASSERT_EQ(run_reckon(arguments("whole", false)), 0);
  std::mt19937 random(std::random_device{}());
  const auto search = shop_.file("killed/search.json");
  int kills = 0, begun = 0;
  for (int attempt = 0; attempt < 40; ++attempt) {
    // Killed after so many more finished trials, counted in the file and not in time.
    const auto count = [&] {
      return fs::exists(search) ? Json::parse(read_file(search))["trials"].size() : size_t{0};
    };
    const auto before = count();
    const auto enough = before + (kills == 0 ? 2 : random() % 3);
    const bool resume = fs::exists(search);
    // Killed before its log was there, the search has left its empty folders at most.
    if (!resume) fs::remove_all(shop_.file("killed"));
    const auto child = start_reckon(arguments("killed", resume));
    if (kills < 5) {
      siginfo_t ended = {};
      while (count() < enough &&
             (waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT),
              ended.si_pid == 0))
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
      kill(child, SIGKILL);
    }
    const int code = wait_for(child);
    if (code == 0) break;
    ASSERT_EQ(code, -SIGKILL) << "a resumed search failed by itself";
    ++kills;
    begun += before > 0;
  }
  EXPECT_GE(kills, 1);
  EXPECT_GE(begun, 1) << "no kill fell between the first and the last trial";
  EXPECT_EQ(records("killed"), records("whole"));
  EXPECT_EQ(read_file(shop_.file("killed/best.yaml")), read_file(shop_.file("whole/best.yaml")));
}

TEST_F(TuneCommand, ATrialThatDivergesIsRecordedAndTheOthersGoOn) {
  experiment(
      "{search: grid, metric: ndcg@5, parameters: {training.optimizer: [{type: sgd, lr: "
      "1e30}, {type: sgd, lr: 0.1}]}}");
  const auto said = tune("t");
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, AllOf(HasSubstr("failed: "), HasSubstr("best: trial 2")));
  EXPECT_TRUE(records("t")[0]["value"].is_null());
  EXPECT_THAT(std::string(records("t")[0]["failure"]), HasSubstr("epoch 1"));
}

TEST_F(TuneCommand, WithoutAnyValueItEndsInAnError) {
  experiment(
      "{search: grid, metric: ndcg@5, parameters: {training.optimizer: [{type: sgd, lr: "
      "1e30}]}}");
  const auto said = tune("t");
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.err, HasSubstr("tune: no trial has a value; the first: "));
  EXPECT_FALSE(fs::exists(shop_.file("t/best.yaml")));
}

TEST_F(TuneCommand, TheSearchMayStandInAFileOfItsOwn) {
  experiment("{trials: 30, parameters: {model.dim: [99]}}");
  for (const char* text :
       {"search: grid\nmetric: ndcg@5\nparameters: {model.dim: [4]}\n",
        "tune: {search: grid, metric: ndcg@5, parameters: {model.dim: [4]}}\n"}) {
    shop_.write("search.yaml", text);
    ASSERT_EQ(tune("t", {"--search", shop_.file("search.yaml"), "--force"}).code, 0);
    EXPECT_EQ(records("t")[0]["values"], Json::parse(R"([["model.dim", "4"]])"));
  }
}

TEST_F(TuneCommand, RefusesWhatCannotBeTriedBeforeAnythingIsTrained) {
  struct Case {
    std::string tune, expected, data = kSplit;
  };
  for (const auto& [text, expected, data] : std::vector<Case>{
           {"{search: grid, parameters: {model.dimm: [4, 8]}}",
            "tune.parameters.model.dimm: with 4: model.dimm: unknown key\n    hint: did you mean "
            "'dim'?"},
           {"{search: grid, parameters: {model.dim: [4, -8]}}",
            "tune.parameters.model.dim: with -8: model.dim: must be positive, got -8"},
           {"{search: grid, parameters: {data.directory: [a, b]}}",
            "only values below `model` and `training` can be tried"},
           {"{search: grid, parameters: {model.dim: []}}", "an empty list tries nothing"},
           {"{search: halving, parameters: {training.epochs: [1, 2]}}",
            "halving gives out the epochs itself"},
           {"{metric: goodness@5, parameters: {model.dim: [4]}}", "tune.metric: "},
           {"{search: grid, metric: rmse, parameters: {model.dim: [4]}}",
            "tune.metric: rmse compares ratings, and the data has none"},
           {"{search: grid, parameters: {model.dim: [4]}}",
            "tune: the data has no validation part to measure trials on", "  split: none\n"},
           {"null", "tune: the experiment does not say what to try"}}) {
    experiment(text, data);
    const auto said = tune("refused");
    EXPECT_EQ(said.code, 1) << text;
    EXPECT_THAT(said.err, HasSubstr(expected)) << text;
    EXPECT_FALSE(fs::exists(shop_.file("refused"))) << text;
  }
}

TEST_F(TuneCommand, OneMistakeOfAKeyIsSaidOnce) {
  experiment("{search: grid, parameters: {model.dimm: [4, 8, 16]}}");
  const auto said = tune("t").err;
  EXPECT_EQ(said.find("unknown key"), said.rfind("unknown key")) << said;
}

TEST_F(TuneCommand, AFolderIsNeverWrittenOverUnasked) {
  experiment("{search: grid, metric: ndcg@5, parameters: {model.dim: [4]}}");
  EXPECT_THAT(tune("t", {"--resume"}).err, HasSubstr("there is no search to resume"));
  ASSERT_EQ(tune("t").code, 0);
  EXPECT_THAT(tune("t").err, HasSubstr("the folder holds a search already"));
  shop_.write("t/mine.txt", "notes");
  ASSERT_EQ(tune("t", {"--force"}).code, 0);
  EXPECT_EQ(read_file(shop_.file("t/mine.txt")), "notes");
  fs::create_directories(shop_.file("other"));
  shop_.write("other/mine.txt", "notes");
  EXPECT_THAT(tune("other", {"--force"}).err, HasSubstr("not by a search"));
  EXPECT_THAT(tune("t", {"--resume", "--set", "training.batch_size=8"}).err,
              HasSubstr("training.batch_size: the run to resume has 16, now it is 8"));
}

TEST_F(TuneCommand, OtherCommandsLeaveThePartTuneAside) {
  experiment("{search: grid, parameters: {model.dim: [4]}}");
  EXPECT_EQ(reckon({"check", shop_.file("e.yaml")}).code, 0);
  ASSERT_EQ(reckon({"train", shop_.file("e.yaml"), "--run", shop_.file("r")}).code, 0);
  EXPECT_THAT(read_file(shop_.file("r/config.yaml")), HasSubstr("tune: null"));
}

}  // namespace
}  // namespace reckon::tune_test
