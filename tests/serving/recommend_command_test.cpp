#include "serving/recommend_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/diagnostics.h"
#include "core/files.h"
#include "serving/recommender.h"
#include "tests/export/tiny_model.h"

namespace reckon::recommend_command_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Json = nlohmann::json;
using Format = RecommendOptions::Format;

struct Answer {
  std::vector<Json> lines;
  std::vector<std::string> warnings;
};

std::vector<std::string> items_of(const Json& line) {
  std::vector<std::string> out;
  for (const auto& item : line["items"]) out.push_back(item["item"]);
  return out;
}

// Files with and without users, and of users alone.
class RecommendCommand : public ::testing::Test {
 protected:
  static std::string make(const std::string& name, const TinyOptions& options,
                          ExportOptions export_options) {
    TinyModel model(options);
    const TinyData data(options);
    const auto path = folder_->folder() + "/" + name;
    export_options.display = std::vector<std::string>{"title"};
    export_options.check = false;
    export_model(model, data.inputs(), path, export_options);
    return path;
  }
  static void SetUpTestSuite() {
    folder_ = new TemporaryPath("unused");
    history_ = make("history.pt", {}, {});
    stored_ = make("stored.pt", {}, {.include_users = true});
    users_ = make("users.pt", {.max_length = 0, .reads_users = true, .num_untrained = 2}, {});
    both_ = make("both.pt", {.reads_users = true}, {});
  }
  static void TearDownTestSuite() { delete folder_; }

  static Answer run(RecommendOptions options) {
    options.format = Format::kJson;
    std::ostringstream out;
    Answer answer;
    run_recommend(options, out,
                  [&](const std::string& warning) { answer.warnings.push_back(warning); });
    std::istringstream in(out.str());
    for (std::string line; std::getline(in, line);) answer.lines.push_back(Json::parse(line));
    return answer;
  }
  static std::string write(const std::string& name, const std::string& text) {
    const auto path = folder_->folder() + "/" + name;
    write_file_atomic(path, text);
    return path;
  }
  template <class Error>
  static std::string refusal(const RecommendOptions& options) {
    std::ostringstream out;
    try {
      run_recommend(options, out, [](const std::string&) {});
    } catch (const Error& e) {
      EXPECT_EQ(out.str(), "");
      return e.what();
    }
    return "accepted";
  }

  static TemporaryPath* folder_;
  static std::string history_, stored_, users_, both_;
};
TemporaryPath* RecommendCommand::folder_ = nullptr;
std::string RecommendCommand::history_, RecommendCommand::stored_, RecommendCommand::users_,
    RecommendCommand::both_;

TEST_F(RecommendCommand, GivesTheListOfTheFileWithTitles) {
  const auto got = run({.model_path = history_, .history = "item-1,item-2", .k = 4});
  ASSERT_THAT(got.lines, SizeIs(1));
  const ExportedFile file(history_);
  EXPECT_EQ(items_of(got.lines[0]), file.recommend({{"item-1", "item-2"}}, 4).items[0]);
  const auto first = items_of(got.lines[0])[0];
  EXPECT_EQ(got.lines[0]["items"][0]["title"], first == "item-3" ? "" : "Title " + first.substr(5));
  EXPECT_THAT(got.warnings, IsEmpty());
}

TEST_F(RecommendCommand, LeavesOutTheHistoryWhenAsked) {
  const auto got =
      run({.model_path = history_, .history = "item-1,item-2", .k = 30, .exclude_seen = true});
  EXPECT_THAT(items_of(got.lines[0]), SizeIs(21));
  EXPECT_THAT(items_of(got.lines[0]), Not(::testing::Contains("item-1")));
}

TEST_F(RecommendCommand, NamesUnknownIdsAndGoesOnWithoutThem) {
  const auto got = run({.model_path = history_, .history = "item-1,nope,x,nope", .k = 3});
  EXPECT_THAT(got.warnings, ElementsAre("the model does not know nope, x; they are ignored"));
  EXPECT_EQ(items_of(got.lines[0]),
            items_of(run({.model_path = history_, .history = "item-1", .k = 3}).lines[0]));
  EXPECT_EQ(got.lines[0]["unknown"], Json({"nope", "x"}));
}

TEST_F(RecommendCommand, SaysWhenItFallsBack) {
  for (const std::string history : {"nope", ""}) {
    const auto got = run({.model_path = history_, .history = history, .k = 2});
    EXPECT_THAT(items_of(got.lines[0]), ElementsAre("item-3", "item-7"));
    EXPECT_EQ(got.lines[0]["fallback"], "the items most popular in training");
    EXPECT_EQ(got.warnings.back(),
              "nothing usable is left of the request; it gets the items most popular in training");
  }
}

TEST_F(RecommendCommand, ServesKnownUsersWhereTheFileHoldsThem) {
  EXPECT_EQ(items_of(run({.model_path = users_, .user = "user-3", .k = 5}).lines[0]),
            ExportedFile(users_).recommend_user({"user-3"}, 5).items[0]);
  const auto seen = run({.model_path = stored_, .user = "user-2", .k = 30, .exclude_seen = true});
  EXPECT_THAT(items_of(seen.lines[0]), SizeIs(20));  // user 2 has three items
  const auto nobody = run({.model_path = users_, .user = "nobody", .k = 1});
  EXPECT_THAT(nobody.warnings,
              ElementsAre("the model does not know user nobody",
                          "nothing usable is left of the request; it gets the items most "
                          "popular in training"));
  EXPECT_EQ(nobody.lines[0]["unknown"], Json({"nobody"}));
  const auto untrained = run({.model_path = users_, .user = "user-1", .k = 1});
  EXPECT_THAT(untrained.warnings,
              ElementsAre(
                  "nothing was learnt of user user-1; it gets the items most popular in training"));
}

TEST_F(RecommendCommand, SpeaksOfOptionsAndNotOfMethodsWhenAFileDoesNotServe) {
  const auto no_users = refusal<DataError>({.model_path = history_, .user = "user-3"});
  EXPECT_THAT(no_users, HasSubstr("this file holds no users"));
  EXPECT_THAT(
      no_users,
      HasSubstr(
          "give --history instead, or export the run again with --set export.include_users=true"));
  const auto no_history = refusal<DataError>({.model_path = users_, .history = "item-1"});
  EXPECT_THAT(no_history, HasSubstr("this model cannot use a history"));
  EXPECT_THAT(no_history, HasSubstr("give --user instead"));
  EXPECT_THAT(refusal<DataError>({.model_path = users_, .history = "item-1", .user = "user-3"}),
              HasSubstr("leave out --history"));
  const auto no_seen =
      refusal<DataError>({.model_path = both_, .user = "user-3", .exclude_seen = true});
  EXPECT_THAT(no_seen, HasSubstr("the items that users have seen are not in this file"));
  EXPECT_THAT(no_seen, HasSubstr("give --history too, or export the run again"));
  for (const auto& message : {no_users, no_history, no_seen})
    EXPECT_THAT(message, Not(HasSubstr("recommend")));
}

TEST_F(RecommendCommand, RanksByAUserAndTheHistoryBesideIt) {
  const auto got = run({.model_path = both_,
                        .history = "item-1,nope",
                        .user = "user-3",
                        .k = 5,
                        .exclude_seen = true});
  EXPECT_EQ(items_of(got.lines[0]),
            ExportedFile(both_)
                .recommend_user({"user-3"}, 5, {{"item-1"}}, {}, false, {{"item-1"}})
                .items[0]);
  EXPECT_THAT(got.warnings, ElementsAre("the model does not know nope; it is ignored"));
  EXPECT_NE(items_of(got.lines[0]),
            items_of(run({.model_path = both_, .user = "user-3", .k = 5}).lines[0]));
  const auto input = write("both.jsonl", R"({"user": "user-3", "history": ["item-1"], "k": 4}
{"user": "user-3", "k": 4}
{"user": "nobody", "history": ["item-2"], "k": 4}
)");
  const auto lines = run({.model_path = both_, .input_path = input});
  const ExportedFile file(both_);
  EXPECT_EQ(items_of(lines.lines[0]),
            file.recommend_user({"user-3"}, 4, {}, {}, false, {{"item-1"}}).items[0]);
  EXPECT_EQ(items_of(lines.lines[1]), file.recommend_user({"user-3"}, 4).items[0]);
  EXPECT_EQ(items_of(lines.lines[2]), file.recommend({{"item-2"}}, 4).items[0]);
  EXPECT_THAT(lines.warnings, ElementsAre("request 3: the model does not know user nobody"));
}

TEST_F(RecommendCommand, SaysWhenTheFileLacksSomeOfWhatTheUserHasSeen) {
  const auto cut = make("cut.pt", {}, {.include_users = true, .user_items = 2});
  const auto got = run({.model_path = cut, .user = "user-6", .k = 30, .exclude_seen = true});
  EXPECT_THAT(items_of(got.lines[0]), SizeIs(21));
  EXPECT_EQ(got.lines[0]["items_left_out"], 5);
  EXPECT_THAT(got.warnings,
              ElementsAre("of the items of user user-6 the file holds the newest 2; the 5 before "
                          "them may stand in the list (export.user_items)"));
  EXPECT_THAT(run({.model_path = cut, .user = "user-6"}).warnings,
              ElementsAre(
                  "of the items of user user-6 the file holds the newest 2, and the model reads 5 "
                  "(export.user_items)"));
  EXPECT_THAT(run({.model_path = cut, .user = "user-1", .exclude_seen = true}).warnings, IsEmpty());
  const auto all = run({.model_path = stored_, .user = "user-6", .k = 30, .exclude_seen = true});
  EXPECT_THAT(items_of(all.lines[0]), SizeIs(16));
  EXPECT_THAT(all.warnings, IsEmpty());
}

TEST_F(RecommendCommand, FindsSimilarItems) {
  const auto got = run({.model_path = history_, .similar_to = "item-5", .k = 3});
  EXPECT_EQ(items_of(got.lines[0]), ExportedFile(history_).similar_items({"item-5"}, 3).items[0]);
  const auto unknown = run({.model_path = history_, .similar_to = "nope", .k = 3});
  EXPECT_THAT(items_of(unknown.lines[0]), IsEmpty());
  EXPECT_THAT(unknown.warnings,
              ElementsAre("the model does not know nope; nothing is similar to it"));
}

TEST_F(RecommendCommand, ChoosesFromAFileOfCandidates) {
  const auto path = write("candidates.txt", "item-4\nitem-8\nnope\n");
  const auto got = run({.model_path = history_, .history = "item-1", .candidates_path = path});
  EXPECT_THAT(items_of(got.lines[0]), ::testing::UnorderedElementsAre("item-4", "item-8"));
  EXPECT_THAT(got.warnings,
              ElementsAre(path + ": the model does not know 1 of 3 candidates: nope"));
  EXPECT_THAT(refusal<DataError>({.model_path = history_,
                                  .history = "item-1",
                                  .candidates_path = write("titles.txt", "Star Wars\nAlien\n")}),
              HasSubstr("titles.txt: error: the model knows none of its 2 ids: Star Wars, Alien"));
}

TEST_F(RecommendCommand, NamesUnknownCandidatesOfALine) {
  const auto input =
      write("candidates.jsonl", R"({"history": ["item-1"], "candidates": ["item-4", "nope"]}
{"history": ["item-1"], "candidates": ["x", "nope"]}
)");
  const auto got = run({.model_path = history_, .input_path = input});
  EXPECT_EQ(got.lines[0]["unknown"], Json({"nope"}));
  EXPECT_THAT(items_of(got.lines[1]), IsEmpty());
  EXPECT_EQ(got.lines[1]["unknown"], Json({"x", "nope"}));
  EXPECT_THAT(got.warnings,
              ElementsAre("request 1: the model does not know nope; it is ignored",
                          "request 2: the model does not know x, nope; they are ignored",
                          "request 2: none of the candidates is known, so that the list is empty"));
}

TEST_F(RecommendCommand, ChecksAllRequestsBeforeItAnswersTheFirst) {
  const auto message = [&](const std::string& model, const std::string& line) {
    return refusal<DataError>(
        {.model_path = model,
         .input_path = write("bad.jsonl", "{\"history\": []}\n\n" + line + "\n")});
  };
  EXPECT_THAT(message(history_, R"({"user": "user-3"})"),
              HasSubstr("bad.jsonl:3: error: " + history_ + ": this file holds no users"));
  EXPECT_THAT(message(history_, R"({"user": "user-3"})"), HasSubstr("give 'history' instead"));
  EXPECT_THAT(message(both_, R"({"user": "user-3", "exclude_seen": true})"),
              HasSubstr("give 'history' too"));
  EXPECT_THAT(refusal<DataError>({.model_path = users_,
                                  .input_path = write("first.jsonl", "{\"history\": []}\n")}),
              HasSubstr("first.jsonl:1: error: " + users_ + ": this model cannot use a history"));
}

TEST_F(RecommendCommand, SaysThatAnInputHoldsNoRequests) {
  const auto got = run({.model_path = history_, .input_path = write("empty.jsonl", "\n \n")});
  EXPECT_THAT(got.lines, IsEmpty());
  EXPECT_THAT(got.warnings, ElementsAre(HasSubstr("empty.jsonl: holds no requests")));
}

TEST_F(RecommendCommand, WarnsAfterEachPartOfALongInputAndNotAtItsEnd) {
  std::string lines = "{\"history\": [\"nope\"]}\n";
  for (int i = 0; i < 1500; ++i) lines += "{\"history\": [\"item-1\"], \"k\": 1}\n";
  std::ostringstream out;
  int64_t written_before = 0;
  run_recommend(
      {.model_path = history_, .input_path = write("long.jsonl", lines), .format = Format::kJson},
      out, [&](const std::string&) {
        const auto text = out.str();
        written_before = std::count(text.begin(), text.end(), '\n');
      });
  EXPECT_GT(written_before, 0);
  EXPECT_LT(written_before, 1501);
}

TEST_F(RecommendCommand, AnswersALineForEachLineInTheirOrder) {
  const auto input = write("requests.jsonl",
                           R"({"history": ["item-1"], "k": 2}
{"user": "user-2"}
{"history": ["item-1"], "k": 2, "exclude": ["item-9"], "exclude_seen": true}
{"history": ["item-5", "nope"], "k": 2}

{"similar_to": "item-1", "k": 1}
{"history": [], "k": 1}
)");
  const auto got = run({.model_path = stored_, .input_path = input, .k = 4});
  ASSERT_THAT(got.lines, SizeIs(6));
  const ExportedFile file(stored_);
  EXPECT_EQ(items_of(got.lines[0]), file.recommend({{"item-1"}}, 2).items[0]);
  EXPECT_EQ(items_of(got.lines[1]), file.recommend_user({"user-2"}, 4).items[0]);
  EXPECT_EQ(items_of(got.lines[2]),
            file.recommend({{"item-1"}}, 2, {{"item-9", "item-1"}}).items[0]);
  EXPECT_EQ(items_of(got.lines[3]), file.recommend({{"item-5"}}, 2).items[0]);
  EXPECT_EQ(items_of(got.lines[4]), file.similar_items({"item-1"}, 1).items[0]);
  EXPECT_THAT(
      got.warnings,
      ElementsAre("request 4: the model does not know nope; it is ignored",
                  "request 6: nothing usable is left of the request; it gets the items most "
                  "popular in training"));
}

TEST_F(RecommendCommand, AnswersMoreRequestsThanOneCallTakes) {
  std::string lines;
  for (int i = 0; i < 1500; ++i)
    lines += R"({"history": ["item-)" + std::to_string(i % 23) + R"("], "k": 1})" + "\n";
  const auto got = run({.model_path = history_, .input_path = write("many.jsonl", lines)});
  ASSERT_THAT(got.lines, SizeIs(1500));
  for (const int i : {0, 255, 256, 1023, 1024, 1499})
    EXPECT_EQ(items_of(got.lines[i]), items_of(got.lines[i % 23])) << i;
}

TEST_F(RecommendCommand, WritesATableForEachRequest) {
  std::ostringstream out;
  run_recommend({.model_path = history_,
                 .input_path = write(
                     "two.jsonl", "{\"history\": []}\n{\"history\": [\"item-1\", \"item-2\"]}\n"),
                 .k = 2},
                out, [](const std::string&) {});
  EXPECT_THAT(out.str(), HasSubstr("1. an empty history\nrank  item    title"));
  EXPECT_THAT(out.str(), HasSubstr("   1  item-3"));
  EXPECT_THAT(out.str(), HasSubstr("\n\n2. history item-1,item-2\n"));
}

TEST_F(RecommendCommand, SaysWhichOptionsDoNotGoTogether) {
  EXPECT_THAT(refusal<ConfigError>({.model_path = history_}),
              HasSubstr("none of --history, --user, --features, --similar-to and --input given"));
  for (const auto& options :
       {RecommendOptions{.model_path = history_, .history = "a", .similar_to = "b"},
        RecommendOptions{.model_path = history_, .user = "a", .similar_to = "b"},
        RecommendOptions{.model_path = history_, .user = "a", .input_path = "b"}})
    EXPECT_THAT(refusal<ConfigError>(options),
                HasSubstr(
                    "several of --history, --user, --features, --similar-to and --input given"));
  EXPECT_THAT(refusal<ConfigError>({.model_path = history_, .history = "a", .k = 0}),
              HasSubstr("-k: must be at least 1, got 0"));
  EXPECT_THAT(refusal<ConfigError>(
                  {.model_path = history_, .similar_to = "a", .exclude_seen = true}),
              HasSubstr("--similar-to goes with -k alone"));
  EXPECT_THAT(refusal<DataError>({.model_path = folder_->folder() + "/none.pt", .history = "a"}),
              HasSubstr("none.pt: error: cannot be read"));
}

TEST_F(RecommendCommand, InspectTellsTheContractSizesAndOrigin) {
  const auto text = inspect_model(history_);
  EXPECT_THAT(text, HasSubstr("23 items, no users"));
  EXPECT_THAT(text, HasSubstr("a known user by id           no"));
  EXPECT_THAT(text,
              HasSubstr("a new user with a history    yes, of which the newest 5 items are read"));
  EXPECT_THAT(text, HasSubstr("anything else                the items most popular in training"));
  EXPECT_THAT(text, HasSubstr("recommend_user(self, users: List[str]"));
  EXPECT_THAT(text, HasSubstr("refused: this file holds no users"));
  EXPECT_THAT(text, HasSubstr("loaded in"));
  EXPECT_THAT(text, HasSubstr("ndcg@10  0.25"));
  EXPECT_THAT(text, HasSubstr("data abc123"));
  EXPECT_THAT(text, HasSubstr("  model:\n    preset: tiny\n"));
  EXPECT_THAT(inspect_model(stored_),
              HasSubstr("a known user by id           yes, with all items of each"));
  EXPECT_THAT(inspect_model(stored_), HasSubstr(", items of users "));
  EXPECT_THAT(inspect_model(users_), HasSubstr("a known user by id           yes\n"));
  EXPECT_THAT(inspect_model(both_),
              HasSubstr("a known user by id           yes, by the id alone: the file holds no "
                        "histories, so that theirs must be sent\n"));
  EXPECT_EQ(Json::parse(inspect_model(history_, true))["num_items"], 23);
}

TEST_F(RecommendCommand, RecommenderDescribesItsFile) {
  const Recommender recommender(users_);
  EXPECT_EQ(Json::parse(recommender.describe())["methods"]["recommend"]["available"], false);
  EXPECT_EQ(recommender.recommend_user({"user-1"}, 3).items,
            recommender.file().recommend_user({"user-1"}, 3).items);
}

}  // namespace
}  // namespace reckon::recommend_command_test
