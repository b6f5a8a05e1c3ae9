#include "datasets/data_options.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "datasets/catalog.h"
#include "datasets/data_schema.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing::data_options_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> lines_of(const Problems& problems) {
  std::vector<std::string> lines;
  for (const auto& problem : problems.diagnostics())
    lines.push_back(problem.where.to_string() + ": " + problem.message);
  return lines;
}

std::vector<std::string> reading(const std::string& yaml) {
  Catalog catalog;
  add_datasets(catalog);
  Problems problems;
  read_config<DataOptions>(parse_yaml(yaml, "d.yaml"), catalog, problems);
  return lines_of(problems);
}

std::vector<std::string> of_file(const std::string& keys) {
  return reading("files:\n  interactions:\n    " + keys + "\n");
}

std::string unheard(const std::string& column, const std::string& key, const std::string& formats) {
  return "d.yaml:3:" + column + ": files.interactions." + key +
         ": says nothing in this format, only in: " + formats;
}

TEST(DataOptions, AKeyThatTheFormatDoesNotHearIsRefusedAtTheKey) {
  const std::string tables = "delimited, json_lines, parquet, feather";
  EXPECT_THAT(of_file("{path: s.txt, format: sequences, header: true}"),
              ElementsAre(unheard("46", "header", "delimited")));
  EXPECT_THAT(of_file("{path: s.txt, format: sequences, types: {a: text}}"),
              ElementsAre(unheard("38", "types", tables)));
  EXPECT_THAT(of_file("{path: s.txt, format: sequences, missing_values: [NA]}"),
              ElementsAre(unheard("38", "missing_values", tables)));
  EXPECT_THAT(of_file("{path: s.txt, format: sequences, roles: {user: u}}"),
              ElementsAre(unheard("38", "roles", tables)));
  // The extension says the format as well as the key does.
  EXPECT_THAT(of_file("{path: s.parquet, separator: ';'}"),
              ElementsAre(unheard("34", "separator", "delimited, sequences")));
  EXPECT_THAT(of_file("{path: s.feather, encoding: latin-1}"),
              ElementsAre(unheard("33", "encoding", "delimited, sequences, json_lines")));
  EXPECT_THAT(of_file("{path: s.jsonl, columns: [user, item]}"),
              ElementsAre(unheard("21", "columns", "delimited")));
  EXPECT_THAT(of_file("{path: s.jsonl, quoting: true}"),
              ElementsAre(unheard("30", "quoting", "delimited")));
}

TEST(DataOptions, EveryFormatTakesItsOwnKeys) {
  for (const char* keys :
       {"{path: s.txt, format: sequences, separator: ',', encoding: latin-1}",
        "{path: s.csv, header: false, columns: [user, item], quoting: false, types: {user: text}}",
        "{path: s.jsonl, encoding: latin-1, types: {user: text}, missing_values: [NA]}",
        "{path: s.parquet, types: {user: text}, timestamp_unit: ms, roles: {user: u}}",
        "{path: s.unknown, separator: ',', header: true}"})
    EXPECT_THAT(of_file(keys), ElementsAre()) << keys;
}

TEST(DataOptions, SharesThatNothingIsDrawnByAreRefused) {
  const std::string files = "files: {interactions: {path: a.csv}";
  EXPECT_THAT(reading(files + "}\nsplit: {type: leave_one_out, validation: 0.3}\n"),
              ElementsAre("d.yaml:2:42: split.validation: is a share of 'global_time'; without it, "
                          "one interaction is held out"));
  EXPECT_THAT(reading(files +
                      "}\nsplit: {type: leave_one_out, global_time: true, validation: 0.3}\n"),
              ElementsAre());
  EXPECT_THAT(reading(files +
                      ", validation: {path: b.csv}}\nsplit: {type: files, validation: 0.3}\n"),
              ElementsAre("d.yaml:2:1: split: 'validation' is a share to draw, but 'files' has a "
                          "validation file; give one"));
  EXPECT_THAT(reading(files + ", test: {path: b.csv}}\nsplit: {type: files, validation: 0.3}\n"),
              ElementsAre());
}

void collect_user_names(const SchemaBase& schema, std::set<std::string>& keys) {
  for (const auto& field : schema.fields()) {
    if (field.doc.nested)
      collect_user_names(field.doc.nested(), keys);
    else if (field.doc.container == FieldDoc::Container::kMap)
      keys.insert(field.doc.name);
  }
}

TEST(DataOptions, MergingKnowsEveryMappingOfUsersOwnNames) {
  std::set<std::string> keys;
  collect_user_names(Schema<DataOptions>::instance(), keys);
  const auto& known = keys_of_user_names();
  EXPECT_THAT(keys, ::testing::ElementsAreArray(std::set<std::string>(known.begin(), known.end())));
}

std::vector<std::string> columns(const TemporaryDirectory& directory, const std::string& yaml) {
  const auto options = data_options(directory, yaml);
  Problems problems;
  check_columns(options, parse_yaml(yaml, "d.yaml"), problems);
  auto lines = lines_of(problems);
  for (auto& line : lines) line = replaced(line, directory.path(""), "");
  return lines;
}

TEST(CheckColumns, ReportsEachColumnWhereItIsAskedFor) {
  const TemporaryDirectory directory;
  directory.write("r.csv", "user,item\nu,a\n");
  EXPECT_THAT(
      columns(directory,
              "files:\n  interactions:\n    - path: r.csv\n"
              "    - {path: r.csv, roles: {user: usr, rating: stars}}\n"
              "cleaning:\n  filters:\n    - {column: price, at_least: 3}\n"
              "  implicit_from: 4\n"
              "split: {type: time, test_from: '2001-01-01'}\n"),
      ElementsAre(
          "d.yaml:7:16: data.cleaning.filters[0].column: r.csv:1: there is no column 'price'",
          "d.yaml:8:18: data.cleaning.implicit_from: needs a rating column, which "
          "r.csv does not have",
          "d.yaml:9:1: data.split: needs a timestamp column, which r.csv does not have",
          "d.yaml:4:35: data.files.interactions[1].roles.user: r.csv:1: there is no column 'usr'",
          "d.yaml:4:48: data.files.interactions[1].roles.rating: r.csv:1: there is no column "
          "'stars'",
          "d.yaml:7:16: data.cleaning.filters[0].column: r.csv:1: there is no column 'price'",
          "d.yaml:8:18: data.cleaning.implicit_from: needs a rating column, which "
          "r.csv does not have",
          "d.yaml:9:1: data.split: needs a timestamp column, which r.csv does not have"));
}

TEST(CheckColumns, AFileWithoutItsColumnsIsReportedAtTheFile) {
  const TemporaryDirectory directory;
  directory.write("r.csv", "user,thing\nu,a\n");
  EXPECT_THAT(columns(directory, "files:\n  interactions: {path: r.csv}\n"),
              ElementsAre("d.yaml:2:3: data.files.interactions.roles.item: r.csv:1: no item column "
                          "among: user, thing"));
}

}  // namespace
}  // namespace reckon::testing::data_options_test
