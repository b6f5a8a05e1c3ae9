#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "cli/default_catalog.h"
#include "cli/experiment.h"
#include "cli/model_summary.h"
#include "cli/reference.h"
#include "core/describe.h"
#include "core/experiment_tree.h"
#include "core/files.h"
#include "tests/core/bad_files.h"
#include "tests/core/schema_cases.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;
const std::string kSource = RECKON_SOURCE_DIR;

std::vector<std::string> configs() {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(kSource + "/configs"))
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

Experiment read(const std::string& path, const Catalog& catalog) {
  return read_experiment(experiment_tree({path, {}, ""}, catalog), catalog);
}

TEST(Configs, EachReadsAndItsModelBuilds) {
  const auto catalog = default_catalog();
  ASSERT_GE(configs().size(), 10U);
  for (const auto& path : configs()) {
    try {
      const auto experiment = read(path, catalog);
      EXPECT_NE(summarize_model(experiment.model, DataSizes{100, 200}), "");
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST(Configs, ParsingWhatWasEmittedGivesTheSame) {
  const auto catalog = default_catalog();
  for (const auto& path : configs()) {
    const auto resolved = emit_config(read(path, catalog), catalog);
    const auto again = parse_yaml(emit_yaml(resolved), "resolved.yaml");
    EXPECT_EQ(emit_yaml(again), emit_yaml(resolved)) << path;
    EXPECT_EQ(emit_yaml(emit_config(read_experiment(again, catalog), catalog)), emit_yaml(resolved)) << path;
  }
}

TEST(Presets, EachBuildsFromItsOwnFileAlone) {
  const auto catalog = default_catalog();
  for (const auto& name : catalog.preset_names()) {
    const auto tree = assemble_experiment(
        parse_yaml("data: {files: {interactions: {path: x.tsv}}}\nmodel: {preset: " + name + "}\n", "p.yaml"),
        {}, catalog);
    EXPECT_NO_THROW(summarize_model(read_experiment(tree, catalog).model, std::nullopt)) << name;
  }
}

class Mistakes : public ::testing::TestWithParam<const char*> {};

TEST_P(Mistakes, EachIsReportedAtItsPlaceAndOnlyThere) {
  const auto catalog = default_catalog();
  const auto resolved = emit_config(read(kSource + "/configs/" + GetParam(), catalog), catalog);
  const auto cases = schema_cases(Schema<Experiment>::instance(), resolved, catalog);
  EXPECT_GT(cases.size(), 100U);
  for (const auto& one : cases) {
    const auto text = reading_problems<Experiment>(one.tree, catalog);
    EXPECT_NE(text.find(one.expected), std::string::npos) << one.title << "\n" << text;
    EXPECT_EQ(text.rfind(one.path, 0), 0U) << one.title << "\n" << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Configs, Mistakes,
                         ::testing::Values("mf/ml-100k.yaml", "esasrec/ml-100k.yaml", "gru4rec/ml-100k.yaml"));

TEST(BadExperiments, GiveExactlyTheMessageBesideThem) {
  const auto catalog = default_catalog();
  const auto files = bad_files(kSource + "/tests/data/bad/experiment");
  EXPECT_GE(files.size(), 40U);
  for (const auto& file : files) {
    EXPECT_EQ(message_of(file,
                         [&](const std::string& path) {
                           const auto experiment = read(path, catalog);
                           summarize_model(experiment.model, std::nullopt);
                         }),
              file.expected)
        << file.name;
  }
}

TEST(Reference, DocsAreCurrent) {
  EXPECT_TRUE(read_file(kSource + "/docs/reference.md") == reference_text(default_catalog()))
      << "run: reckon describe --markdown > docs/reference.md";
}

}  // namespace
}  // namespace reckon
