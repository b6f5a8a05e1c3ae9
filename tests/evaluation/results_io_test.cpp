#include "evaluation/results_io.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/diagnostics.h"
#include "core/ids.h"
#include "tests/evaluation/evaluation_support.h"

namespace reckon::results_io_test {
namespace {

class ResultsIo : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("reckon_results_io_" + std::string(test->name()) + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    for (const auto* user : {"anna", "bob", "carl"}) users_.add(user);
    for (const auto* item : {"i0", "i1", "i2", "i3"}) items_.add(item);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    return path(name);
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(path(name)).rdbuf();
    return text.str();
  }
  std::string problem_of(const std::string& file) const {
    try {
      read_lists(file, users_, items_);
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  }

  // Lists of anna and carl, with an equal score and an unknown item in between.
  RankedLists lists() const {
    return {.users = torch::tensor({0, 2}, torch::kInt64),
            .offsets = torch::tensor({0, 3, 5}, torch::kInt64),
            .items = torch::tensor({3, 1, 0, -1, 2}, torch::kInt64),
            .scores = torch::tensor({0.1F, 0.1F, -2.5F, 9.0F, 1e-7F})};
  }

  std::filesystem::path folder_;
  IdMap users_, items_;
};

TEST_F(ResultsIo, WritesATrecRunLineByLine) {
  write_lists_trec(path("run.txt"), lists(), users_, items_, "mine");
  EXPECT_EQ(read("run.txt"),
            "anna Q0 i3 1 0.100000001 mine\n"
            "anna Q0 i1 2 0.100000001 mine\n"
            "anna Q0 i0 3 -2.5 mine\n"
            "carl Q0 i2 2 1.00000001e-07 mine\n");
}

TEST_F(ResultsIo, ReadsBackTheListsThatItWrote) {
  auto written = lists();
  written.items = torch::tensor({3, 1, 0, 1, 2}, torch::kInt64);
  write_lists_trec(path("run.txt"), written, users_, items_, "mine");
  write_lists_parquet(path("run.parquet"), written, users_, items_);
  for (const auto* name : {"run.txt", "run.parquet"}) {
    const auto foreign = read_lists(path(name), users_, items_);
    EXPECT_TRUE(foreign.lists.users.equal(written.users)) << name;
    EXPECT_TRUE(foreign.lists.offsets.equal(written.offsets)) << name;
    EXPECT_TRUE(foreign.lists.items.equal(written.items)) << name;
    EXPECT_TRUE(foreign.lists.scores.equal(written.scores)) << name;
    EXPECT_EQ(foreign.num_unknown_users + foreign.num_unknown_items, 0) << name;
  }
}

TEST_F(ResultsIo, OrdersForeignListsByScoreThenRank) {
  const auto file = write("run.txt",
                          "bob Q0 i0 3 1.0 t\n"
                          "bob\tQ0\ti1 2 1.0 t\r\n"
                          "\n"
                          "bob Q0 i2 9 7 t\n");
  const auto foreign = read_lists(file, users_, items_);
  EXPECT_TRUE(foreign.lists.items.equal(torch::tensor({2, 1, 0}, torch::kInt64)));
}

TEST_F(ResultsIo, CountsUnknownUsersAndKeepsThePlacesOfUnknownItems) {
  const auto file = write("run.txt",
                          "dora Q0 i0 1 2.0 t\n"
                          "dora Q0 i1 2 1.0 t\n"
                          "bob Q0 new 1 3.0 t\n"
                          "bob Q0 i1 2 2.0 t\n"
                          "bob Q0 newer 3 1.0 t\n");
  const auto foreign = read_lists(file, users_, items_);
  EXPECT_EQ(foreign.num_unknown_users, 1);
  EXPECT_EQ(foreign.unknown_users, std::vector<std::string>{"dora"});
  EXPECT_EQ(foreign.num_unknown_items, 2);
  EXPECT_EQ(foreign.unknown_items, (std::vector<std::string>{"new", "newer"}));
  EXPECT_TRUE(foreign.lists.users.equal(torch::tensor({1}, torch::kInt64)));
  EXPECT_TRUE(foreign.lists.items.equal(
      torch::tensor({kUnknownId, int64_t{1}, kUnknownId}, torch::kInt64)));
}

TEST_F(ResultsIo, NamesTheLineThatIsNoRunLine) {
  const auto good = std::string("bob Q0 i0 1 2.0 t\n");
  EXPECT_EQ(problem_of(write("a", good + "bob i1 2\n")),
            path("a") +
                ":2: error: expected 'user Q0 item rank score tag', got 3 fields: 'bob i1 2'");
  EXPECT_EQ(problem_of(write("b", good + "bob Q0 i1 second 1.0 t\n")),
            path("b") + ":2: error: expected a whole number as rank, got 'second'");
  EXPECT_EQ(problem_of(write("c", good + "bob Q0 i1 2 high t\n")),
            path("c") + ":2: error: expected a number as score, got 'high'");
  EXPECT_EQ(problem_of(write("d", good + "bob Q0 i1 2 nan t\n")),
            path("d") + ":2: error: expected a number as score, got 'nan'");
  EXPECT_EQ(problem_of(write("e", good + good)),
            path("e") + ":2: error: item 'i0' stands twice in the list of user 'bob'");
  EXPECT_EQ(problem_of(path("missing")), path("missing") + ": error: cannot be read");
}

TEST_F(ResultsIo, ReadsTablesWithScoreOrRankAlone) {
  const auto by_score = write("a.csv", "user,item,score\nbob,i0,1\nbob,i1,2\n");
  EXPECT_TRUE(
      read_lists(by_score, users_, items_).lists.items.equal(torch::tensor({1, 0}, torch::kInt64)));
  const auto by_rank = write("b.csv", "rank,item,user\n2,i0,bob\n1,i3,bob\n");
  EXPECT_TRUE(
      read_lists(by_rank, users_, items_).lists.items.equal(torch::tensor({3, 0}, torch::kInt64)));
}

TEST_F(ResultsIo, NamesTheColumnsThatATableLacks) {
  const auto problem = problem_of(write("a.csv", "user,item,value\nbob,i0,1\n"));
  EXPECT_NE(problem.find("expected columns user, item, and score or rank, got user, item, value"),
            std::string::npos)
      << problem;
}

TEST_F(ResultsIo, RefusesADamagedParquetFile) {
  const auto problem = problem_of(write("a.parquet", "PAR1 this is no Parquet file"));
  EXPECT_NE(problem.find(path("a.parquet")), std::string::npos) << problem;
  try {
    read_per_user(path("a.parquet"), "run");
    FAIL() << "expected an error";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("a.parquet: error: "), std::string::npos);
  }
}

TEST_F(ResultsIo, RefusesIdsThatATrecRunCannotHold) {
  items_.add("two words");
  auto written = lists();
  written.items = torch::tensor({3, 1, 0, 4, 2}, torch::kInt64);
  try {
    write_lists_trec(path("run.txt"), written, users_, items_, "mine");
    FAIL() << "expected an error";
  } catch (const DataError& error) {
    EXPECT_EQ(error.what(),
              path("run.txt") +
                  ": error: a TREC run cannot hold the id 'two words', which is empty "
                  "or has white space: write Parquet");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(ResultsIo, ReadsBackPerUserValuesAndWhatTheyAreOf) {
  const std::vector<UserSplit> users = {{.history = {0}, .targets = {0}},
                                        {.history = {}, .targets = {1}},
                                        {.history = {1}, .targets = {2, 3}}};
  auto model = given_model(3, 1, 4, 5, 1);
  const auto result =
      evaluate(*model, input_of(users, 4), options_for({"auc", "recall@2", "gini@2"}));
  write_per_user(path("per_user.parquet"), result, users_);
  const auto run = read_per_user(path("per_user.parquet"), "mine");
  EXPECT_EQ(run.name, "mine");
  EXPECT_EQ(run.users, (std::vector<std::string>{"anna", "bob", "carl"}));
  EXPECT_EQ(run.metrics, (std::vector<std::string>{"auc", "recall@2"}));
  EXPECT_EQ(run.fingerprint, "test");
  EXPECT_EQ(run.protocol, "full ranking, seen items masked");
  EXPECT_EQ(run.split, "test");
  // Anna's only target is masked, so that she has no area under the curve.
  EXPECT_TRUE(std::isnan(run.values[0][0].item<double>()));
  EXPECT_TRUE(run.values.nan_to_num(-1).equal(result.per_user.nan_to_num(-1)));
}

TEST_F(ResultsIo, RefusesAParquetFileOfSomethingElse) {
  write_lists_parquet(path("lists.parquet"), lists(), users_, items_);
  try {
    read_per_user(path("lists.parquet"), "run");
    FAIL() << "expected an error";
  } catch (const DataError& error) {
    EXPECT_EQ(error.what(), path("lists.parquet") +
                                ": error: expected per-user values written by reckon, but "
                                "'reckon.fingerprint' is not in its metadata");
  }
}

TEST_F(ResultsIo, RefusesAFolderThatIsNotThere) {
  EXPECT_THROW(write_lists_parquet(path("no/lists.parquet"), lists(), users_, items_), DataError);
  EXPECT_THROW(write_lists_trec(path("no/run.txt"), lists(), users_, items_, "t"), DataError);
}

}  // namespace
}  // namespace reckon::results_io_test
