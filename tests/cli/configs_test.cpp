#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "cli/contract_table.h"
#include "cli/default_catalog.h"
#include "cli/experiment.h"
#include "cli/model_summary.h"
#include "cli/reference.h"
#include "core/describe.h"
#include "core/experiment_tree.h"
#include "core/files.h"
#include "tests/cli/command.h"
#include "tests/core/bad_files.h"
#include "tests/core/schema_cases.h"

namespace reckon::configs_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::string kSource = RECKON_SOURCE_DIR;
const std::string kBad = kSource + "/tests/data/bad/experiment";
const std::string kOnlyInFormats = "says nothing in this format, only in: ";

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
    EXPECT_EQ(emit_yaml(emit_config(read_experiment(again, catalog), catalog)), emit_yaml(resolved))
        << path;
  }
}

TEST(Presets, EachBuildsFromItsOwnFileAlone) {
  const auto catalog = default_catalog();
  for (const auto& name : catalog.preset_names()) {
    const auto tree = assemble_experiment(
        parse_yaml("data: {files: {interactions: {path: x.tsv}}}\nmodel: {preset: " + name + "}\n",
                   "p.yaml"),
        {}, catalog);
    EXPECT_NO_THROW(summarize_model(read_experiment(tree, catalog).model, std::nullopt)) << name;
  }
}

// Together they hold every optional part: a split of files goes with files of validation and test, any
// other without.
constexpr std::array kWhole = {R"(
data:
  files: {interactions: {path: a.csv}, validation: {path: b.csv}, test: {path: c.csv}, items: {path: d.csv}, users: {path: e.csv}, triples: {path: f.csv}, links: {path: g.csv}, friends: {path: h.csv}}
  cleaning: {filters: [{column: price, at_least: 3}]}
  split: files
  graph: {edges: [interactions, triples, friends, {type: attribute, column: genre}]}
model:
  family: retrieval
  item:
    features:
      columns:
        - {column: genre, type: categories, min_count: 1, separator: ",", max_values: 3}
        - {column: price, type: number, transform: buckets, num_buckets: 5}
      fusion: concat
      hidden_units: [8]
  user: {id: {}, history: {encoder: transformer}, features: {columns: [{column: age, type: category}]}}
  objectives: [bce]
training: {type: supervised, early_stopping: {}, optimizer: {type: adam, groups: [{parameters: ["*"]}]}}
evaluation: {protocol: sampled, negatives: {}, categories: {column: genres}, reranking: mmr}
tune: {search: halving, trials: 2, min_epochs: 1, reduction: 2, parameters: {model.dim: [16, 32]}}
)",
                               R"(
data:
  files: {interactions: {path: a.csv}}
  split: leave_one_out
model: {family: retrieval, user: {id: {}, history: {encoder: gru}}, objectives: [bce, triples]}
training: {type: supervised, early_stopping: {}, optimizer: {type: adam, groups: [{parameters: ["*"]}]}}
)"};

// What a component cannot do without, by its kind and name.
const std::map<std::string, std::string> kRequired = {
    {"model retrieval", "{user: {history: {encoder: gru}}, objectives: [bpr]}"},
    {"split time", "{test_from: 10}"},
    {"model recvae", "{alternate: {}}"},
    {"model gc_mc",
     "{item: {features: {columns: [{column: genre, type: categories}]}}, "
     "user: {features: {columns: [{column: age, type: category}]}}}"},
    {"edges attribute", "{column: genre}"},
};

const SchemaBase& schema() { return Schema<Experiment>::instance(); }

// Trees without a mistake in which, taken together, every component of every kind stands in a slot, each
// with the path of the part that is new in it.
std::vector<std::pair<std::string, ConfigNode>> right_trees(const Catalog& catalog) {
  const auto resolved = [&](const ConfigNode& tree) {
    return emit_config(read_config<Experiment>(tree, catalog), catalog);
  };
  std::vector<std::pair<std::string, ConfigNode>> trees;
  for (const auto* text : kWhole) {
    const auto whole = resolved(parse_yaml(text, "whole.yaml"));
    trees.emplace_back("", whole);
    for (const auto& variant : slot_variants(schema(), whole, catalog, kRequired))
      if (reading_problems<Experiment>(variant.tree, catalog).empty())
        trees.emplace_back(variant.path, resolved(variant.tree));
  }
  return trees;
}

TEST(Mistakes, AreTriedWithEveryKeyAndEveryComponentThatThereIs) {
  const auto catalog = default_catalog();
  std::set<SchemaField> tried;
  std::set<std::string> components;
  for (const auto& [path, tree] : right_trees(catalog)) {
    tried.merge(fields_of(schema(), tree, catalog));
    const auto* slot = path.empty() ? nullptr : tree.at_path(path);
    // Edges differ in what files they need, so they stand side by side in a whole tree.
    if (const auto* edges = path.empty() ? tree.at_path("data.graph.edges") : nullptr)
      for (const auto& edge : edges->items()) components.insert(edge.find("type")->scalar_text());
    for (const auto* selector : {"type", "family"})
      if (const auto* name = slot ? slot->find(selector) : nullptr)
        components.insert(name->scalar_text());
  }
  for (const auto* part : reachable_schemas(schema(), catalog))
    for (const auto& field : part->fields())
      EXPECT_TRUE(tried.contains(&field)) << "'" << field.doc.name << "' (" << field.doc.doc << ")";
  for (const auto* registry : catalog.kinds())
    for (const auto& name : registry->names())
      EXPECT_TRUE(components.contains(name)) << registry->kind() << " " << name;
}

TEST(Mistakes, AreEachReportedAtTheirPlaceAndOnlyThere) {
  const auto catalog = default_catalog();
  size_t num_cases = 0;
  for (const auto& [path, tree] : right_trees(catalog)) {
    for (const auto& one : schema_cases(schema(), tree, catalog, path)) {
      EXPECT_THAT(reading_problems<Experiment>(one.tree, catalog),
                  ElementsAre(StartsWith(one.expected)))
          << one.title;
      ++num_cases;
    }
  }
  EXPECT_GT(num_cases, 1000U);
}

TEST(Mistakes, EveryDeclaredConstraintHasAValueThatBreaksIt) {
  const auto catalog = default_catalog();
  for (const auto* part : reachable_schemas(schema(), catalog))
    for (const auto& field : part->fields())
      for (const auto& constraint : field.constraints)
        EXPECT_TRUE(constraint.violation)
            << "'" << field.doc.name << "' must be " << constraint.limits;
}

// What `reckon check` says of a file, run in the folder of bad experiments, whose data files have
// relative paths.
std::string complaints_about(const std::string& name) {
  const auto outside = fs::current_path();
  fs::current_path(kBad);
  auto said = reckon({"check", name});
  fs::current_path(outside);
  EXPECT_EQ(said.code, 1) << name;
  while (said.err.ends_with('\n')) said.err.pop_back();
  return said.err;
}

TEST(BadExperiments, GiveExactlyTheMessageBesideThem) {
  const auto files = bad_files(kBad);
  EXPECT_GE(files.size(), 40U);
  for (const auto& file : files) EXPECT_EQ(complaints_about(file.name), file.expected) << file.name;
}

// Of a rule that many parts have, two are enough.
TEST(BadExperiments, BreakEveryRuleOverSeveralKeys) {
  const auto catalog = default_catalog();
  std::map<std::string, int> declared;
  for (const auto* part : reachable_schemas(schema(), catalog))
    for (const auto& rule : part->invariants())
      if (!rule.message.starts_with(kOnlyInFormats)) ++declared[rule.message];
  EXPECT_GE(declared.size(), 15U);
  std::string all;
  for (const auto& file : bad_files(kBad)) all += file.expected + "\n";
  for (const auto& [message, count] : declared) {
    int broken = 0;
    for (auto at = all.find(message); at != std::string::npos; at = all.find(message, at + 1))
      ++broken;
    EXPECT_GE(broken, std::min(count, 2)) << message;
  }
}

// One rule for each key of a file, too alike for a file of its own.
TEST(Mistakes, AKeyThatSaysNothingInTheFormatOfAFileIsReported) {
  const std::map<std::string, std::string> values = {
      {"separator", "';'"},      {"header", "true"},       {"columns", "[user, item]"},
      {"encoding", "latin-1"},   {"quoting", "true"},      {"quoted_newlines", "true"},
      {"types", "{user: text}"}, {"timestamp_unit", "ms"}, {"missing_values", "['-']"},
      {"roles", "{user: who}"},  {"display", "[title]"}};
  const auto catalog = default_catalog();
  size_t num_rules = 0;
  for (const auto& rule : Schema<FileOptions>::instance().invariants()) {
    if (!rule.message.starts_with(kOnlyInFormats)) continue;
    ++num_rules;
    for (const auto& [format, _] : EnumNames<FileFormat>::all()) {
      const auto tree =
          parse_yaml("data: {files: {interactions: {path: x, format: " + format + ", " + rule.key +
                         ": " + values.at(rule.key) + "}}}\nmodel: {family: popularity}\n",
                     "format.yaml");
      const auto problems = reading_problems<Experiment>(tree, catalog);
      const auto formats = ", " + rule.message.substr(kOnlyInFormats.size()) + ",";
      if (formats.find(", " + format + ",") != std::string::npos)
        EXPECT_THAT(problems, IsEmpty()) << rule.key << " in " << format;
      else
        EXPECT_THAT(problems,
                    ElementsAre("data.files.interactions." + rule.key + ": " + rule.message))
            << format;
    }
  }
  EXPECT_EQ(num_rules, values.size());
}

TEST(Reference, DocsAreCurrent) {
  EXPECT_TRUE(read_file(kSource + "/docs/reference.md") == reference_text(default_catalog()))
      << "run: reckon describe --markdown > docs/reference.md";
}

TEST(ContractTable, OfThePageIsThatOfTheModels) {
  const auto page = read_file(kSource + "/docs/choose-a-model.md");
  EXPECT_EQ(page, with_contract_table(page, default_catalog()))
      << "run: reckon describe --contracts docs/choose-a-model.md";
}

TEST(ContractTable, IsWrittenIntoItsPlaceAndNowhereElse) {
  const auto catalog = default_catalog();
  const auto table = contract_table(catalog);
  EXPECT_EQ(with_contract_table("before\n" + std::string(kContractsBegin) + "old\n" +
                                    kContractsEnd + "after\n",
                                catalog),
            "before\n" + std::string(kContractsBegin) + "\n" + table + "\n" + kContractsEnd +
                "after\n");
  EXPECT_THROW(with_contract_table("no place\n", catalog), ConfigError);
  // One line for each preset below the two of the head, with what the papers say.
  EXPECT_EQ(static_cast<size_t>(std::count(table.begin(), table.end(), '\n')),
            catalog.presets().size() + 2);
  EXPECT_NE(table.find(
                "| `bpr_mf` | yes | no | supervised | inner products | no | 65*U + 65*I + 256 |"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("| `sasrec` | no | yes | supervised | inner products |"), std::string::npos);
  EXPECT_NE(table.find("| `popularity` | yes | yes | fit, once | inner products | no | 1*I |"),
            std::string::npos);
}

}  // namespace
}  // namespace reckon::configs_test
