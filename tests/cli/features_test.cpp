// Columns of the tables of items and users, from the YAML file to the exported one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "export/exported_file.h"
#include "tests/cli/command.h"

namespace reckon::features_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WithTables : public ::testing::Test {
 protected:
  // Users of two kinds, each of which chooses among its own half of the items.
  WithTables() {
    std::string lines = "user\titem\n", users = "user\tjob\tage\n";
    for (int user = 0; user < 60; ++user) {
      const auto kind = user % 2;
      const auto id = std::to_string(user);
      for (int step = 0; step < 6; ++step)
        lines += id + "\t" + std::to_string(kind * 10 + (user / 2 + step * 3) % 10) + "\n";
      users += id + (kind == 0 ? "\tcook\t" : "\tclerk\t") + std::to_string(20 + user % 7) + "\n";
    }
    shop_.write("r.tsv", lines);
    shop_.write("users.tsv", users);
    for (int item = 0; item < 20; ++item)
      rows_.push_back(std::to_string(item) + (item < 10 ? "\tfood|hot\t" : "\tpaper\t") +
                      std::to_string(item % 4) + "\n");
    write_items(rows_);
  }

  void write_items(const std::vector<std::string>& rows) const {
    std::string items = "item\tkinds\tprice\n";
    for (const auto& row : rows) items += row;
    shop_.write("items.tsv", items);
  }

  std::string experiment(const std::string& item_columns, const std::string& user_columns,
                         bool with_users = true) const {
    shop_.write(
        "e.yaml",
        "data:\n  directory: '" + shop_.file("") + "'\n  cache: '" + shop_.file("cache") +
            "'\n  files: {interactions: {path: r.tsv}, items: {path: items.tsv}" +
            (with_users ? ", users: {path: users.tsv}" : "") +
            "}\n"
            "model:\n"
            "  family: retrieval\n"
            "  dim: 8\n"
            "  item: {id: null, features: {columns: [" +
            item_columns +
            "], init: {scale: 0.3}}}\n"
            "  user: {features: {columns: [" +
            user_columns +
            "], init: {scale: 0.3}}}\n"
            "  objectives: [{type: softmax}]\n"
            "training: {type: supervised, epochs: 30, batch_size: 64, threads: 1, shards: 1, "
            "optimizer: {type: adam, lr: 0.05}, early_stopping: null}\n"
            "evaluation: {metrics: [recall@5]}\n");
    return shop_.file("e.yaml");
  }

  std::string error(const std::vector<std::string>& arguments) const {
    const auto said = reckon(arguments);
    EXPECT_EQ(said.code, 1) << said.out;
    auto text = said.err;
    for (const auto& name : {shop_.file("")})
      for (auto at = text.find(name); at != std::string::npos; at = text.find(name))
        text.erase(at, name.size());
    return text;
  }

  nlohmann::json result(const std::string& run) const {
    return nlohmann::json::parse(read_file(shop_.file(run + "/test-result.json")));
  }

  const std::string kItemColumns =
      "{column: kinds, type: categories}, {column: price, type: number, transform: log}";
  const std::string kUserColumns =
      "{column: job, type: category}, {column: age, type: number, transform: buckets}";

  Workshop shop_{"features"};
  std::vector<std::string> rows_;
};

TEST_F(WithTables, AModelOfFeaturesAloneIsTrainedMeasuredExportedAndAsked) {
  const auto path = experiment(kItemColumns, kUserColumns);
  const auto checked = reckon({"check", path});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("the values are counted when training begins"));
  const auto trained = reckon({"train", path, "--run", shop_.file("run")});
  ASSERT_EQ(trained.code, 0) << trained.err;
  // Of ten items of the right kind five are shown, of which the user has seen four at least.
  EXPECT_GT(result("run")["metrics"]["recall@5"], 0.6);
  const auto exported = reckon({"export", shop_.file("run"), "--output", shop_.file("m.pt")});
  ASSERT_EQ(exported.code, 0) << exported.err;
  const ExportedFile file(shop_.file("m.pt"));
  EXPECT_THAT(file.description().user_columns, ElementsAre("job", "age"));
  const auto got =
      file.recommend_features({{{"job", "cook"}}, {{"job", "clerk"}, {"age", "22"}}}, 10);
  for (const auto& id : got.items[0]) EXPECT_LT(std::stoi(id), 10);
  for (const auto& id : got.items[1]) EXPECT_GE(std::stoi(id), 10);

  const auto said = reckon({"recommend", shop_.file("m.pt"), "--features", "job=cook,age=22", "-k",
                            "3", "--format", "json"});
  ASSERT_EQ(said.code, 0) << said.err;
  const auto answer = nlohmann::json::parse(said.out);
  ASSERT_EQ(answer.at("items").size(), 3U);
  for (const auto& item : answer.at("items"))
    EXPECT_LT(std::stoi(item.at("item").get<std::string>()), 10);
  shop_.write("requests.jsonl", "{\"features\": {\"job\": \"pilot\"}}\n");
  const auto nobody =
      reckon({"recommend", shop_.file("m.pt"), "--input", shop_.file("requests.jsonl")});
  EXPECT_EQ(nobody.code, 0);
  EXPECT_THAT(nobody.err, HasSubstr("nothing usable is left of the request"));
  EXPECT_THAT(error({"recommend", shop_.file("m.pt"), "--features", "jobs=cook"}),
              HasSubstr("there is no feature 'jobs'\n    hint: did you mean 'job'?"));
  EXPECT_THAT(reckon({"inspect", shop_.file("m.pt")}).out,
              HasSubstr("a user with features only    yes, by job, age"));
}

TEST_F(WithTables, AnItemThatNobodyHasChosenIsRankedByItsColumns) {
  rows_.push_back("new\tfood|hot\t1\n");
  write_items(rows_);
  const auto path = experiment(kItemColumns, kUserColumns);
  ASSERT_EQ(reckon(
                {"train", path, "--run", shop_.file("run"), "--set", "data.whole_catalogue=true"})
                .code,
            0);
  ASSERT_EQ(reckon({"export", shop_.file("run"), "--output", shop_.file("m.pt")}).code, 0);
  const ExportedFile file(shop_.file("m.pt"));
  EXPECT_TRUE(file.description().new_item_with_content);
  ASSERT_THAT(file.known_items({"new"}), ElementsAre(true));
  // It is as items 1, 5 and 9 are, which cooks choose.
  const auto got = file.recommend_features({{{"job", "cook"}}, {{"job", "clerk"}}}, 21);
  const auto place = [&](size_t row, const std::string& id) {
    const auto& items = got.items[row];
    return std::find(items.begin(), items.end(), id) - items.begin();
  };
  EXPECT_LT(place(0, "new"), 11);
  EXPECT_GE(place(1, "new"), 10);
}

TEST_F(WithTables, TheOrderOfTheRowsOfATableChangesNothing) {
  const auto path = experiment(kItemColumns, kUserColumns);
  const auto train = [&](const std::string& run) {
    ASSERT_EQ(reckon({"train", path, "--run", shop_.file(run)}).code, 0);
    const auto said = reckon({"embeddings", shop_.file(run), "--output", shop_.file(run + ".tsv")});
    ASSERT_EQ(said.code, 0) << said.err;
  };
  train("a");
  std::reverse(rows_.begin(), rows_.end());
  write_items(rows_);
  train("b");
  EXPECT_EQ(read_file(shop_.file("a.tsv")), read_file(shop_.file("b.tsv")));
}

TEST_F(WithTables, ColumnsThatThereAreNotAreSaidByCheckAndByTrainWithTheirPlace) {
  const auto path = experiment("{column: kind, type: categories}", "{column: wage, type: number}");
  const std::string expected =
      "e.yaml:8:50: error: model.item.features.columns[0].column: items.tsv:1: there is no column "
      "'kind'\n"
      "    hint: did you mean 'kinds'?\n"
      "e.yaml:9:40: error: model.user.features.columns[0].column: users.tsv:1: there is no column "
      "'wage'\n";
  EXPECT_THAT(error({"check", path}), HasSubstr(expected));
  EXPECT_THAT(error({"train", path, "--run", shop_.file("run")}), HasSubstr(expected));
  EXPECT_FALSE(std::filesystem::exists(shop_.file("cache"))) << "the data was read";
}

TEST_F(WithTables, ATableThatTheDataDoesNotNameIsAskedFor) {
  EXPECT_EQ(error({"check", experiment(kItemColumns, kUserColumns, false)}),
            "e.yaml:9:40: error: model.user.features.columns[0].column: the data names no table of "
            "users to read columns from\n"
            "    hint: give 'data: {files: {users: {path: ...}}}'\n");
}

TEST_F(WithTables, ATextInAColumnOfNumbersIsRefusedAtItsLine) {
  rows_[3] = "3\tfood\tcheap\n";
  write_items(rows_);
  const auto path = experiment(kItemColumns, kUserColumns);
  EXPECT_THAT(error({"train", path, "--run", shop_.file("run")}),
              HasSubstr("items.tsv:5: error: price: expected a number, got 'cheap'"));
  rows_[3] = "3\tfood\t-1\n";
  write_items(rows_);
  EXPECT_THAT(error({"train", path, "--run", shop_.file("run")}),
              HasSubstr("items.tsv:5: error: price: expected a number of at least 0, got -1"));
}

TEST_F(WithTables, ARunIsLoadedWithTheFeaturesThatItWasTrainedWith) {
  const auto path = experiment(kItemColumns, kUserColumns);
  ASSERT_EQ(reckon({"train", path, "--run", shop_.file("run")}).code, 0);
  const auto before = result("run")["metrics"];
  ASSERT_EQ(reckon({"evaluate", shop_.file("run")}).code, 0);
  EXPECT_EQ(result("run")["metrics"], before);
}

}  // namespace
}  // namespace reckon::features_test
