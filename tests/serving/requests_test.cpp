#include "serving/requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/files.h"
#include "tests/export/tiny_model.h"

namespace reckon::requests_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = Request::Kind;

Request parse(const std::string& line, const RequestDefaults& defaults = {}) {
  return parse_request(line, defaults, "requests.jsonl", 7);
}

TEST(ParseRequest, ReadsEveryKey) {
  const auto got =
      parse(R"({"history": ["50", 181, -3], "k": 5, "exclude": ["7"], "candidates": [1, "2"],
                             "exclude_seen": true})");
  EXPECT_EQ(got, (Request{.kind = Kind::kHistory,
                          .history = {"50", "181", "-3"},
                          .id = "",
                          .k = 5,
                          .exclude = {"7"},
                          .candidates = {"1", "2"},
                          .exclude_seen = true,
                          .line = 7}));
  EXPECT_EQ(parse(R"({"user": 12})").id, "12");
  EXPECT_EQ(parse(R"({"user": "12"})").kind, Kind::kUser);
  EXPECT_EQ(parse(R"({"similar_to": "x", "k": 3})").kind, Kind::kSimilar);
  const auto both = parse(R"({"user": "u", "history": ["a"]})");
  EXPECT_EQ(both.kind, Kind::kUserWithHistory);
  EXPECT_EQ(both.id, "u");
  EXPECT_THAT(both.history, ElementsAre("a"));
  const auto described =
      parse(R"({"features": {"age": 25, "job": "cook", "town": null}, "history": ["a"]})");
  EXPECT_EQ(described.kind, Kind::kFeatures);
  EXPECT_THAT(described.features,
              ElementsAre(std::pair<const std::string, std::string>("age", "25"),
                          std::pair<const std::string, std::string>("job", "cook")));
  EXPECT_THAT(described.history, ElementsAre("a"));
}

TEST(SplitFeatures, ReadsNamesAndValues) {
  EXPECT_THAT(split_features(" age = 25,job=a=b,, town="),
              ElementsAre(std::pair<const std::string, std::string>("age", "25"),
                          std::pair<const std::string, std::string>("job", "a=b"),
                          std::pair<const std::string, std::string>("town", "")));
  EXPECT_THAT(split_features(""), IsEmpty());
  EXPECT_THROW(split_features("age"), std::invalid_argument);
  EXPECT_THROW(split_features("=25"), std::invalid_argument);
  EXPECT_THROW(split_features("age=1,age=2"), std::invalid_argument);
}

TEST(ParseRequest, TakesFromTheDefaultsWhatALineDoesNotSay) {
  const RequestDefaults defaults{.k = 3, .candidates = {"a"}, .exclude_seen = true};
  const auto plain = parse(R"({"history": []})", defaults);
  EXPECT_EQ(plain.k, 3);
  EXPECT_THAT(plain.candidates, ElementsAre("a"));
  EXPECT_TRUE(plain.exclude_seen);
  const auto own =
      parse(R"({"history": [], "k": 4, "candidates": ["b"], "exclude_seen": false})", defaults);
  EXPECT_EQ(own.k, 4);
  EXPECT_THAT(own.candidates, ElementsAre("b"));
  EXPECT_FALSE(own.exclude_seen);
  EXPECT_THAT(parse(R"({"similar_to": "x"})", defaults).candidates, IsEmpty());
}

struct BadLine {
  const char* line;
  const char* message;
};

TEST(ParseRequest, SaysWhereAndWhatIsWrong) {
  const BadLine cases[] = {
      {"{", "not JSON at character 2; expected an object such as"},
      {"", "not JSON at character 1"},
      {"[1, 2]",
       "expected an object such as {\"history\": [\"50\", \"181\"], \"k\": 10}, got [1,2]"},
      {R"({"histroy": ["1"]})", "unknown key 'histroy'; did you mean 'history'?"},
      {R"({"history": "1"})", R"('history': expected a list of ids, got "1"; write ["a", "b"])"},
      {R"({"history": [1.5]})", "'history[0]': expected an id (text or whole number), got 1.5"},
      {R"({"history": ["a", null]})",
       "'history[1]': expected an id (text or whole number), got null"},
      {R"({"user": true})", "'user': expected an id (text or whole number), got true"},
      {R"({"user": "u", "k": 0})", "'k': expected a whole number of at least 1, got 0"},
      {R"({"user": "u", "k": "5"})", "'k': expected a whole number of at least 1, got \"5\""},
      {R"({"user": "u", "k": 99999999999999999999})", "'k': expected a whole number of at least 1"},
      {R"({"user": "u", "k": 1e999})", "holds a number that is too large for any id or k"},
      {"[[[[[[[[[[[[[[[[[[[[[[[[", "nested too deeply"},
      {R"({"user": "u", "exclude_seen": 1})", "'exclude_seen': expected true or false, got 1"},
      {R"({"user": "u", "candidates": []})",
       "'candidates': an empty list leaves nothing to choose from"},
      {R"({"user": "u", "user": "v"})", "'user' is given twice"},
      {R"({"k": 5})",
       "none of 'history', 'user', 'features' and 'similar_to' given; expected one of them"},
      {R"({"features": ["a"]})",
       R"('features': expected an object such as {"age": 25}, got ["a"])"},
      {R"({"features": {"age": true}})", "'features.age': expected a text or a number, got true"},
      {R"({"features": {"age": 1, "age": 2}})", "'age' is given twice"},
      {R"({"features": {}, "user": "u"})",
       "'user' and 'features' do not go together; a user of the data has its own"},
      {R"({"similar_to": "u", "user": "v"})", "'similar_to' takes 'k' alone beside it"},
      {R"({"similar_to": "u", "history": []})", "'similar_to' takes 'k' alone beside it"},
      {R"({"similar_to": "u", "exclude": ["v"]})", "'similar_to' takes 'k' alone beside it"},
  };
  for (const auto& bad : cases) {
    try {
      parse(bad.line);
      ADD_FAILURE() << "accepted: " << bad.line;
    } catch (const DataError& e) {
      EXPECT_THAT(e.what(), HasSubstr("requests.jsonl:7: error: ")) << bad.line;
      EXPECT_THAT(e.what(), HasSubstr(bad.message)) << bad.line;
    }
  }
}

TEST(ReadRequests, NamesTheLineCountingBlankOnes) {
  const TemporaryPath file("requests.jsonl");
  write_file_atomic(file.path(),
                    "\xEF\xBB\xBF{\"user\": \"a\"}\r\n\n  \n{\"user\": \"b\"}\n{\"usre\": 1}\n");
  try {
    read_requests(file.path(), {});
    ADD_FAILURE() << "accepted";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("requests.jsonl:5: error: unknown key 'usre'"));
  }
  write_file_atomic(file.path(), "{\"user\": \"a\"}\r\n\n{\"user\": \"b\"}");
  const auto got = read_requests(file.path(), {});
  ASSERT_THAT(got, SizeIs(2));
  EXPECT_EQ(got[1].id, "b");
  EXPECT_EQ(got[1].line, 3);
}

TEST(SplitIds, LeavesOutSpaceAndNothing) {
  EXPECT_THAT(split_ids(" 50, 181 ,,172,"), ElementsAre("50", "181", "172"));
  EXPECT_THAT(split_ids("a b"), ElementsAre("a b"));
  EXPECT_THAT(split_ids(" , "), IsEmpty());
}

TEST(ReadIds, WantsAtLeastOne) {
  const TemporaryPath file("ids.txt");
  write_file_atomic(file.path(), "50\n\n 181 \r\n");
  EXPECT_THAT(read_ids(file.path()), ElementsAre("50", "181"));
  write_file_atomic(file.path(), "\n \n");
  EXPECT_THROW(read_ids(file.path()), DataError);
}

const Recommendation kAnswer{
    .items = {{.id = "50", .score = 1.25, .columns = {{"title", "Star \"Wars\""}}},
              {.id = "7", .score = -0.5, .columns = {{"title", ""}}}},
    .unknown = {},
    .fallback = ""};

TEST(ToTable, AlignsRankItemColumnsAndScore) {
  const auto table = to_table(kAnswer);
  EXPECT_THAT(table, HasSubstr("rank  item  title"));
  EXPECT_THAT(table, HasSubstr("   1  50    Star \"Wars\"   1.2500"));
  EXPECT_THAT(table, HasSubstr("   2  7                  -0.5000"));
}

TEST(ToJsonLine, IsOneLineThatReadsBack) {
  const auto line = to_json_line(kAnswer);
  EXPECT_EQ(line, R"({"items":[{"item":"50","score":1.25,"title":"Star \"Wars\""},)"
                  R"({"item":"7","score":-0.5,"title":""}]})");
  auto noted = kAnswer;
  noted.unknown = {"a\nb"};
  noted.fallback = "the items most popular in training";
  noted.items_left_out = 7;
  noted.items[0].columns[0].first = "score";
  const auto json = nlohmann::json::parse(to_json_line(noted));
  EXPECT_EQ(json["unknown"][0], "a\nb");
  EXPECT_EQ(json["fallback"], "the items most popular in training");
  EXPECT_EQ(json["items_left_out"], 7);
  EXPECT_EQ(json["items"][0]["score"], 1.25);
  EXPECT_EQ(json["items"][0]["score_"], "Star \"Wars\"");
}

TEST(ToJsonLine, SurvivesIdsThatAreNoUtf8) {
  Recommendation answer;
  answer.items.push_back({.id = "\xFF", .score = 0.0, .columns = {}});
  EXPECT_EQ(nlohmann::json::parse(to_json_line(answer))["items"][0]["item"], "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace reckon::requests_test
