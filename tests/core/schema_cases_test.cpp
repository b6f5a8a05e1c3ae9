#include "tests/core/schema_cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/toy.h"

namespace reckon::schema_cases_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const auto& schema() { return Schema<toy::Experiment>::instance(); }

ConfigNode resolved(const Catalog& catalog) {
  const auto experiment =
      read_config<toy::Experiment>(parse_yaml(toy::kExperiment, "toy.yaml"), catalog);
  return emit_config(experiment, catalog);
}

TEST(SchemaCases, EveryMistakeIsReportedAtItsPlaceAndOnlyThere) {
  const auto catalog = toy::catalog();
  const auto tree = resolved(catalog);
  ASSERT_THAT(reading_problems<toy::Experiment>(tree, catalog), IsEmpty());
  const auto cases = schema_cases(schema(), tree, catalog);
  EXPECT_GT(cases.size(), 60U);
  for (const auto& one : cases)
    EXPECT_THAT(reading_problems<toy::Experiment>(one.tree, catalog),
                ElementsAre(StartsWith(one.expected)))
        << one.title;
}

TEST(SchemaCases, OfOnePartLeaveTheOthersAlone) {
  const auto catalog = toy::catalog();
  const auto tree = resolved(catalog);
  const auto all = schema_cases(schema(), tree, catalog);
  const auto some = schema_cases(schema(), tree, catalog, "training");
  EXPECT_GT(some.size(), 20U);
  EXPECT_LT(some.size(), all.size());
  for (const auto& one : some) EXPECT_THAT(one.title, StartsWith("training"));
}

TEST(SchemaCases, EveryDeclaredConstraintHasAValueThatBreaksIt) {
  const auto catalog = toy::catalog();
  for (const auto* part : reachable_schemas(schema(), catalog))
    for (const auto& field : part->fields())
      for (const auto& constraint : field.constraints)
        EXPECT_TRUE(constraint.violation) << field.doc.name << " must be " << constraint.limits;
}

TEST(SlotVariants, PutEveryComponentIntoEverySlotOfItsKind) {
  const auto catalog = toy::catalog();
  std::set<std::string> variants;
  for (const auto& variant : slot_variants(schema(), resolved(catalog), catalog))
    variants.insert(variant.path + " " + variant.type);
  for (const auto* path : {"model.user.history.encoder", "model.scorer"})
    for (const auto& name : catalog.of<toy::Encoder>().names())
      EXPECT_TRUE(variants.contains(std::string(path) + " " + name)) << path << " " << name;
  EXPECT_TRUE(variants.contains("model.objectives[0] pairwise"));
  EXPECT_TRUE(variants.contains("model popularity"));
}

}  // namespace
}  // namespace reckon::schema_cases_test
