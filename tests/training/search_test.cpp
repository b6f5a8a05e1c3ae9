// What a search tries, in which order, and what it remembers.
#include "training/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/catalog.h"
#include "core/files.h"
#include "tests/support/temporary_folder.h"
#include "training/search_log.h"

namespace reckon::search_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

TuneOptions read(const std::string& text) {
  return read_config<TuneOptions>(parse_yaml(text, "t.yaml"), Catalog());
}

std::string complaints(const std::string& text) {
  try {
    make_trials(read(text));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

std::vector<std::string> texts(const std::vector<Trial>& trials) {
  std::vector<std::string> out;
  for (const auto& trial : trials) {
    std::string text;
    for (const auto& [path, value] : values_as_text(trial)) text += path + "=" + value + " ";
    out.push_back(text);
  }
  return out;
}

TEST(Search, AGridIsEveryCombinationWithTheLastParameterFastest) {
  const auto trials =
      make_trials(read("{search: grid, parameters: {b: [x, {type: y, k: 2}], a.c: [1, 2, 3]}}"));
  EXPECT_THAT(texts(trials),
              ElementsAre("a.c=1 b=x ", "a.c=1 b={type: y, k: 2} ", "a.c=2 b=x ",
                          "a.c=2 b={type: y, k: 2} ", "a.c=3 b=x ", "a.c=3 b={type: y, k: 2} "));
  EXPECT_EQ(trials.front().number, 1);
  EXPECT_EQ(trials.back().number, 6);
}

TEST(Search, MoreTrialsOrAnotherParameterLeaveTheDrawnValuesThatAreThere) {
  const std::string lr = "lr: {log_uniform: [1e-4, 1e-1]}";
  const auto few = make_trials(read("{trials: 5, seed: 3, parameters: {" + lr + "}}"));
  const auto many =
      make_trials(read("{trials: 30, seed: 3, parameters: {dim: {integer: [1, 9]}, " + lr + "}}"));
  ASSERT_EQ(many.size(), 30U);
  for (size_t i = 0; i < few.size(); ++i)
    EXPECT_EQ(few[i].values[0].second, many[i].values[1].second) << i;
  const auto other = make_trials(read("{trials: 5, seed: 4, parameters: {" + lr + "}}"));
  EXPECT_NE(texts(few), texts(other));
  EXPECT_EQ(texts(few), texts(make_trials(read("{trials: 5, seed: 3, parameters: {" + lr + "}}"))));
}

// 4,000 draws: shares within five standard deviations of what the distribution says.
TEST(Search, DrawnNumbersFollowTheirDistribution) {
  struct Case {
    std::string range;
    std::function<double(double)> share_below;
    double middle;
  };
  const auto log_share = [](double low, double high) {
    return [=](double x) { return std::log(x / low) / std::log(high / low); };
  };
  for (const auto& [range, share_below, middle] :
       {Case{"{uniform: [-1, 3]}", [](double x) { return (x + 1) / 4; }, 0.5},
        Case{"{log_uniform: [1e-4, 1]}", log_share(1e-4, 1), 1e-3},
        // A whole number n has the room from n to n + 1.
        Case{"{integer: [1, 10000000]}", [](double x) { return x / 1e7; }, 2.5e6},
        Case{"{log_integer: [1, 1000000]}", log_share(1, 1e6 + 1), 1000}}) {
    int below = 0, drawn = 0;
    double lowest = 1e300, highest = -1e300;
    for (const auto& trial : make_trials(read("{trials: 4000, parameters: {x: " + range + "}}"))) {
      const double x = std::stod(trial.values[0].second.scalar_text());
      lowest = std::min(lowest, x);
      highest = std::max(highest, x);
      below += x < middle;
      ++drawn;
    }
    const double share = share_below(middle);
    // Of small whole numbers there are fewer than draws; repeats were drawn again.
    if (range.rfind("{log_integer", 0) == 0) {
      EXPECT_EQ(lowest, 1) << range;
      continue;
    }
    EXPECT_EQ(drawn, 4000) << range;
    EXPECT_NEAR(below / 4000.0, share, 5 * std::sqrt(share * (1 - share) / 4000)) << range;
    EXPECT_GE(lowest, range.rfind("{uniform", 0) == 0 ? -1 : 1e-4) << range;
  }
}

TEST(Search, BothEndsOfWholeNumbersAreDrawnAndEachOnce) {
  for (const char* range : {"{integer: [3, 6]}", "{log_integer: [3, 6]}", "[3, 4, 5, 6]"}) {
    std::vector<std::string> drawn;
    for (const auto& trial :
         make_trials(read("{trials: 100, parameters: {x: " + std::string(range) + "}}")))
      drawn.push_back(trial.values[0].second.scalar_text());
    std::sort(drawn.begin(), drawn.end());
    EXPECT_THAT(drawn, ElementsAre("3", "4", "5", "6")) << range;
  }
}

TEST(Search, SaysWhatIsWrongWithARange) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "tune.x: an empty list tries nothing"},
      {"[1, 2, 1]", "names 1 twice"},
      {"{uniform: [2, 1]}", "must be two numbers, the lower one first"},
      {"{uniform: [1, 1]}", "must be two numbers, the lower one first"},
      {"{log_uniform: [0, 1]}", "must be above zero"},
      {"{integer: [1, 2.5]}", "must be whole numbers"},
      {"{unifrm: [0, 1]}", "did you mean 'uniform'?"},
      {"{uniform: [0, 1], integer: [0, 1]}", "expected a list of values or one range"},
      {"5", "expected a list of values or one range"}};
  for (const auto& [range, expected] : cases) {
    const auto said = complaints("{parameters: {x: " + range + "}}");
    EXPECT_THAT(said, HasSubstr(expected.substr(
                          expected.find(": ") == std::string::npos ? 0 : expected.find(": ") + 2)))
        << range;
    EXPECT_THAT(said, HasSubstr("t.yaml:1:")) << range;
    EXPECT_THAT(said, HasSubstr("parameters.x")) << range;
  }
  EXPECT_THAT(complaints("{search: grid, parameters: {x: {uniform: [0, 1]}}}"),
              HasSubstr("a grid needs a list of values"));
  const std::string hundred = [] {
    std::string list;
    for (int i = 0; i < 101; ++i) list += (i ? "," : "") + std::to_string(i);
    return "[" + list + "]";
  }();
  EXPECT_THAT(complaints("{search: grid, parameters: {x: " + hundred + ", y: " + hundred + "}}"),
              HasSubstr("the grid has 10201 combinations, more than 10,000"));
}

TEST(Search, OptionsReadBackAsTheyWereWritten) {
  const auto options = read(
      "{search: halving, trials: 9, metric: recall@20, seed: 4, min_epochs: 2, reduction: 2, "
      "parameters: {a: [1, x], b: {log_uniform: [1e-5, 0.1]}, c: {integer: [1, 4]}}}");
  const auto text = emit_yaml(emit_config(options, Catalog()));
  EXPECT_EQ(emit_yaml(emit_config(read(text), Catalog())), text);
  EXPECT_EQ(texts(make_trials(read(text))), texts(make_trials(options)));
}

TEST(HalvingRungs, GiveTheLastStageAllEpochsAndEachOneAShareOfTheTrials) {
  const auto text = [](const std::vector<Rung>& rungs) {
    std::string out;
    for (const auto& rung : rungs)
      out += std::to_string(rung.trials) + "x" + std::to_string(rung.epochs) + " ";
    return out;
  };
  EXPECT_EQ(text(halving_rungs(27, 1, 27, 3)), "27x1 9x3 3x9 1x27 ");
  EXPECT_EQ(text(halving_rungs(27, 0, 27, 3)), "27x1 9x3 3x9 1x27 ");
  EXPECT_EQ(text(halving_rungs(8, 5, 40, 2)), "8x5 4x10 2x20 1x40 ");
  EXPECT_EQ(text(halving_rungs(8, 5, 50, 2)), "8x5 4x10 2x20 1x50 ");
  EXPECT_EQ(text(halving_rungs(100, 10, 35, 3)), "100x10 33x30 11x35 ");
  EXPECT_EQ(text(halving_rungs(2, 1, 100, 3)), "2x1 1x100 ") << "one alone needs no more stages";
  EXPECT_EQ(text(halving_rungs(5, 9, 9, 3)), "5x9 ");
  EXPECT_EQ(text(halving_rungs(5, 20, 9, 3)), "5x9 ");
  EXPECT_EQ(text(halving_rungs(1, 0, 1, 2)), "1x1 ");
  EXPECT_THROW(halving_rungs(0, 1, 9, 3), std::invalid_argument);
}

TEST(BestOf, PutsTiesInOrderAndNaNNowhere) {
  EXPECT_THAT(best_of({0.1, kNone, 0.3, 0.3, 0.2}, 3, true), ElementsAre(2, 3, 4));
  EXPECT_THAT(best_of({0.1, kNone, 0.3, 0.3, 0.2}, 9, false), ElementsAre(0, 4, 2, 3));
  EXPECT_THAT(best_of({kNone}, 1, true), ElementsAre());
}

class RunSearch : public ::testing::Test {
 protected:
  // A trial's quality at some epochs; trial 4 of any search fails.
  static double quality(const Trial& trial, int64_t epochs) {
    if (trial.number == 4) return kNone;
    const double x = std::stod(trial.values[0].second.scalar_text());
    return 1.0 - (x - 0.3) * (x - 0.3) - 1.0 / static_cast<double>(epochs + 1);
  }

  // Runs the search until `stop` more trials were trained; each word of the story is one event.
  bool go(const TuneOptions& options, int stop, bool resume, std::vector<std::string>& story,
          std::vector<TrialRecord>* records = nullptr) {
    SearchLog log(folder_.file("search.json"), identity_, resume);
    SearchHooks hooks;
    hooks.train = [&](const Trial& trial, int64_t epochs) -> std::optional<TrialRecord> {
      if (stop-- == 0) return std::nullopt;
      story.push_back(std::to_string(trial.number) + "@" + std::to_string(epochs));
      TrialRecord record;
      record.value = quality(trial, epochs);
      record.metrics = {{"ndcg@10", record.value}};
      record.seconds = 0.5;
      if (std::isnan(record.value)) record.failure = "diverged";
      return record;
    };
    hooks.on_dropped = [&](int64_t trial) { dropped_.insert(trial); };
    const bool is_whole = run_search(options, make_trials(options), 9, log, hooks);
    if (records != nullptr) *records = log.records();
    return is_whole;
  }

  TemporaryFolder folder_{"search"};
  SearchIdentity identity_{"training: {epochs: 9}\n", "f00d", "ndcg@10"};
  std::set<int64_t> dropped_;
};

TEST_F(RunSearch, InterruptedAfterAnyTrialItEndsAsOneThatWasNot) {
  for (const char* text :
       {"{trials: 7, parameters: {x: {uniform: [0, 1]}}}",
        "{search: halving, trials: 9, min_epochs: 1, parameters: {x: {uniform: [0, 1]}}}",
        "{search: grid, parameters: {x: [0.1, 0.2, 0.3, 0.4, 0.5]}}"}) {
    const auto options = read(text);
    std::vector<std::string> whole;
    std::vector<TrialRecord> expected;
    ASSERT_TRUE(go(options, -1, false, whole, &expected));
    const auto file = read_file(folder_.file("search.json"));
    const auto dropped = dropped_;
    for (int stop = 0; stop < static_cast<int>(whole.size()); ++stop) {
      dropped_.clear();
      std::vector<std::string> story;
      EXPECT_FALSE(go(options, stop, false, story));
      EXPECT_EQ(static_cast<int>(story.size()), stop);
      ASSERT_TRUE(go(options, -1, true, story));
      EXPECT_EQ(story, whole) << text << " stopped after " << stop;
      EXPECT_EQ(read_file(folder_.file("search.json")), file) << text;
      EXPECT_EQ(dropped_, dropped) << text;
    }
    dropped_.clear();
    std::vector<std::string> again;
    EXPECT_TRUE(go(options, -1, true, again));
    EXPECT_TRUE(again.empty()) << "a finished search trains nothing";
    EXPECT_EQ(dropped_, dropped) << text;
    dropped_.clear();
  }
}

TEST_F(RunSearch, HalvingGivesMoreEpochsToTheBestAlone) {
  const auto options =
      read("{search: halving, trials: 9, min_epochs: 1, parameters: {x: {uniform: [0, 1]}}}");
  std::vector<std::string> story;
  std::vector<TrialRecord> records;
  ASSERT_TRUE(go(options, -1, false, story, &records));
  const auto trials = make_trials(options);
  std::vector<double> first;
  for (const auto& trial : trials) first.push_back(quality(trial, 1));
  auto going_on = best_of(first, 3, true);
  const auto winner = trials[going_on[0]].number;
  std::sort(going_on.begin(), going_on.end());
  ASSERT_EQ(story.size(), 13U);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(story[9 + i], std::to_string(trials[going_on[i]].number) + "@3");
  EXPECT_EQ(story[12], std::to_string(winner) + "@9");
  EXPECT_EQ(best_record(records, true)->trial, winner);
  EXPECT_EQ(dropped_.size(), 8U);
  EXPECT_EQ(dropped_.count(winner), 0U);
}

TEST_F(RunSearch, OfOneStageAllButTheBestAreDropped) {
  const auto options = read("{search: grid, parameters: {x: [0.1, 0.2, 0.3, 0.4, 0.5]}}");
  std::vector<std::string> story;
  ASSERT_TRUE(go(options, -1, false, story));
  EXPECT_THAT(dropped_, ElementsAre(1, 2, 4, 5));
}

TEST_F(RunSearch, AResumeWithMoreTrialsTrainsTheNewOnes) {
  std::vector<std::string> story;
  ASSERT_TRUE(go(read("{trials: 3, parameters: {x: {uniform: [0, 1]}}}"), -1, false, story));
  ASSERT_TRUE(go(read("{trials: 5, parameters: {x: {uniform: [0, 1]}}}"), -1, true, story));
  EXPECT_THAT(story, ElementsAre("1@0", "2@0", "3@0", "4@0", "5@0"));
}

TEST_F(RunSearch, AnotherSearchIsNotGoneOnWith) {
  const auto options = read("{trials: 3, parameters: {x: {uniform: [0, 1]}}}");
  std::vector<std::string> story;
  ASSERT_TRUE(go(options, -1, false, story));
  const auto refusal = [&](const TuneOptions& now) -> std::string {
    try {
      go(now, -1, true, story);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal(read("{trials: 3, seed: 1, parameters: {x: {uniform: [0, 1]}}}")),
              AllOf(HasSubstr("trial 1: the search to resume has tried x 0."),
                    HasSubstr("now it would be x 0.")));
  identity_.metric = "recall@10";
  EXPECT_THAT(refusal(options),
              HasSubstr("tune.metric: the search to resume has ndcg@10, now it is recall@10"));
  identity_.metric = "ndcg@10";
  identity_.data_fingerprint = "beef";
  EXPECT_THAT(refusal(options), HasSubstr("data fingerprint"));
  identity_.data_fingerprint = "f00d";
  identity_.config = "training: {epochs: 10}\n";
  EXPECT_THAT(refusal(options),
              HasSubstr("training.epochs: the search to resume has 9, now it is 10"));
  identity_.config = "training: {epochs: 9}\nmodel: {dim: 3}\n";
  EXPECT_THAT(refusal(options), HasSubstr("model"));
  write_file_atomic(folder_.file("search.json"), "{\"trials\": 3}");
  EXPECT_THROW(go(options, -1, true, story), DataError);
}

}  // namespace
}  // namespace reckon::search_test
