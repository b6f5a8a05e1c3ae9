// The rows of docs/bad-input.md, each on the commands that a person would type.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/error_text.h"
#include "cli/experiment.h"
#include "cli/loaded_run.h"
#include "core/experiment_tree.h"
#include "core/files.h"
#include "tests/cli/command.h"

namespace reckon::bad_input_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class BadInput : public ::testing::Test {
 protected:
  Said train(const std::string& sections, const std::string& data = "",
             const std::string& run = "run", const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"train", shop_.experiment("e.yaml", sections, data),
                                      "--force", "--run", shop_.file(run)};
    words.insert(words.end(), more.begin(), more.end());
    return reckon(words);
  }
  nlohmann::json result(const std::string& run = "run") const {
    return nlohmann::json::parse(read_file(shop_.file(run + "/test-result.json")));
  }

  Workshop shop_{"bad-input"};
};

TEST_F(BadInput, AnEmptyHistoryGetsPopularityFromTheEvaluatorAndFromTheFile) {
  shop_.write("train.txt", "a x y z\nb x y\nc x z y\n");
  shop_.write("test.txt", "d w\na w\n");
  const std::string files = "  split: {type: files}\n";
  shop_.write(
      "e.yaml",
      "data:\n  directory: '" + shop_.file("") + "'\n  cache: '" + shop_.file("cache") +
          "'\n  files: {interactions: {path: train.txt, format: sequences}, test: {path: test.txt, "
          "format: sequences}}\n" +
          files + kTinySequenceModel + kShortTraining +
          "evaluation: {metrics: [ndcg@3], top_k_lists: 3}\n");
  const auto said = reckon({"train", shop_.file("e.yaml"), "--run", shop_.file("run")});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(
      said.out,
      HasSubstr(
          "1 user has nothing that the model can use (no rows in training, no history) and gets "
          "the items most popular in training"));
  EXPECT_EQ(result()["num_fallback_users"], 1);
  ASSERT_EQ(reckon({"export", shop_.file("run"), "--output", shop_.file("m.pt")}).code, 0);
  const auto answer =
      reckon({"recommend", shop_.file("m.pt"), "--history", "", "-k", "3", "--format", "json"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  std::vector<std::string> served;
  const auto json = nlohmann::json::parse(answer.out);
  for (const auto& item : json["items"]) served.push_back(item["item"]);
  EXPECT_THAT(served, ::testing::ElementsAre("x", "y", "z"));  // 3, 3 and 2 times in training
  std::istringstream lists(read_file(shop_.file("run/test-lists.run")));
  std::vector<std::string> measured;
  for (std::string line; std::getline(lists, line);)
    if (line.rfind("d ", 0) == 0) measured.push_back(line.substr(5, 1));
  EXPECT_EQ(measured, served);
}

TEST_F(BadInput, UsersWithOneItemAreKeptAndThoseWhoTeachNothingCounted) {
  shop_.write("sequences.txt", "a x y z w\nb x\nc y\nd z y x w\n");
  const auto said = train(std::string(kTinySequenceModel) + kShortTraining);
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.err,
              HasSubstr("2 users have one interaction in training and nothing to learn from"));
  const auto of_users = train(std::string(kTinyUserModel) + kShortTraining);
  EXPECT_EQ(of_users.code, 0);
  EXPECT_THAT(of_users.err, Not(HasSubstr("nothing to learn from")))
      << "a pair of user and item is enough here";
}

TEST_F(BadInput, WhereNobodyHasTwoItemsASequenceModelSaysSo) {
  shop_.write("sequences.txt", "a x\nb y\n");
  const auto said =
      train(std::string(kTinySequenceModel) + kShortTraining, "  split: {type: none}\n");
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.err, HasSubstr("no user has two interactions in the training split"));
}

TEST_F(BadInput, ACatalogueOfOneItemRunsThroughEveryPreset) {
  std::string text;
  for (int user = 0; user < 6; ++user)
    text += "u" + std::to_string(user) + " only only only only\n";
  shop_.write("sequences.txt", text);
  for (const auto& name : default_catalog().preset_names()) {
    // What learns ratings, which sequences have not.
    static const std::set<std::string> of_ratings = {
        "mf",          "baseline_only", "svd",          "svd_pp",        "nmf",  "slope_one",
        "knn_ratings", "knn_centred",   "knn_baseline", "co_clustering", "gc_mc"};
    if (of_ratings.contains(name)) continue;
    // What recommends users to users, who are no items here.
    static const std::set<std::string> of_pairs = {"common_neighbours", "adamic_adar", "katz"};
    if (of_pairs.contains(name)) continue;
    static const std::set<std::string> fitted = {"popularity",  "random", "item_knn", "user_knn",
                                                 "ease",        "edlae",  "pure_svd", "gf_cf",
                                                 "slim",        "ials",   "deepwalk", "node2vec",
                                                 "metapath2vec"};
    const bool is_fitted = fitted.contains(name);
    // What learns facts needs one about the one item.
    shop_.write("items.csv", "item,kind\nonly,thing\n");
    shop_.write("friends.csv", "user,friend\nu0,u1\nu1,u2\nu2,u0\n");
    std::vector<std::string> graph;
    if (name == "cke" || name == "kgat" || name == "kgin")
      graph = {"--set", "data.files.items={path: items.csv}", "--set",
               "data.graph={edges: [interactions, {type: attribute, column: kind}]}"};
    else if (name == "diffnet" || name == "mhcn")
      graph = {"--set", "data.files.friends={path: friends.csv}", "--set",
               "data.graph={edges: [interactions, friends]}"};
    const auto said = train(
        "model: {preset: " + name + "}\n" +
            (is_fitted
                 ? "training: {type: fit}\n"
                 : "training: {epochs: 1, batch_size: 4, threads: 1, early_stopping: null}\n") +
            "evaluation: {metrics: [ndcg@10, recall@10], mask_seen: false}\n",
        "", "run", graph);
    ASSERT_EQ(said.code, 0) << name << "\n" << said.err;
    EXPECT_EQ(result()["metrics"]["recall@10"]["mean"], 1.0) << name;
    EXPECT_THAT(said.out, HasSubstr("the catalogue has 1 items: larger cut-offs see all of them"))
        << name;
    const auto exported = reckon({"export", shop_.file("run"), "--output", shop_.file("m.pt")});
    EXPECT_EQ(exported.code, 0) << name << "\n" << exported.err;
  }
}

TEST_F(BadInput, MoreNegativesThanItemsAreDrawnWithRepetition) {
  const auto said = train(
      "model: {family: retrieval, dim: 8, user: {id: {}}, objectives: [{type: bpr, negatives: 100, "
      "sharing: example}]}\n" +
      std::string(kShortTraining) +
      "evaluation: {metrics: [ndcg@5], protocol: sampled, negatives: {count: 1000000}}\n");
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_GT(result()["metrics"]["ndcg@5"]["num_users"], 0);
}

TEST_F(BadInput, ACutOffAboveTheCatalogueSeesAllOfIt) {
  const auto said = train(std::string(kTinySequenceModel) + kShortTraining +
                          "evaluation: {metrics: [recall@500], mask_seen: false}\n");
  EXPECT_EQ(said.code, 0);
  EXPECT_THAT(said.out, HasSubstr("the catalogue has 25 items: larger cut-offs see all of them"));
  EXPECT_EQ(result()["metrics"]["recall@500"]["mean"], 1.0);
}

// One vector for each of the items i0 ... i24, but for those that `change` alters or leaves out.
std::string vectors(const std::function<std::string(int item, const std::string& line)>& change) {
  std::string text;
  for (int item = 0; item < 25; ++item) {
    const auto number = std::to_string(item);
    text += change(item, "i" + number + "\t" + number + "\t0.5\t-1\t2\n");
  }
  return text;
}

std::string with_vectors(bool frozen) {
  return "model: {family: retrieval, dim: 4, item: {id: {pretrained: v.tsv, frozen: " +
         std::string(frozen ? "true" : "false") +
         "}}, user: {history: {max_length: 5, encoder: {type: gru}}}, objectives: [{type: "
         "softmax}]}\n" +
         kShortTraining;
}

TEST_F(BadInput, ANumberThatIsNoneInAFileOfVectorsIsRefusedWithItsLineAndColumn) {
  for (const std::string bad : {"nan", "inf"}) {
    shop_.write("v.tsv", vectors([&](int item, const std::string& line) {
                  return item == 7 ? "i7\t1\t2\t" + bad + "\t4\n" : line;
                }));
    const auto said = train(with_vectors(false));
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err,
                HasSubstr(shop_.file("v.tsv") + ":8: error: column 2 of the vector is " +
                          (bad == "nan" ? "NaN" : "infinite") + ", expected a finite number"));
  }
}

TEST_F(BadInput, VectorsThatAreMissingOrLeftOverAreCounted) {
  shop_.write("v.tsv", vectors([](int item, const std::string& line) {
                         return item < 3 ? "" : line;
                       }) + "stranger\t1\t2\t3\t4\n");
  const auto drawn = train(with_vectors(false));
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_THAT(drawn.err,
              AllOf(HasSubstr("no vector for 3 of 25 ids; those are drawn"),
                    HasSubstr("1 vectors are of ids that the data does not have, and not used")));
  EXPECT_THAT(train(with_vectors(true)).err,
              HasSubstr("no vector for 3 of 25 ids; those stay at zero, as they are frozen"));
}

TEST_F(BadInput, FrozenVectorsAreAfterTrainingWhatTheFileHasAndZeroWhereItHasNone) {
  shop_.write("v.tsv",
              vectors([](int item, const std::string& line) { return item < 3 ? "" : line; }));
  ASSERT_EQ(train(with_vectors(true)).code, 0);
  const auto run = load_run(shop_.file("run"), {}, default_catalog());
  const torch::NoGradGuard no_grad;
  const auto rows = *run.model->item_vectors();  // [I, D]
  for (int item = 0; item < 25; ++item) {
    const auto expected =
        item < 3 ? torch::zeros({4}) : torch::tensor({float(item), 0.5F, -1.0F, 2.0F});
    EXPECT_TRUE(torch::equal(rows[run.dataset.items().find("i" + std::to_string(item))], expected))
        << item;
  }
}

TEST_F(BadInput, AFileOfVectorsForNoneOfTheIdsIsRefused) {
  shop_.write("v.tsv", "1\t1\t2\t3\t4\n2\t1\t2\t3\t4\n");
  const auto said = train(with_vectors(false));
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.err,
              AllOf(HasSubstr(
                        "has no vector for any of the 25 items of the data, only for 2 other ids"),
                    HasSubstr("hint: ids are compared as text; the first of the data is 'i")));
}

TEST(ErrorText, OfMemoryThatThereIsNotIsOneSentenceWithHowMuch) {
  std::string text;
  try {
    torch::empty({int64_t{1} << 50});
  } catch (const std::exception& error) {
    text = error_text(error);
  }
  EXPECT_THAT(text,
              MatchesRegex(
                  "out of memory: 4[0-9.,]* [TP]iB were asked for at once; .*reckon check.*"));
  EXPECT_THAT(text, Not(HasSubstr("\n")));
  EXPECT_THAT(text, Not(HasSubstr("enforce fail")));
  EXPECT_THAT(error_text(std::bad_alloc()), HasSubstr("out of memory; what a step needs"));
  EXPECT_THAT(error_text(
                  std::runtime_error("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has")),
              HasSubstr("out of memory: 20.00 MiB were asked for at once"));
}

TEST(ErrorText, OfEverythingElseIsItsMessageWithoutTheBacktrace) {
  EXPECT_EQ(error_text(std::runtime_error("no luck")), "no luck");
  try {
    TORCH_CHECK(false, "shapes do not fit");
  } catch (const std::exception& error) {
    EXPECT_EQ(error_text(error), "shapes do not fit");
  }
}

}  // namespace
}  // namespace reckon::bad_input_test
