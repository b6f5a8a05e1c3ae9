// What cannot work is said before anything runs, by `check` and by `train` alike, each with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/cli/command.h"

namespace reckon::check_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Impossible : public ::testing::Test {
 protected:
  // Both commands refuse the experiment with the same message; returns it without the folder's name.
  std::string message(const std::string& sections, const std::string& data = "") {
    const auto path = shop_.experiment("e.yaml", sections, data);
    const auto check = reckon({"check", path});
    const auto train = reckon({"train", path, "--run", shop_.file("run")});
    EXPECT_EQ(check.code, 1) << check.out;
    EXPECT_EQ(train.code, 1) << train.out;
    EXPECT_EQ(check.err, train.err);
    EXPECT_THAT(check.out, Not(HasSubstr("ok")));
    EXPECT_FALSE(std::filesystem::exists(shop_.file("run"))) << "a run was begun";
    EXPECT_FALSE(std::filesystem::exists(shop_.file("cache"))) << "the data was read";
    auto text = check.err;
    for (auto at = text.find(path); at != std::string::npos; at = text.find(path))
      text.replace(at, path.size(), "e.yaml");
    return text;
  }

  Workshop shop_{"check"};
};

TEST_F(Impossible, AProcedureThatTheModelCannotLearnBy) {
  EXPECT_EQ(message(std::string(kTinySequenceModel) + "training: {type: fit}\n"),
            "e.yaml:6:18: error: training.type: model `retrieval` has no closed form\n"
            "    hint: use training.type: supervised\n");
  EXPECT_EQ(message("model: {preset: popularity}\ntraining: {type: supervised}\n"),
            "e.yaml:6:18: error: training.type: model `popularity` has no loss to minimise\n"
            "    hint: use training.type: fit\n");
}

TEST_F(Impossible, ADeviceThatNobodyKnows) {
  EXPECT_EQ(message(std::string(kTinySequenceModel) +
                    "training: {type: supervised, device: banana}\n"),
            "e.yaml:6:38: error: training.device: 'banana' is no device\n"
            "    hint: known: cpu, cuda, cuda:0, ...\n");
}

TEST_F(Impossible, AnOptimiserGroupOfParametersThatThereAreNot) {
  EXPECT_THAT(
      message(std::string(kTinySequenceModel) + "training: {type: supervised, optimizer: {groups: "
                                                "[{parameters: [items.*, decoder.*]}]}}\n"),
      HasSubstr(
          "e.yaml:6:74: error: training.optimizer.groups[0].parameters[1]: no trained parameter is "
          "called 'decoder.*'\n    hint: there are: items.weight, "));
}

TEST_F(Impossible, EarlyStoppingWithoutAValidationPart) {
  const std::string training = "training: {type: supervised, early_stopping: {patience: 3}}\n";
  const std::string expected =
      "error: training.early_stopping: the data has no validation split to look at\n"
      "    hint: give data.split one, or set training.early_stopping: null\n";
  for (const std::string split :
       {"{type: none}", "{type: ratio, validation: 0}", "{type: time, test_from: '5'}"})
    EXPECT_EQ(message(kTinySequenceModel + training, "  split: " + split + "\n"),
              "e.yaml:7:30: " + expected)
        << split;
}

TEST_F(Impossible, FactsWhereTheDataDeclaresNone) {
  const std::string model =
      "model: {family: retrieval, dim: 8, user: {id: {}}, objectives: [{type: bpr}, {type: "
      "triples}]}\n";
  const std::string expected =
      "error: model.objectives[1]: learns triples, and the data declares none\n"
      "    hint: name what says something of items in data.graph: edges of type triples, or of an "
      "attribute of items\n";
  EXPECT_EQ(message(model), "e.yaml:5:78: " + expected);
  EXPECT_EQ(message(model, "  graph: {edges: [interactions]}\n"), "e.yaml:6:78: " + expected);
}

TEST_F(Impossible, AFileOfVectorsThatIsNotThere) {
  EXPECT_THAT(message("model: {preset: mf, item: {id: {pretrained: vectors.tsv}}, user: {id: "
                      "{pretrained: also.npy}}}\n"),
              AllOf(HasSubstr("e.yaml:5:45: error: model.item.id.pretrained: there is no file '" +
                              shop_.file("vectors.tsv") + "'"),
                    HasSubstr("error: model.user.id.pretrained: there is no file")));
}

TEST_F(Impossible, DiversityOfAModelWithoutVectors) {
  EXPECT_THAT(message("model: {preset: random}\nevaluation: {metrics: [ndcg@5, diversity@5]}\n"),
              HasSubstr("e.yaml:6:32: error: evaluation.metrics[1]: diversity compares item "
                        "vectors, and this model "
                        "has none"));
}

TEST_F(Impossible, AllAtOnce) {
  const auto text = message(std::string(kTinySequenceModel) +
                                "training: {type: supervised, device: banana, early_stopping: "
                                "{patience: 1}, optimizer: {groups: "
                                "[{parameters: [x]}]}}\n",
                            "  split: {type: none}\n");
  EXPECT_THAT(text, AllOf(HasSubstr("training.device"), HasSubstr("training.early_stopping"),
                          HasSubstr("training.optimizer.groups[0].parameters[0]")));
}

TEST_F(Impossible, NumbersThatNobodyMeans) {
  for (const std::string training :
       {"epochs: 1000000000000000000", "batch_size: 1000000000000000000",
        "accumulate: 1000000000000"})
    EXPECT_THAT(message(std::string(kTinySequenceModel) + "training: {type: supervised, " +
                        training + "}\n"),
                HasSubstr("must be at most 1"))
        << training;
  EXPECT_THAT(message("model: {preset: mf, dim: 1000000000}\n"),
              HasSubstr("model.dim: must be at most 65536"));
}

TEST(Check, WhatTheDataAloneShowsIsSaidBeforeTheRunBegins) {
  // The option asks for validation rows, and users are too short to give any.
  Workshop shop("check-data");
  shop.write("sequences.txt", "a x y\nb y x\nc x y\n");
  const auto path =
      shop.experiment("e.yaml",
                      std::string(kTinySequenceModel) +
                          "training: {type: supervised, early_stopping: {patience: 3}}\n");
  EXPECT_EQ(reckon({"check", path}).code, 0);
  const auto train = reckon({"train", path, "--run", shop.file("run")});
  EXPECT_EQ(train.code, 1);
  EXPECT_THAT(train.err, HasSubstr("training.early_stopping: the data has no validation split"));
  EXPECT_FALSE(std::filesystem::exists(shop.file("run")));
}

// What the file of triples names is not known before it is read.
TEST(Check, ARelationThatTheDataWillHaveIsTakenAndAnotherIsNot) {
  Workshop shop("check-relations");
  shop.write("kg.tsv", "head\trelation\ttail\nx\tmade_by\tsomebody\n");
  const auto model = [](const std::string& relation) {
    return "model: {family: retrieval, dim: 8, user: {id: {}}, propagation: {type: r_gcn, "
           "relations: [" +
           relation + "]}, objectives: [bpr]}\n";
  };
  const auto check = [&](const std::string& relation, const std::vector<std::string>& sets) {
    std::vector<std::string> arguments = {"check", shop.experiment("e.yaml", model(relation))};
    for (const auto& set : sets) arguments.insert(arguments.end(), {"--set", set});
    return reckon(arguments);
  };
  const std::vector<std::string> triples = {"data.files.triples={path: kg.tsv}",
                                            "data.graph={edges: [interactions, {type: triples}]}"};
  for (const auto& said : {check("interactions", {}), check("made_by", triples)})
    EXPECT_EQ(said.code, 0) << said.err;
  const auto named = [&](const std::string& name) {
    return std::vector{triples[0],
                       "data.graph={edges: [interactions, {type: triples, relations: [" + name +
                           "]}]}"};
  };
  EXPECT_EQ(check("made_by", named("made_by")).code, 0);
  for (const auto& said : {check("made_by", {}), check("made_by", named("sold_by"))})
    EXPECT_THAT(said.err, HasSubstr("the graph has no relation 'made_by'"));
}

TEST(Check, OfInteractionsThatCannotBeReadNoColumnIsMissed) {
  Workshop shop("check-empty");
  shop.write("sequences.txt", "");
  const auto said = reckon({"check", shop.experiment("e.yaml", "model: {preset: bpr_mf}\n",
                                                     "  graph: {edges: [{type: interactions, "
                                                     "weights: rating}]}\n")});
  EXPECT_THAT(said.err, AllOf(HasSubstr("empty"), Not(HasSubstr("needs a rating column"))));
}

}  // namespace
}  // namespace reckon::check_test
