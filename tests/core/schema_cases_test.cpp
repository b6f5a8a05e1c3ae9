#include "tests/core/schema_cases.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/core/toy.h"

namespace reckon {
namespace {

TEST(SchemaCases, EveryMistakeIsReportedAtItsPlaceAndOnlyThere) {
  const auto catalog = toy::catalog();
  const auto experiment = read_config<toy::Experiment>(parse_yaml(toy::kExperiment, "toy.yaml"), catalog);
  const auto resolved = emit_config(experiment, catalog);
  ASSERT_EQ(reading_problems<toy::Experiment>(resolved, catalog), "");
  const auto cases = schema_cases(Schema<toy::Experiment>::instance(), resolved, catalog);
  EXPECT_GT(cases.size(), 60U);
  for (const auto& one : cases) {
    const auto text = reading_problems<toy::Experiment>(one.tree, catalog);
    EXPECT_NE(text.find(one.expected), std::string::npos) << one.title << "\n" << text;
    EXPECT_EQ(text.rfind(one.path, 0), 0U) << one.title << "\n" << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << one.title << "\n" << text;
  }
}

TEST(SchemaCases, CoverEveryConstraintThatIsDeclared) {
  const auto catalog = toy::catalog();
  const auto experiment = read_config<toy::Experiment>(parse_yaml(toy::kExperiment, "toy.yaml"), catalog);
  walk_schema(Schema<toy::Experiment>::instance(), emit_config(experiment, catalog), catalog,
              [](const std::string& path, const SchemaBase::Field& field, const ConfigNode&) {
                for (const auto& constraint : field.constraints)
                  EXPECT_TRUE(constraint.violation) << path << " must be " << constraint.limits;
              });
}

}  // namespace
}  // namespace reckon
