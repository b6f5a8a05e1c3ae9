#include "core/catalog.h"

#include <gtest/gtest.h>

#include "tests/core/toy.h"

namespace reckon::catalog_test {
namespace {

struct Slot {
  Component<toy::Encoder> encoder;
  std::optional<Component<toy::Loss>> loss;
  static void describe(Schema<Slot>& schema) {
    schema.field("encoder", &Slot::encoder).required();
    schema.field("loss", &Slot::loss);
  }
};

std::string problem_of(const std::string& text, const Catalog& catalog = toy::catalog()) {
  try {
    read_config<Slot>(parse_yaml(text, "f"), catalog);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(Component, BuildsWhatTheConfigChose) {
  const auto catalog = toy::catalog();
  const auto slot =
      read_config<Slot>(parse_yaml("encoder:\n  type: transformer\n  hidden: 6\n", "f"), catalog);
  EXPECT_EQ(slot.encoder.type(), "transformer");
  EXPECT_EQ(slot.encoder.location(), (SourceLocation{"f", 1, 1}));
  EXPECT_EQ(slot.encoder.build({.width = 7})->width(), 42);
  ASSERT_TRUE(slot.encoder.options_as<toy::Transformer::Options>());
  EXPECT_EQ(slot.encoder.options_as<toy::Transformer::Options>()->hidden, 6);
  EXPECT_EQ(slot.encoder.options_as<toy::Gru::Options>(), nullptr);
  EXPECT_FALSE(slot.loss);
}

TEST(Component, ABareNameIsShortForItsType) {
  const auto slot =
      read_config<Slot>(parse_yaml("{encoder: gru, loss: softmax}", "f"), toy::catalog());
  EXPECT_EQ(slot.encoder.type(), "gru");
  EXPECT_EQ(slot.loss->type(), "softmax");
  EXPECT_EQ(slot.loss->common().weight, 1.0);
}

TEST(Component, IsMadeInCodeToo) {
  const auto component = Component<toy::Encoder>::make<toy::Gru>({.num_layers = 3}, "gru");
  EXPECT_EQ(component.build()->width(), 3);
  EXPECT_EQ(emit_flow(component.emit()), "{type: gru, num_layers: 3, inner: null}");
}

TEST(Component, AnEmptyOneRefusesToBuild) {
  const Component<toy::Encoder> none;
  EXPECT_FALSE(none);
  EXPECT_TRUE(none.emit().is_null());
  EXPECT_THROW(none.build(), std::logic_error);
}

TEST(Component, NestsAndReportsInside) {
  const auto slot =
      read_config<Slot>(parse_yaml("encoder: {type: gru, inner: {type: gru, inner: transformer}}",
                                   "f"),
                        toy::catalog());
  EXPECT_EQ(slot.encoder.options_as<toy::Gru::Options>()->inner->type(), "gru");
  EXPECT_EQ(problem_of(
                "encoder: {type: gru, inner: {type: gru, inner: {type: gru, num_layers: 0}}}"),
            "f:1:72: error: encoder.inner.inner.num_layers: must be positive, got 0");
}

TEST(Registry, ExplainsWhatCannotBeChosen) {
  EXPECT_EQ(problem_of("encoder: {type: transfomer}"),
            "f:1:17: error: encoder.type: no encoder is called 'transfomer'\n"
            "    hint: did you mean 'transformer'?");
  EXPECT_EQ(
      problem_of("encoder: banana"),
      "f:1:10: error: encoder: no encoder is called 'banana'\n    hint: known: transformer, gru");
  EXPECT_EQ(problem_of("encoder: softmax"),
            "f:1:10: error: encoder: no encoder is called 'softmax'\n"
            "    hint: 'softmax' is of kind 'loss'; one of: transformer, gru");
  EXPECT_EQ(problem_of("encoder: {typ: gru}"),
            "f:1:1: error: encoder: missing required key 'type'\n    hint: did you mean 'type' by "
            "'typ'?");
  EXPECT_EQ(
      problem_of("encoder: {num_layers: 1}"),
      "f:1:1: error: encoder: missing required key 'type'\n    hint: one of: transformer, gru");
  EXPECT_NE(problem_of("encoder: [gru]").find("expected a component of kind 'encoder', got a list"),
            std::string::npos);
  EXPECT_NE(problem_of("encoder: null").find("expected a component of kind 'encoder', got nothing"),
            std::string::npos);
  EXPECT_NE(
      problem_of("encoder: {type: [gru]}").find("encoder.type: expected the name of a component"),
      std::string::npos);
  EXPECT_NE(problem_of("encoder: gru", Catalog()).find("no encoder is registered"),
            std::string::npos);
}

TEST(Catalog, RefusesANameTwice) {
  auto catalog = toy::catalog();
  EXPECT_THROW(catalog.add<toy::Gru>("gru", "Again."), std::logic_error);
  catalog.add_preset("p", "model: {family: popularity}\n");
  EXPECT_THROW(catalog.add_preset("p", ""), std::logic_error);
}

TEST(Catalog, ListsKindsAndNamesInTheirOrder) {
  const auto catalog = toy::catalog();
  std::vector<std::string> kinds;
  for (const auto* registry : catalog.kinds()) kinds.push_back(registry->kind());
  EXPECT_EQ(kinds, (std::vector<std::string>{"encoder", "loss", "model"}));
  EXPECT_EQ(catalog.of<toy::Encoder>().names(), (std::vector<std::string>{"transformer", "gru"}));
  EXPECT_EQ(catalog.of<toy::Encoder>().summary("gru"), "Recurrence.");
  EXPECT_EQ(catalog.of<toy::Loss>().docs("pairwise").size(), 2U);  // weight, negatives
  EXPECT_THROW(catalog.of<toy::Encoder>().summary("none"), std::out_of_range);
}

TEST(Catalog, PresetsAreSummedUpByTheirFirstComment) {
  Catalog catalog;
  catalog.add_preset("p", "# What it is.\n# More.\nmodel: {family: popularity}\n");
  EXPECT_EQ(catalog.find_preset("p")->summary, "What it is.");
  EXPECT_EQ(catalog.preset("p").at_path("model.family")->location(),
            (SourceLocation{"<preset p>", 3, 17}));
  EXPECT_THROW(catalog.preset("q"), ConfigError);
}

}  // namespace
}  // namespace reckon::catalog_test
