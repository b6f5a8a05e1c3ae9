#include "core/schema.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/core/toy.h"

namespace reckon::schema_test {
namespace {

template <class V>
struct Holder {
  V value{};
  static void describe(Schema<Holder>& schema) { schema.field("v", &Holder::value); }
};

template <class V>
std::string problem_of(const std::string& text) {
  try {
    read_config<Holder<V>>(parse_yaml("v: " + text, "f"), Catalog());
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

template <class V>
V value_of(const std::string& text) {
  return read_config<Holder<V>>(parse_yaml("v: " + text, "f"), Catalog()).value;
}

TEST(NumberCodec, ReadsEveryUsualForm) {
  EXPECT_EQ(value_of<double>("1e-3"), 1e-3);
  EXPECT_EQ(value_of<double>("+.5"), 0.5);
  EXPECT_EQ(value_of<double>("-2"), -2.0);
  EXPECT_EQ(value_of<int64_t>("+7"), 7);
  EXPECT_EQ(value_of<int64_t>("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(value_of<uint64_t>("18446744073709551615"), std::numeric_limits<uint64_t>::max());
}

TEST(NumberCodec, RefusesWhatIsNoFiniteNumber) {
  for (const auto* text : {".nan", ".inf", "-.inf", "nan", "inf", "-inf", "infinity", ".NaN"})
    EXPECT_NE(problem_of<double>(text).find("must be a finite number"), std::string::npos) << text;
  for (const auto* text : {"1e999", "-1e999", "1e-999"})
    EXPECT_NE(problem_of<double>(text).find("too large or too close to zero"), std::string::npos)
        << text;
  for (const auto* text : {"1..2", "0x1p3", "one", "+-1", "[1]", "1 2", "~", "--1"})
    EXPECT_NE(problem_of<double>(text).find("f:1:"), std::string::npos) << text;
}

TEST(NumberCodec, SaysHowToWriteIt) {
  EXPECT_EQ(
      problem_of<double>("\"0.5\""),
      "f:1:4: error: v: expected a number, got the text \"0.5\"\n    hint: remove the quotes");
  EXPECT_EQ(problem_of<double>("1_000"),
            "f:1:4: error: v: expected a number, got '1_000'\n    hint: write 1000");
  EXPECT_EQ(problem_of<double>("0,5"),
            "f:1:4: error: v: expected a number, got '0,5'\n    hint: write 0.5");
  EXPECT_EQ(problem_of<int64_t>("1e3"),
            "f:1:4: error: v: expected an integer, got '1e3'\n    hint: write 1000");
  EXPECT_EQ(problem_of<int64_t>("2.5"), "f:1:4: error: v: expected an integer, got '2.5'");
  EXPECT_NE(problem_of<int64_t>("007").find("write 7"), std::string::npos);
}

TEST(NumberCodec, RefusesIntegersThatDoNotFit) {
  EXPECT_NE(problem_of<int64_t>("9223372036854775808").find("must be in [-9223372036854775808"),
            std::string::npos);
  EXPECT_NE(problem_of<uint64_t>("18446744073709551616").find("must be in [0,"), std::string::npos);
  EXPECT_NE(problem_of<uint64_t>("-1").find("must be in [0,"), std::string::npos);
  EXPECT_NE(problem_of<int32_t>("2147483648").find("must be in [-2147483648, 2147483647]"),
            std::string::npos);
}

TEST(BoolCodec, ReadsOnlyTheWordsOfYaml12) {
  EXPECT_TRUE(value_of<bool>("true"));
  EXPECT_FALSE(value_of<bool>("False"));
  EXPECT_EQ(problem_of<bool>("yes"),
            "f:1:4: error: v: expected true or false, got 'yes'\n    hint: write true");
  EXPECT_EQ(problem_of<bool>("off"),
            "f:1:4: error: v: expected true or false, got 'off'\n    hint: write false");
  EXPECT_NE(problem_of<bool>("\"true\"").find("remove the quotes"), std::string::npos);
  EXPECT_NE(problem_of<bool>("1").find("got '1'"), std::string::npos);
}

TEST(TextCodec, TakesAnyScalarButNothing) {
  EXPECT_EQ(value_of<std::string>("yes"), "yes");
  EXPECT_EQ(value_of<std::string>("12"), "12");
  EXPECT_EQ(value_of<std::string>("\"\""), "");
  EXPECT_NE(problem_of<std::string>("").find("write \"\" for an empty text"), std::string::npos);
}

TEST(EnumCodec, NamesTheNearestWord) {
  EXPECT_EQ(value_of<toy::Activation>("relu"), toy::Activation::kRelu);
  EXPECT_EQ(
      problem_of<toy::Activation>("gleu"),
      "f:1:4: error: v: must be one of relu, gelu, got 'gleu'\n    hint: did you mean 'gelu'?");
}

TEST(ListCodec, ReportsEveryBadEntry) {
  EXPECT_EQ(value_of<std::vector<int64_t>>("[1, 2]"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(problem_of<std::vector<int64_t>>("[1, x, 2, y]"),
            "f:1:8: error: v[1]: expected an integer, got 'x'\n"
            "f:1:14: error: v[3]: expected an integer, got 'y'");
  EXPECT_NE(problem_of<std::vector<int64_t>>("5").find("expected a list of integers, got '5'"),
            std::string::npos);
  EXPECT_NE((problem_of<std::array<double, 2>>("[1]").find(
                "expected a list of 2 numbers, got 1 of them")),
            std::string::npos);
}

TEST(OptionalCodec, NullSwitchesOff) {
  EXPECT_EQ(value_of<std::optional<int64_t>>("null"), std::nullopt);
  EXPECT_EQ(value_of<std::optional<int64_t>>("3"), 3);
}

std::string toy_problems(const std::string& text) {
  try {
    read_config<toy::Experiment>(parse_yaml(text, "t.yaml"), toy::catalog());
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(ReadConfig, ReportsAllProblemsAtOnceEachWithPlacePathAndHint) {
  EXPECT_EQ(
      toy_problems(R"(data:
  files:
    interactions: {pth: a.tsv}
  mode: ignore
model:
  family: two_tower
  dim: -4
  user:
    history:
      encoder: {type: transformer, num-heads: 4, dropout: 1.5}
  objectives: [softmx, {type: pairwise, weight: 0}]
training: {lr: "0.1", betas: [0.9], seeds: [], name: a b}
)"),
      "t.yaml:3:20: error: data.files.interactions.pth: unknown key\n"
      "    hint: did you mean 'path'?\n"
      "t.yaml:4:9: error: data.mode: must be one of refuse, skip, got ignore\n"
      "t.yaml:7:8: error: model.dim: must be positive, got -4\n"
      "t.yaml:10:36: error: model.user.history.encoder.num-heads: unknown key\n"
      "    hint: did you mean 'num_heads'?\n"
      "t.yaml:10:59: error: model.user.history.encoder.dropout: must be less than 1, got 1.5\n"
      "t.yaml:11:16: error: model.objectives[0]: no loss is called 'softmx'\n"
      "    hint: did you mean 'softmax'?\n"
      "t.yaml:11:49: error: model.objectives[1].weight: must be positive, got 0\n"
      "t.yaml:12:16: error: training.lr: expected a number, got the text \"0.1\"\n"
      "    hint: remove the quotes\n"
      "t.yaml:12:23: error: training.betas: expected a list of 2 numbers, got 1 of them\n"
      "t.yaml:12:37: error: training.seeds: must be non-empty, got []\n"
      "t.yaml:12:54: error: training.name: must be without blanks, got a b");
}

TEST(ReadConfig, AnEmptyFileMissesItsRequiredKeys) {
  EXPECT_EQ(toy_problems(""),
            "t.yaml:1:1: error: missing required key 'data'\n    hint: What is learnt from.\n"
            "t.yaml:1:1: error: missing required key 'model'\n    hint: What is learnt.");
}

TEST(ReadConfig, AKeyThatBelongsElsewhereSaysWhere) {
  const auto text = toy_problems(
      "data: {files: {a: {path: x}}, betas: 1}\n"
      "model: {family: popularity, num_layers: 2}\n");
  EXPECT_NE(text.find("data.betas: unknown key\n    hint: 'betas' is a key of training"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("'num_layers' is a key of model.scorer (type: gru)"), std::string::npos)
      << text;
}

TEST(ReadConfig, InvariantsAreReportedAtTheirKeyWhenAllElseIsRight) {
  const std::string head =
      "data: {files: {a: {path: x}}}\nmodel:\n  family: two_tower\n  objectives: [softmax]\n";
  EXPECT_EQ(toy_problems(head +
                         "  user: {history: {encoder: {type: transformer, num_heads: 3}}}\n"),
            "t.yaml:5:60: error: model.user.history.encoder.num_heads: must divide hidden");
  EXPECT_EQ(toy_problems(head + "  user: {history: {encoder: {type: transformer, hidden: 7}}}\n"),
            "t.yaml:5:20: error: model.user.history.encoder: num_heads must divide hidden");
  EXPECT_EQ(toy_problems(head + "  user: {}\n"),
            "t.yaml:5:3: error: model.user: needs `id`, `history` or both");
  // num_heads 0 must not be divided by.
  EXPECT_EQ(toy_problems(head +
                         "  user: {history: {encoder: {type: transformer, num_heads: 0}}}\n"),
            "t.yaml:5:60: error: model.user.history.encoder.num_heads: must be at least 1, got 0");
}

TEST(ReadConfig, AnOptionalMappingIsOnWhenItsKeyIsThere) {
  const auto read = [](const std::string& user) {
    const auto catalog = toy::catalog();
    const auto experiment = read_config<toy::Experiment>(
        parse_yaml("data: {files: {a: {path: x}}}\n"
                   "model: {family: two_tower, objectives: [softmax], user: " +
                       user + "}\n",
                   "t"),
        catalog);
    return experiment.model.options_as<toy::TwoTower::Options>()->user;
  };
  EXPECT_TRUE(read("{id: {}}").id.has_value());
  EXPECT_FALSE(read("{id: {}}").history.has_value());
  EXPECT_FALSE(read("{id: null, history: {encoder: gru}}").id.has_value());
}

TEST(EmitConfig, ReadsBackAsItself) {
  const auto catalog = toy::catalog();
  const auto once =
      emit_config(read_config<toy::Experiment>(parse_yaml(toy::kExperiment, "t"), catalog),
                  catalog);
  const auto twice =
      emit_config(read_config<toy::Experiment>(parse_yaml(emit_yaml(once), "u"), catalog), catalog);
  EXPECT_TRUE(once == twice) << emit_yaml(once) << emit_yaml(twice);
}

TEST(EmitConfig, FillsEveryDefaultInComponentsToo) {
  const auto catalog = toy::catalog();
  const auto node =
      emit_config(read_config<toy::Experiment>(parse_yaml(toy::kExperiment, "t"), catalog),
                  catalog);
  EXPECT_EQ(emit_flow(*node.at_path("model.scorer")), "{type: gru, num_layers: 1, inner: null}");
  EXPECT_EQ(emit_flow(*node.at_path("model.user.history.encoder")),
            "{type: transformer, hidden: 64, num_heads: 4, dropout: 0.2, activation: gelu}");
  EXPECT_EQ(emit_flow(*node.at_path("model.objectives")),
            "[{type: softmax, weight: 1}, {type: pairwise, weight: 2, negatives: 1}]");
  EXPECT_EQ(emit_flow(*node.at_path("training")),
            "{lr: 3e-4, betas: [0.9, 0.98], seed: 0, clip: 1, save_every: 10m, memory: 512MiB, "
            "seeds: [1], name: run}");
}

TEST(EmitConfig, FillsDefaultComponentsOfOptionsMadeInCode) {
  const auto catalog = toy::catalog();
  toy::TwoTower::Options options;
  const auto node = Codec<toy::TwoTower::Options>::emit(options, &catalog);
  EXPECT_EQ(node.at_path("scorer.type")->scalar_text(), "gru");
}

TEST(EmitConfig, KeepsEveryDoubleToTheLastBit) {
  for (const double value :
       {0.1, 1e-300, 123456789.123456789, 1e22, -0.0, 5e-324, 1.7976931348623157e308, 1.0 / 3}) {
    const auto text = emit_flow(Codec<double>::emit(value, nullptr));
    EXPECT_EQ(value_of<double>(text), value) << text;
  }
}

struct Inner {
  int64_t value = 0;
  static void describe(Schema<Inner>& schema) { schema.field("value", &Inner::value).required(); }
};
struct Outer {
  Inner inner;
  static void describe(Schema<Outer>& schema) { schema.field("inner", &Outer::inner); }
};

TEST(ReadConfig, OfAMappingWhoseKeyIsMisspeltNothingIsMissingBesides) {
  Problems problems;
  read_config<Outer>(parse_yaml("iner: {value: 3}", "f"), Catalog(), problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems.diagnostics()[0].message, "iner: unknown key");
}

}  // namespace
}  // namespace reckon::schema_test
