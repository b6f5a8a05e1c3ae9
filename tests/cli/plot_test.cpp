// What `reckon plot` draws of runs, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <regex>
#include <set>

#include "cli/training_curve.h"
#include "core/diagnostics.h"
#include "core/files.h"
#include "tests/cli/command.h"

namespace reckon::plot_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class PlotCommand : public ::testing::Test {
 protected:
  void train(const std::string& run, const std::string& more = "",
             const std::vector<std::string>& flags = {}) const {
    const auto path =
        shop_.experiment("e.yaml", std::string(kTinyUserModel) + kShortTraining +
                                       "evaluation: {metrics: [ndcg@5, recall@5, coverage@5]}\n" +
                                       more);
    std::vector<std::string> arguments = {"train", path, "--quiet", "--run", shop_.file(run)};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const auto said = reckon(arguments);
    ASSERT_EQ(said.code, 0) << said.err;
  }
  Said plot(const std::vector<std::string>& runs,
            const std::vector<std::string>& flags = {}) const {
    std::vector<std::string> arguments = {"plot"};
    for (const auto& run : runs) arguments.push_back(shop_.file(run));
    arguments.insert(arguments.end(), {"--output", shop_.file("page.html"), "--samples", "100"});
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return reckon(arguments);
  }
  std::string page() const { return read_file(shop_.file("page.html")); }

  Workshop shop_{"plot"};
};

TEST_F(PlotCommand, DrawsCurvesListsUsersItemsAndTheComparison) {
  train("a");
  train("b", "seeds: [2, 3]\n");
  const auto said = plot({"a", "b"});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.out, shop_.file("page.html") + "\n");
  const auto text = page();
  for (const char* title :
       {"Training loss", "ndcg by K", "recall by K", "coverage by K", "ndcg@5 by length of history",
        "Relevant items found, by popularity", "Long tail", "ndcg@5: difference from a",
        "b (2 seeds)", "training interactions"})
    EXPECT_THAT(text, HasSubstr(title));
  EXPECT_THAT(text, Not(HasSubstr("nothing to draw")));
  EXPECT_THAT(text,
              AllOf(Not(HasSubstr("nan")), Not(HasSubstr("http")), Not(HasSubstr("<script"))));
}

TEST_F(PlotCommand, TheMeanBesideTheKOfAMetricIsTheOneOfEvaluate) {
  train("a");
  ASSERT_EQ(plot({"a"}).code, 0);
  const auto said =
      reckon({"evaluate", shop_.file("a"), "--set", "evaluation.metrics=[recall@10]"});
  std::smatch value;
  ASSERT_TRUE(std::regex_search(said.out, value, std::regex("recall@10 +([0-9.]+)")));
  const auto text = page();
  // All charts over K have a point at 10; one of them is recall.
  std::set<double> at_ten;
  const std::regex point("K, places of the list 10: ([0-9.]+) ");
  for (std::sregex_iterator it(text.begin(), text.end(), point), end; it != end; ++it)
    at_ten.insert(std::round(std::stod((*it)[1]) * 1e4) / 1e4);
  EXPECT_EQ(at_ten.count(std::stod(value[1])), 1U) << value[1];
}

TEST_F(PlotCommand, OneRunGetsItsPageInItsFolder) {
  train("a", "", {"--set", "training.epochs=1"});
  ASSERT_EQ(reckon({"plot", shop_.file("a"), "--samples", "100"}).code, 0);
  EXPECT_THAT(read_file(shop_.file("a/plots.html")), HasSubstr("Training loss"));
  EXPECT_EQ(plot({"a"}).code, 0);
  EXPECT_EQ(read_file(shop_.file("a/plots.html")), page()) << "the same run, another page";
}

TEST_F(PlotCommand, TheNameOfAFolderIsNoMarkup) {
  train("<img src=x>&");
  ASSERT_EQ(plot({"<img src=x>&"}).code, 0);
  EXPECT_THAT(page(), AllOf(Not(HasSubstr("<img")), HasSubstr("&lt;img src=x&gt;&amp;")));
}

TEST_F(PlotCommand, ARunWithoutACheckpointShowsItsCurvesAlone) {
  train("a");
  fs::remove_all(shop_.file("a/checkpoints"));
  ASSERT_EQ(plot({"a"}).code, 0);
  EXPECT_THAT(page(), AllOf(HasSubstr("Training loss"), HasSubstr("has no checkpoint yet"),
                            Not(HasSubstr("by K"))));
}

TEST_F(PlotCommand, CutoffsAboveTheCatalogueAreLeftOutAndSaidSo) {
  train("a");
  ASSERT_EQ(plot({"a"}).code, 0);
  EXPECT_THAT(page(), AllOf(HasSubstr("The catalogue has 25 items"), HasSubstr(">20</text>"),
                            Not(HasSubstr("of the list 50"))));
  EXPECT_EQ(plot({"a"}, {"--metric", "ndcg@1000"}).code, 0);
}

TEST_F(PlotCommand, RefusesWhatCannotBeDrawn) {
  train("a");
  const auto refused = [&](const std::vector<std::string>& runs,
                           const std::vector<std::string>& flags, const std::string& sentence) {
    fs::remove(shop_.file("page.html"));
    const auto said = plot(runs, flags);
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr(sentence));
    EXPECT_FALSE(fs::exists(shop_.file("page.html")));
  };
  refused({"nowhere"}, {}, "this is no folder of a run: it has no config.yaml");
  refused({"a"}, {"--metric", "ndgc@5"},
          "--metric: there is no metric 'ndgc'; did you mean 'ndcg'?");
  refused({"a"}, {"--metric", "coverage@5"}, "--metric: coverage@5 has no value for each user");
  refused({"a"}, {"--metric", "auc"}, "--metric: auc is not one of lists");
  refused({"a", "a", "a", "a", "a", "a"}, {}, "plot draws at most 5 runs on a page, got 6");
  refused({"a"}, {"--split", "validation", "--set", "data.split={type: none}"},
          "would change what was trained");
}

TEST_F(PlotCommand, RunsOnOtherDataAreNotDrawnBesideEachOther) {
  train("a");
  const Workshop other("plot-other");
  other.write("sequences.txt", "u1 i1 i2 i3 i4\nu2 i2 i3 i1 i4\nu3 i3 i2 i1\n");
  const auto path = other.experiment("e.yaml", std::string(kTinyUserModel) + kShortTraining);
  ASSERT_EQ(reckon({"train", path, "--quiet", "--run", other.file("b")}).code, 0);
  const auto said = reckon({"plot", shop_.file("a"), other.file("b"), "--samples", "100",
                            "--output", shop_.file("page.html")});
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.err, HasSubstr("evaluated on different data"));
  EXPECT_FALSE(fs::exists(shop_.file("page.html")));
}

TEST(TrainingCurve, TakesTheLastLineOfAnEpochAndNoHalfLine) {
  const TemporaryFolder folder("curve");
  const auto path = folder.file("metrics.jsonl");
  EXPECT_TRUE(read_training_curve(path).empty());
  const auto write = [&](const std::string& text) { std::ofstream(path) << text; };
  write(
      "{\"kind\":\"epoch\",\"epoch\":1,\"loss\":2.5,\"lr\":0.1}\n"
      "{\"kind\":\"step\",\"step\":7}\n"
      "{\"kind\":\"epoch\",\"epoch\":2,\"loss\":9,\"is_whole\":false}\n"
      "{\"kind\":\"epoch\",\"epoch\":2,\"loss\":null,\"validation\":{\"ndcg@10\":0.5,\"auc\":null}}"
      "\n"
      "{\"kind\":\"epoch\",\"epo");
  const auto curve = read_training_curve(path);
  ASSERT_EQ(curve.size(), 2U);
  EXPECT_EQ(curve[0].epoch, 1);
  EXPECT_EQ(curve[0].loss, 2.5);
  EXPECT_TRUE(curve[0].validation.empty());
  EXPECT_TRUE(std::isnan(curve[1].loss));
  EXPECT_EQ(curve[1].validation.at("ndcg@10"), 0.5);
  EXPECT_TRUE(std::isnan(curve[1].validation.at("auc")));
  write("{\"kind\":\"epoch\",\"epoch\":1,\"loss\":1}\nrubbish\n");
  try {
    read_training_curve(path);
    ADD_FAILURE() << "a line of rubbish was read";
  } catch (const DataError& error) {
    EXPECT_EQ(error.line(), 2);
  }
}

}  // namespace
}  // namespace reckon::plot_test
