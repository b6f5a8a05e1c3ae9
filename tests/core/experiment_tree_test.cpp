#include "core/experiment_tree.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files.h"
#include "tests/core/toy.h"

namespace reckon::experiment_tree_test {
namespace {

Catalog with_presets() {
  auto catalog = toy::catalog();
  catalog.add_preset("base",
                     "# Two towers.\n"
                     "model:\n  family: two_tower\n  dim: 64\n"
                     "  user: {history: {encoder: {type: transformer, num_heads: 4}}}\n"
                     "  objectives: [softmax]\n"
                     "training: {lr: 1e-3, name: base}\n");
  catalog.add_preset("wide", "model: {preset: base, dim: 128}\ntraining: {name: wide}\n");
  catalog.add_preset("loop_a", "model: {preset: loop_b}\n");
  catalog.add_preset("loop_b", "model: {preset: loop_a}\n");
  catalog.add_preset("bad", "model: {family: popularity}\noutput: x\n");
  return catalog;
}

std::string assembled(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return emit_flow(assemble_experiment(parse_yaml(text, "t.yaml"), overrides, with_presets()));
}

std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    assembled(text, overrides);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(AssembleExperiment, LaysTheFileOverItsPreset) {
  EXPECT_EQ(assembled("{model: {preset: base, dim: 32}, training: {lr: 5e-4}}"),
            "{model: {family: two_tower, dim: 32, user: {history: {encoder: {type: transformer, "
            "num_heads: 4}}}, objectives: [softmax]}, training: {lr: 5e-4, name: base}}");
}

TEST(AssembleExperiment, PresetsBuildOnPresets) {
  const auto tree =
      assemble_experiment(parse_yaml("model: {preset: wide}", "t"), {}, with_presets());
  EXPECT_EQ(tree.at_path("model.dim")->scalar_text(), "128");
  EXPECT_EQ(tree.at_path("model.dim")->location().file, "<preset wide>");
  EXPECT_EQ(tree.at_path("training.name")->scalar_text(), "wide");
  EXPECT_EQ(tree.at_path("training.lr")->location(), (SourceLocation{"<preset base>", 7, 16}));
  EXPECT_EQ(tree.at_path("model.preset"), nullptr);
}

TEST(AssembleExperiment, AnotherComponentReplacesThePresetsWhole) {
  const auto tree = assemble_experiment(
      parse_yaml("model: {preset: base, user: {history: {encoder: {type: gru}}}}", "t"), {},
      with_presets());
  EXPECT_EQ(emit_flow(*tree.at_path("model.user.history.encoder")), "{type: gru}");
}

TEST(AssembleExperiment, OverridesComeLastAndMayChooseThePreset) {
  const auto tree = assemble_experiment(parse_yaml("model: {preset: base}", "t"),
                                        {"model.objectives[0]={type: pairwise, negatives: 5}",
                                         "model.preset=wide", "model.dim=8"},
                                        with_presets());
  EXPECT_EQ(tree.at_path("model.dim")->scalar_text(), "8");
  EXPECT_EQ(tree.at_path("model.dim")->location().file, kCommandLineOrigin);
  EXPECT_EQ(tree.at_path("training.name")->scalar_text(), "wide");
  EXPECT_EQ(tree.at_path("model.objectives[0].negatives")->scalar_text(), "5");
}

TEST(AssembleExperiment, ABareModelIsAFamily) {
  EXPECT_EQ(assembled("model: popularity"), "{model: {family: popularity}}");
}

TEST(AssembleExperiment, FindsPresetFilesBesideTheFileThatNamesThem) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "experiment_tree_test";
  std::filesystem::create_directories(folder / "sub");
  write_file_atomic((folder / "sub/mine.yaml").string(), "model: {preset: ../more.yaml, dim: 5}\n");
  write_file_atomic((folder / "more.yaml").string(),
                    "model: {preset: base}\ntraining: {name: more}\n");
  write_file_atomic((folder / "run.yaml").string(), "model: {preset: ./sub/mine.yaml}\n");
  const auto tree =
      assemble_experiment(load_yaml((folder / "run.yaml").string()), {}, with_presets());
  EXPECT_EQ(tree.at_path("model.dim")->scalar_text(), "5");
  EXPECT_EQ(tree.at_path("training.name")->scalar_text(), "more");
  EXPECT_EQ(tree.at_path("model.family")->location().file, "<preset base>");
  std::filesystem::remove_all(folder);
}

TEST(AssembleExperiment, ExplainsWhatIsWrongWithAPreset) {
  EXPECT_EQ(error_of("model: {preset: bsae}"),
            "t.yaml:1:17: error: model.preset: no preset is called 'bsae'\n    hint: did you mean "
            "'base'?");
  EXPECT_NE(error_of("model: {preset: zzzzzz}").find("known: base, wide"), std::string::npos);
  EXPECT_NE(error_of("model: {preset: loop_a}").find("loop_a -> loop_b -> loop_a"),
            std::string::npos);
  EXPECT_EQ(error_of("model: {preset: bad}"),
            "<preset bad>:2:1: error: output: a preset may hold model, training, data, evaluation");
  EXPECT_NE(error_of("model: {preset: ./none.yaml}").find("No such file"), std::string::npos);
  EXPECT_NE(error_of("model: {preset: [base]}").find("expected the name of a preset"),
            std::string::npos);
  EXPECT_EQ(
      error_of("model: {preset: base, family: popularity}"),
      "t.yaml:1:23: error: model.family: stands beside `preset`, which has a family of its own\n"
      "    hint: leave one of them out");
  EXPECT_NE(error_of("- 1").find("an experiment is a mapping, got a list"), std::string::npos);
}

TEST(AssembleExperiment, ReportsEveryOverrideThatDoesNotFit) {
  const auto text = error_of("model: {preset: base}", {"model.objectives[7].weight=1", "seeds"});
  EXPECT_NE(text.find("model.objectives[7]: the list has 1 entries"), std::string::npos);
  EXPECT_NE(text.find("'seeds' is no assignment"), std::string::npos);
}

TEST(AssembleExperiment, ReportsAnUnknownPresetTogetherWithBrokenOverrides) {
  for (const auto& [file, overrides] :
       {std::pair{"model: {dim: 1}", std::vector<std::string>{"model.preset=bsae", "a", "b..c=1"}},
        {"model: {preset: bsae}", {"a", "b..c=1"}}}) {
    const auto text = error_of(file, overrides);
    EXPECT_NE(text.find("no preset is called 'bsae'"), std::string::npos) << text;
    EXPECT_NE(text.find("'a' is no assignment"), std::string::npos) << text;
    EXPECT_NE(text.find("'b..c' is no path"), std::string::npos) << text;
  }
  // What only fits a preset that is not there is nobody's mistake.
  EXPECT_EQ(error_of("model: {preset: bsae}", {"model.objectives[0].weight=2"}).find("objectives"),
            std::string::npos);
}

TEST(AssembleExperiment, BoundsHowDeepPresetsBuildOnEachOther) {
  auto catalog = toy::catalog();
  for (int i = 0; i < 6; ++i)
    catalog.add_preset("p" + std::to_string(i),
                       "model: {preset: p" + std::to_string(i + 1) + "}\n");
  EXPECT_THROW(assemble_experiment(parse_yaml("model: {preset: p0}", "t"), {}, catalog),
               ConfigError);
}

}  // namespace
}  // namespace reckon::experiment_tree_test
