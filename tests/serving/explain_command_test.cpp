#include "serving/explain_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/diagnostics.h"
#include "core/files.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/item_knn.h"
#include "models/user_knn.h"
#include "serving/recommender.h"
#include "tests/export/tiny_model.h"

namespace reckon::explain_command_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Json = nlohmann::json;

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

std::shared_ptr<Model> make_graph_model(const Interactions& train) {
  Catalog catalog;
  add_layers(catalog);
  add_models(catalog);
  const auto slot = read_config<Slot>(
      parse_yaml("model: {family: retrieval, dim: 4, user: {id: {init: {scale: 0.5}}}, item: {id: "
                 "{init: {scale: 0.5}}}, propagation: {type: lightgcn, layers: 2}, objectives: "
                 "[{type: bpr}]}\n",
                 "test.yaml"),
      catalog);
  torch::manual_seed(6);
  return slot.model.build(
      {.num_users = train.num_users, .num_items = train.num_items, .train = &train});
}

struct Answer {
  Json line;
  std::vector<std::string> warnings;
};

// Files of models that are explained by items, by users, by a graph, and by nothing.
class ExplainCommand : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryPath("unused");
    const TinyOptions options;
    const TinyData data(options);
    train_ = new Interactions;
    train_->num_users = options.num_users;
    train_->num_items = options.num_items;
    train_->user_offsets = data.user_offsets;
    train_->items = data.user_items;
    const Model::Deps deps{.num_users = options.num_users, .num_items = options.num_items};
    ItemKnn items({}, deps);
    items.fit(*train_, {});
    items_ = save(items, "items.pt", {});
    UserKnn users({.neighbors = 3}, deps);
    users.fit(*train_, {});
    users_ = save(users, "users.pt", {.include_users = true});
    nameless_ = save(users, "nameless.pt", {});
    const auto graph = make_graph_model(*train_);
    graph_ = save(*graph, "graph.pt", {.include_users = true});
    bare_ = save(*graph, "bare.pt", {});
    TinyModel tiny(options);
    tiny_ = save(tiny, "tiny.pt", {.include_users = true});
  }
  static void TearDownTestSuite() {
    delete folder_;
    delete train_;
  }
  static std::string save(Model& model, const std::string& name, ExportOptions export_options) {
    const TinyData data({});
    const auto path = folder_->folder() + "/" + name;
    export_options.display = std::vector<std::string>{"title"};
    export_model(model, data.inputs(), path, export_options);
    return path;
  }

  static Answer run(ExplainOptions options) {
    options.as_json = true;
    std::ostringstream out;
    Answer answer;
    run_explain(options, out,
                [&](const std::string& warning) { answer.warnings.push_back(warning); });
    answer.line = Json::parse(out.str());
    return answer;
  }
  static std::string table(const ExplainOptions& options) {
    std::ostringstream out;
    run_explain(options, out, [](const std::string&) {});
    return out.str();
  }
  template <class Error>
  static std::string refusal(const ExplainOptions& options) {
    std::ostringstream out;
    try {
      run_explain(options, out, [](const std::string&) {});
    } catch (const Error& e) {
      EXPECT_EQ(out.str(), "");
      return e.what();
    }
    return "accepted";
  }

  static double total(const Json& line) {
    double sum = line["others"].get<double>() + line["rest"].get<double>();
    for (const auto& source : line["sources"]) sum += source["contribution"].get<double>();
    return sum;
  }
  static std::vector<std::string> sources(const Json& line, const char* kind = "item") {
    std::vector<std::string> out;
    for (const auto& source : line["sources"]) out.push_back(source[kind]);
    return out;
  }

  static TemporaryPath* folder_;
  static Interactions* train_;
  static std::string items_, users_, nameless_, graph_, bare_, tiny_;
};
TemporaryPath* ExplainCommand::folder_ = nullptr;
Interactions* ExplainCommand::train_ = nullptr;
std::string ExplainCommand::items_, ExplainCommand::users_, ExplainCommand::nameless_,
    ExplainCommand::graph_, ExplainCommand::bare_, ExplainCommand::tiny_;

TEST_F(ExplainCommand, SharesAddUpToTheScoreThatRecommendGives) {
  const ExportedFile items(items_), users(users_), graph(graph_);
  const auto expect = [](const Json& line, const NamedRanking& ranking) {
    for (size_t i = 0; i < ranking.items[0].size(); ++i) {
      if (ranking.items[0][i] != line["item"].get<std::string>()) continue;
      const auto score = ranking.scores[0][static_cast<int64_t>(i)].item<double>();
      EXPECT_NEAR(total(line), score, 1e-5);
      EXPECT_NEAR(line["score"].get<double>(), score, 1e-5);
      return;
    }
    ADD_FAILURE() << line["item"] << " is not in the list";
  };
  for (const std::string item : {"item-4", "item-7", "item-20"})
    for (const int64_t k : {1, 3, 50}) {
      const auto list = std::string("item-3,item-5,item-6");
      const ExportedFile::Ids ids = {"item-3", "item-5", "item-6"};
      expect(run({.model_path = items_, .history = list, .item = item, .k = k}).line,
             items.recommend({ids}, 23));
      expect(run({.model_path = users_, .history = list, .item = item, .k = k}).line,
             users.recommend({ids}, 23));
      expect(run({.model_path = users_, .user = "user-4", .item = item, .k = k}).line,
             users.recommend_user({"user-4"}, 23));
      expect(run({.model_path = graph_, .history = list, .item = item, .k = k}).line,
             graph.recommend({ids}, 23));
      expect(run({.model_path = graph_, .user = "user-4", .item = item, .k = k}).line,
             graph.recommend_user({"user-4"}, 23));
    }
}

TEST_F(ExplainCommand, NamesTheLargestSharesWithTitles) {
  const auto all = run({.model_path = items_, .history = "item-3,item-5,item-6", .item = "item-4"});
  ASSERT_THAT(all.line["sources"], SizeIs(3));
  for (size_t i = 1; i < 3; ++i)
    EXPECT_GE(std::abs(all.line["sources"][i - 1]["contribution"].get<double>()),
              std::abs(all.line["sources"][i]["contribution"].get<double>()));
  for (const auto& source : all.line["sources"]) {
    const auto id = source["item"].get<std::string>();
    EXPECT_EQ(source["title"], id == "item-3" ? "" : "Title " + id.substr(5));
  }
  EXPECT_EQ(all.line["title"], "Title 4");
  EXPECT_EQ(all.line["by"], "items");
  EXPECT_EQ(all.line["others"], 0.0);
  EXPECT_THAT(all.warnings, IsEmpty());
  const auto one =
      run({.model_path = items_, .history = "item-3,item-5,item-6", .item = "item-4", .k = 1});
  EXPECT_THAT(sources(one.line), ElementsAre(sources(all.line)[0]));
  EXPECT_NEAR(one.line["others"].get<double>(),
              all.line["sources"][1]["contribution"].get<double>() +
                  all.line["sources"][2]["contribution"].get<double>(),
              1e-6);
}

TEST_F(ExplainCommand, NamesUsersWhereTheyCarryTheScore) {
  // Item 12 is of user 6 alone.
  const auto got = run({.model_path = users_, .history = "item-10,item-11", .item = "item-12"});
  EXPECT_EQ(got.line["by"], "users");
  EXPECT_THAT(sources(got.line, "user"), ElementsAre("user-6"));
  EXPECT_FALSE(got.line["sources"][0].contains("title"));
  const auto text = table({.model_path = users_, .history = "item-10,item-11", .item = "item-12"});
  EXPECT_THAT(text,
              AllOf(HasSubstr("item item-12 (Title 12) scores "), HasSubstr("rank  user     share"),
                    HasSubstr("   1  user-6"), HasSubstr("of other users")));
}

TEST_F(ExplainCommand, ExplainsAKnownUserOfAGraphByWhatTrainingHad) {
  // User 3 chose the items 3, 4, 5 and 6.
  const auto got = run({.model_path = graph_, .user = "user-3", .item = "item-9"});
  EXPECT_THAT(sources(got.line),
              ::testing::UnorderedElementsAre("item-3", "item-4", "item-5", "item-6"));
  EXPECT_NE(got.line["rest"], 0.0) << "the vector of the user's own";
  EXPECT_EQ(run({.model_path = graph_, .history = "item-9", .user = "user-3", .item = "item-9"})
                .line["sources"],
            got.line["sources"]);
  const auto fresh = run({.model_path = graph_, .history = "item-3,item-4", .item = "item-9"});
  EXPECT_THAT(sources(fresh.line), ::testing::UnorderedElementsAre("item-3", "item-4"));
  EXPECT_EQ(fresh.line["rest"], 0.0);
}

TEST_F(ExplainCommand, HoldsWhatUsersDidOnlyWhereTheFileMay) {
  const auto message =
      refusal<DataError>({.model_path = bare_, .user = "user-3", .item = "item-9"});
  EXPECT_THAT(message,
              AllOf(HasSubstr(
                        "what users did in training explains them, and it is not in this file"),
                    HasSubstr("--set export.include_users=true")));
  EXPECT_THAT(sources(run({.model_path = bare_, .history = "item-3", .item = "item-9"}).line),
              ElementsAre("item-3"));
  const ExportedFile bare(bare_), full(graph_);
  EXPECT_LT(bare.description().weight_bytes, full.description().weight_bytes);
  const auto one = [](int64_t id) { return torch::full({1}, id, torch::kLong); };
  EXPECT_THROW(bare.contributions(one(3), one(1).unsqueeze(0), one(9)), DataError);
}

TEST_F(ExplainCommand, PrintsATableAndWhatIsBesideIt) {
  const auto text = table({.model_path = graph_, .user = "user-3", .item = "item-9", .k = 2});
  EXPECT_THAT(text,
              AllOf(HasSubstr("item item-9 (Title 9) scores "),
                    HasSubstr(", of which\nrank  item    title"), HasSubstr("\n   1  item-"),
                    HasSubstr("\n   2  item-"), Not(HasSubstr("\n   3  ")), HasSubstr("\nand "),
                    HasSubstr(" of other items, "), HasSubstr(" of the rest\n")));
}

TEST_F(ExplainCommand, SaysWhenNothingCarriesAnItem) {
  const ExplainOptions options{.model_path = items_, .history = "item-1", .item = "item-22"};
  const auto got = run(options);
  EXPECT_THAT(got.line["sources"], IsEmpty());
  EXPECT_EQ(got.line["score"], 0.0);
  EXPECT_EQ(table(options),
            "nothing has a share in the score of item item-22 (Title 22), 0.0000\n");
}

TEST_F(ExplainCommand, SaysWhatItDoesNotKnow) {
  const ExplainOptions unknown_item{.model_path = items_, .history = "item-1,nope", .item = "what"};
  const auto nothing = run(unknown_item);
  EXPECT_THAT(nothing.warnings, ElementsAre("the model does not know item what",
                                            "the model does not know nope; it is ignored"));
  EXPECT_THAT(nothing.line["sources"], IsEmpty());
  EXPECT_FALSE(nothing.line.contains("score"));
  EXPECT_EQ(nothing.line["unknown"], Json({"nope"}));
  EXPECT_EQ(table(unknown_item), "nothing is known of item what\n");

  const ExplainOptions nobody{.model_path = graph_, .user = "nobody", .item = "item-3"};
  const auto fallback = run(nobody);
  EXPECT_THAT(fallback.warnings,
              ElementsAre("the model does not know user nobody",
                          "nothing usable is left of the request; it gets the items most popular "
                          "in training"));
  EXPECT_EQ(fallback.line["score"], 3.0);  // how often training has it
  EXPECT_EQ(fallback.line["rest"], 3.0);
  EXPECT_EQ(fallback.line["fallback"], "the items most popular in training");
  EXPECT_THAT(table(nobody), HasSubstr("nothing of the request has a share in that\n"));
  EXPECT_THAT(run({.model_path = items_, .history = "", .item = "item-3"}).warnings, SizeIs(1));
}

TEST_F(ExplainCommand, RefusesFilesThatExplainNothing) {
  const auto tiny =
      refusal<DataError>({.model_path = tiny_, .history = "item-1", .item = "item-2"});
  EXPECT_THAT(tiny, HasSubstr("tiny.pt: error: this model explains nothing: its scores are no sums "
                              "over items or users"));
  const auto nameless =
      refusal<DataError>({.model_path = nameless_, .history = "item-1", .item = "item-2"});
  EXPECT_THAT(nameless, AllOf(HasSubstr("users of the training data, whom this file does not name"),
                              HasSubstr("--set export.include_users=true")));
  EXPECT_THAT(refusal<DataError>({.model_path = items_, .user = "user-3", .item = "item-2"}),
              HasSubstr("this file holds no users"));
  const ExportedFile file(tiny_);
  EXPECT_THAT(file.description().method("explain")->refusal,
              HasSubstr("no sums over items or users"));
  EXPECT_THROW(file.explain({{"item-1"}}, {"item-2"}), DataError);
}

TEST_F(ExplainCommand, RefusesOptionsThatSayTooLittle) {
  EXPECT_THAT(refusal<ConfigError>({.model_path = items_, .item = "item-2"}),
              HasSubstr("neither --user nor --history given"));
  EXPECT_THAT(refusal<ConfigError>({.model_path = items_, .history = "item-1", .item = ""}),
              HasSubstr("--item: is empty"));
  EXPECT_THAT(refusal<ConfigError>(
                  {.model_path = items_, .history = "item-1", .item = "item-2", .k = 0}),
              HasSubstr("-k: must be at least 1, got 0"));
  EXPECT_THAT(refusal<DataError>({.model_path = folder_->folder() + "/none.pt",
                                  .history = "item-1",
                                  .item = "item-2"}),
              HasSubstr("none.pt: error: cannot be read"));
}

TEST_F(ExplainCommand, OfTheFileChecksItsArguments) {
  const ExportedFile file(items_);
  const auto message_of = [](const std::function<void()>& call) {
    try {
      call();
    } catch (const DataError& e) {
      return std::string(e.what());
    }
    return std::string("no DataError");
  };
  EXPECT_THAT(message_of([&] { file.explain({{"item-1"}}, {"item-2"}, 0); }),
              HasSubstr("k must be at least 1, got 0"));
  EXPECT_THAT(message_of([&] { file.explain({{"item-1"}, {}}, {"item-2"}); }),
              HasSubstr("items must have one id for each of the 2 requests, got 1"));
  EXPECT_THAT(file.explain({}, {}).sources, IsEmpty());
  const auto rows =
      file.explain({{"item-5", "item-6"}, {}, {"nope", "item-5"}}, {"item-4", "item-3", "nope"});
  EXPECT_THAT(rows.sources[0], ::testing::UnorderedElementsAre("item-5", "item-6"));
  EXPECT_THAT(rows.sources[1], IsEmpty());
  EXPECT_THAT(rows.sources[2], IsEmpty());
  EXPECT_EQ(rows.rest[1].item<float>(), 3.0F) << "the fallback";
  EXPECT_TRUE(rows.rest.isnan()[2].item<bool>());
}

}  // namespace
}  // namespace reckon::explain_command_test
