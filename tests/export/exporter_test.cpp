#include "export/exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/config_node.h"
#include "core/diagnostics.h"
#include "core/files.h"
#include "tests/export/tiny_model.h"

namespace reckon::exporter_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ids = std::vector<std::string>;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const c10::Error& e) {
    return e.what_without_backtrace();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

struct Case {
  const char* name;
  TinyOptions options;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const Case kCases[] = {
    {"dot", {}},
    {"dot_without_bias", {.bias = false}},
    {"two_queries_summed", {.num_queries = 2}},
    {"best_of_three_queries", {.num_queries = 3, .reduce_max = true}},
    {"mlp", {.inner_product = false}},
    {"user_ids_alone", {.max_length = 0, .reads_users = true}},
    {"user_ids_and_history", {.reads_users = true}},
    {"mlp_of_user_ids", {.reads_users = true, .inner_product = false}},
    {"user_bias", {.reads_users = true, .user_bias = true}},
    {"mlp_with_user_bias", {.reads_users = true, .inner_product = false, .user_bias = true}},
    {"untrained_users", {.max_length = 0, .reads_users = true, .num_untrained = 3}},
    {"untrained_users_and_history", {.reads_users = true, .num_untrained = 3}},
    {"history_of_one", {.max_length = 1}},
    {"one_item", {.num_items = 1}},
};

class ExporterCase : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Models, ExporterCase, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(ExporterCase, GivesAFileThatEncodesAndScoresAsTheModelAtOtherSizes) {
  const auto& options = GetParam().options;
  TinyModel model(options);
  const TinyData data(options);
  const TemporaryPath target("model.pt");
  auto staged = StagedExport(model, data.inputs(), target.path(), {});
  EXPECT_GT(staged.report().num_comparisons, 50);
  model.eval();
  const torch::NoGradGuard no_grad;
  for (const int64_t rows : {2, 6}) {
    for (const int64_t length : {2, 5}) {
      Batch request(rows);
      const auto users = torch::arange(rows).remainder(options.num_users);
      const auto history =
          torch::randint(options.num_items, {rows, std::min(length, options.max_length)});
      if (options.reads_users) request.set(batch_key::kUsers, users);
      if (options.max_length > 0) request.set(batch_key::kHistory, history);
      const auto candidates = torch::randint(options.num_items, {rows, length});
      const auto wanted = model.score(model.encode(request), candidates);
      const auto got = staged.model().score(staged.model().encode(request), candidates);
      EXPECT_TRUE(torch::allclose(got, wanted, 1e-5, 1e-6))
          << "rows=" << rows << " length=" << length;
    }
  }
}

TEST_P(ExporterCase, LeavesTheModelAsItWas) {
  TinyModel model(GetParam().options);
  model.train();
  const TinyData data(GetParam().options);
  const TemporaryPath target("model.pt");
  export_model(model, data.inputs(), target.path(), {.check = false});
  EXPECT_TRUE(model.is_training());
  for (const auto& parameter : model.parameters()) EXPECT_TRUE(parameter.requires_grad());
}

TEST_P(ExporterCase, WritesAFileOfTheSameBytesAgain) {
  TinyModel model(GetParam().options);
  const TinyData data(GetParam().options);
  const TemporaryPath first("first.pt"), second("second.pt");
  export_model(model, data.inputs(), first.path(), {.check = false});
  export_model(model, data.inputs(), second.path(), {.check = false});
  const auto a_bytes = read_file(first.path());
  const auto b_bytes = read_file(second.path());
  EXPECT_TRUE(a_bytes == b_bytes);
  EXPECT_GT(a_bytes.size(), 1000u);
}

TEST(Exporter, RefusesAModelThatBakesTheTracedLength) {
  const TinyOptions options{.bakes_length = true};
  TinyModel model(options);
  const TinyData data(options);
  const TemporaryPath target("model.pt");
  // Length 5 is the traced one; at length 1 the record is wrong.
  const auto message = message_of([&] { export_model(model, data.inputs(), target.path(), {}); });
  EXPECT_THAT(message,
              HasSubstr(target.path() + ": error: not written: the reloaded file differs from the "
                                        "model in encode (batch 1, history 1)"));
  EXPECT_THAT(message, HasSubstr("hint: a part of the model cannot be exported as it is"));
  EXPECT_THROW(export_model(model, data.inputs(), target.path(), {}), DataError);
  EXPECT_THAT(target.entries(), IsEmpty());
}

TEST(Exporter, RefusesAModelThatGivesNan) {
  const TinyOptions options{.gives_nan = true};
  TinyModel model(options);
  const TinyData data(options);
  const TemporaryPath target("model.pt");
  EXPECT_THAT(message_of([&] { export_model(model, data.inputs(), target.path(), {}); }),
              HasSubstr("the model gives NaN or infinity in score"));
  EXPECT_THAT(target.entries(), IsEmpty());
}

TEST(Exporter, ShowsNothingBeforeCommitAndLeavesNothingWithoutIt) {
  TinyModel model({});
  const TinyData data({});
  const TemporaryPath target("model.pt");
  {
    StagedExport staged(model, data.inputs(), target.path(), {.sidecar = true, .check = false});
    EXPECT_FALSE(std::filesystem::exists(target.path()));
  }
  EXPECT_THAT(target.entries(), IsEmpty());
  StagedExport staged(model, data.inputs(), target.path(), {.sidecar = true, .check = false});
  staged.commit();
  EXPECT_THAT(target.entries(), ::testing::UnorderedElementsAre("model.pt", "model.pt.ids.json"));
}

TEST(Exporter, WritesTheIdMapBesideTheFileInOrderOfDenseIds) {
  TinyModel model({.reads_users = true});
  const TinyData data({.reads_users = true});
  const TemporaryPath target("model.pt");
  const auto report =
      export_model(model, data.inputs(), target.path(), {.sidecar = true, .check = false});
  const auto sidecar = nlohmann::json::parse(read_file(report.sidecar_path));
  EXPECT_EQ(sidecar["items"].get<Ids>(), data.items.to_vector());
  EXPECT_EQ(sidecar["users"].get<Ids>(), data.users.to_vector());
}

TEST(Exporter, NamesTheNearestColumnWhenDisplayIsMisspelt) {
  TinyModel model({});
  const TinyData data({});
  const TemporaryPath target("model.pt");
  const auto call = [&] {
    export_model(model, data.inputs(), target.path(), {.display = Ids{"titel"}});
  };
  EXPECT_THROW(call(), ConfigError);
  EXPECT_THAT(message_of(call), HasSubstr("the data keeps no column 'titel' of items"));
  EXPECT_THAT(message_of(call), HasSubstr("did you mean 'title'?"));
  EXPECT_THAT(target.entries(), IsEmpty());
}

TEST(Exporter, SaysThatAFolderIsMissing) {
  TinyModel model({});
  const TinyData data({});
  const auto call = [&] { export_model(model, data.inputs(), "/no/such/folder/model.pt", {}); };
  EXPECT_THROW(call(), DataError);
}

TEST(Exporter, RefusesAPathThatNoFileCanTakeBeforeItMakesOne) {
  TinyModel model({});
  const TinyData data({});
  const TemporaryPath target("model.pt");
  std::filesystem::create_directory(target.path());
  EXPECT_THAT(message_of([&] { export_model(model, data.inputs(), target.path(), {}); }),
              HasSubstr("model.pt: error: cannot be written: it is a folder"));
  EXPECT_THAT(message_of(
                  [&] { export_model(model, data.inputs(), target.path() + "/no/model.pt", {}); }),
              HasSubstr("its folder " + target.path() + "/no is not there"));
}

TEST(Exporter, KeepsAllColumnsUnlessToldWhich) {
  TinyModel model({});
  const TinyData data({});
  const auto columns_of = [&](const std::optional<Ids>& display) {
    const TemporaryPath target("model.pt");
    export_model(model, data.inputs(), target.path(), {.display = display, .check = false});
    return ExportedFile(target.path()).description().display;
  };
  EXPECT_THAT(columns_of(std::nullopt), ElementsAre("title", "year"));
  EXPECT_THAT(columns_of(Ids{"year"}), ElementsAre("year"));
  EXPECT_THAT(columns_of(Ids{}), IsEmpty());
}

TEST(CheckDisplay, SaysWhichColumnIsNotKeptAndWhereItIsAskedFor) {
  const auto tree =
      parse_yaml("model: popularity\nexport:\n  display: [title, titel,\n            released]\n",
                 "mine.yaml");
  const ExportOptions options{.display = Ids{"title", "titel", "released"}};
  const auto said = [&](const std::vector<std::string>& columns) {
    Problems problems;
    check_display(tree, options, columns, problems);
    return message_of([&] { problems.throw_if_any(); });
  };
  const auto message = said({"title", "genre"});
  EXPECT_THAT(
      message,
      HasSubstr(
          "mine.yaml:3:20: error: export.display[1]: the data keeps no column 'titel' of items"));
  EXPECT_THAT(message, HasSubstr("did you mean 'title'?"));
  EXPECT_THAT(message,
              HasSubstr(
                  "mine.yaml:4:13: error: export.display[2]: the data keeps no column 'released'"));
  EXPECT_THAT(message, HasSubstr("kept: title, genre; name it in data.files.items.display"));
  EXPECT_THAT(said({}), HasSubstr("it keeps none; give an item table under data.files.items"));
  EXPECT_EQ(said({"title", "titel", "released"}), "");
}

TEST(Exporter, CountsEveryLargePartOfTheFile) {
  for (const bool own : {false, true}) {
    const TinyOptions options{.num_items = 20000,
                              .num_users = 3000,
                              .dim = 32,
                              .reads_users = true,
                              .user_bias = true,
                              .own_factors = own};
    TinyModel model(options);
    const TinyData data(options);
    const TemporaryPath target("model.pt");
    const auto report =
        export_model(model, data.inputs(), target.path(), {.include_users = true, .check = false});
    const auto counted = report.weight_bytes + report.id_bytes + report.history_bytes;
    EXPECT_GE(report.file_bytes, counted);
    EXPECT_LT(report.file_bytes, counted + counted / 50 + 200000);
    // User u has u + 1 items of four bytes.
    EXPECT_GT(report.history_bytes, 2999 * 3002 / 2 * 4);
    EXPECT_EQ(report.weight_bytes >= 2 * 20000 * 32 * 4, own);
  }
}

TEST(Exporter, SharesTheItemTableBetweenWeightsFactorsAndVectors) {
  const TinyOptions options{.num_items = 5000, .dim = 32};
  TinyModel model(options);
  const TinyData data(options);
  const TemporaryPath target("model.pt");
  const auto report = export_model(model, data.inputs(), target.path(), {.check = false});
  const int64_t table = 5002 * 32 * 4;
  EXPECT_GE(report.weight_bytes, table);
  EXPECT_LT(report.file_bytes, report.weight_bytes + report.id_bytes + table / 2);
}

TEST(Exporter, DescribesWhatWasExported) {
  TinyModel model({});
  const TinyData data({});
  const TemporaryPath target("model.pt");
  export_model(model, data.inputs(), target.path(), {.display = Ids{"title"}, .check = false});
  const ExportedFile file(target.path());
  const auto& d = file.description();
  EXPECT_EQ(d.num_items, 23);
  EXPECT_EQ(d.num_users, 0);
  EXPECT_EQ(d.max_length, 5);
  EXPECT_FALSE(d.known_user);
  EXPECT_TRUE(d.new_user_with_history);
  EXPECT_EQ(d.config_yaml, "model:\n  preset: tiny\n");
  EXPECT_EQ(nlohmann::json::parse(d.metrics_json)["ndcg@10"], 0.25);
  EXPECT_EQ(d.fingerprint, "abc123");
  EXPECT_THAT(d.display, ElementsAre("title"));
  EXPECT_EQ(d.fallback, "the items most popular in training");
  EXPECT_FALSE(d.versions.at("libtorch").empty());
  // What it says is what it writes: no key is lost on the way.
  EXPECT_EQ(Description::from_json(d.to_json()).to_json(), d.to_json());
}

}  // namespace
}  // namespace reckon::exporter_test
