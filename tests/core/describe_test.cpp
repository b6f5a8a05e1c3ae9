#include "core/describe.h"

#include <gtest/gtest.h>

#include "core/experiment_tree.h"
#include "tests/core/toy.h"

namespace reckon::describe_test {
namespace {

TEST(Describe, ShowsTypeDefaultLimitsAndMeaningOfEachKey) {
  EXPECT_EQ(describe("transformer", toy::catalog()),
            "encoder 'transformer': Attention.\n"
            "  hidden  (integer, default 64, must be positive)\n"
            "      Width of the inside.\n"
            "  num_heads  (integer, default 2, must be at least 1)\n"
            "      Attention heads.\n"
            "  dropout  (number, default 0.2, must be at least 0 and less than 1)\n"
            "      Drop probability.\n"
            "  activation  (relu | gelu, default gelu)\n"
            "      The bend.\n"
            "  rule: num_heads must divide hidden\n");
}

TEST(Describe, FollowsNestedMappingsAndCommonKeys) {
  const auto text = describe("two_tower", toy::catalog());
  EXPECT_NE(text.find("    history  (mapping or null)"), std::string::npos) << text;
  EXPECT_NE(text.find("      encoder  (encoder, required)"), std::string::npos) << text;
  EXPECT_NE(text.find("  objectives  (list of losses, required, must be non-empty)"),
            std::string::npos)
      << text;
  EXPECT_NE(describe("pairwise", toy::catalog()).find("weight  (number, default 1"),
            std::string::npos);
}

TEST(Describe, ShowsKindsAndPresets) {
  auto catalog = toy::catalog();
  catalog.add_preset("p", "# What it is.\nmodel: {family: popularity}\n");
  EXPECT_NE(describe("encoder", catalog).find("  gru          Recurrence.\n"), std::string::npos);
  EXPECT_NE(describe("p", catalog).find("model: {preset: p}"), std::string::npos);
  EXPECT_NE(describe_catalog(catalog).find("  p  What it is.\n"), std::string::npos);
}

TEST(Describe, SuggestsTheNearestName) {
  try {
    describe("tranformer", toy::catalog());
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "error: nothing is called 'tranformer'\n    hint: did you mean 'transformer'?");
  }
}

TEST(Reference, HoldsEveryKeyOfEverySchema) {
  const auto catalog = toy::catalog();
  const auto text =
      reference_markdown({{"experiment", "", &Schema<toy::Experiment>::instance()}}, catalog);
  for (const auto* part :
       {"| `data.files.<name>.path` | text | required | non-empty | Where it is. |",
        "| `training.clip` | number or null | `null` | positive | Largest gradient. |",
        "| `activation` | relu \\| gelu | `gelu` |  | The bend. |", "### encoder `transformer`",
        "Every loss takes:", "- `num_heads`: must divide hidden",
        "| `model` | [model](#kind-model) | required |  | What is learnt. |"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(DescribeResolved, NamesTheOriginOfEveryValue) {
  auto catalog = toy::catalog();
  catalog.add_preset(
      "base",
      "model:\n  family: two_tower\n  user: {id: {}}\n  objectives: [softmax]\n  scorer: gru\n");
  const auto tree = assemble_experiment(
      parse_yaml("data: {files: {a: {path: x}}}\nmodel:\n  preset: base\n  dim: 8\n", "t.yaml"),
      {"training.lr=0.5"}, catalog);
  const auto resolved = emit_config(read_config<toy::Experiment>(tree, catalog), catalog);
  const auto text = describe_resolved(with_origins(resolved, tree));
  EXPECT_TRUE(parse_yaml(text, "x") == resolved) << text;
  const auto line_of = [&](const std::string& key) {
    const auto begin = text.find(key);
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  EXPECT_TRUE(line_of("dim: 8").ends_with("# t.yaml:4")) << text;
  EXPECT_TRUE(line_of("family: two_tower").ends_with("# <preset base>:2")) << text;
  EXPECT_TRUE(line_of("type: gru").ends_with("# <preset base>:5")) << text;
  EXPECT_TRUE(line_of("type: softmax").ends_with("# <preset base>:4")) << text;
  EXPECT_TRUE(line_of("num_layers: 1").ends_with("# default")) << text;
  EXPECT_TRUE(line_of("lr: 0.5").ends_with("# command line")) << text;
  EXPECT_TRUE(line_of("history: null").ends_with("# default")) << text;
}

TEST(WalkSchema, VisitsKeysOfChosenComponents) {
  const auto catalog = toy::catalog();
  const auto resolved =
      emit_config(read_config<toy::Experiment>(parse_yaml(toy::kExperiment, "t"), catalog),
                  catalog);
  std::vector<std::string> paths;
  walk_schema(Schema<toy::Experiment>::instance(), resolved, catalog,
              [&](const std::string& path, const SchemaBase::Field&, const ConfigNode&) {
                paths.push_back(path);
              });
  for (const auto* path : {"data.files.interactions.path", "model.user.history.encoder.num_heads",
                           "model.objectives[1].negatives", "model.objectives[0].weight",
                           "model.scorer.num_layers", "training.betas"})
    EXPECT_NE(std::find(paths.begin(), paths.end(), path), paths.end()) << path;
}

}  // namespace
}  // namespace reckon::describe_test
