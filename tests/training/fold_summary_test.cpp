#include "training/fold_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "evaluation/significance.h"

namespace reckon::fold_summary_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

EvaluationResult result(double rmse) {
  EvaluationResult out;
  out.metrics = {{MetricName::parse("rmse"), rmse, 0.0, 5}};
  return out;
}

TEST(FoldSummary, HasMeanDeviationAndStudentsIntervalOfTheFolds) {
  const auto summary =
      summarize_folds({{result(0.9)}, {result(1.0)}, {result(1.1)}, {result(1.0)}});
  ASSERT_EQ(summary.metrics.size(), 1U);
  const auto& rmse = summary.metrics[0];
  EXPECT_NEAR(rmse.mean, 1.0, 1e-12);
  EXPECT_NEAR(rmse.deviation, std::sqrt(0.02 / 3.0), 1e-12);
  EXPECT_NEAR(rmse.half_width, 3.182446305 * rmse.deviation / 2.0, 1e-8);
  EXPECT_THAT(to_text(summary), HasSubstr("[0.8701, 1.1299]"));
  const auto json = nlohmann::json::parse(to_json(summary));
  EXPECT_EQ(json["num_folds"], 4);
  EXPECT_NEAR(json["metrics"]["rmse"]["interval"][1], 1.0 + rmse.half_width, 1e-12);
}

TEST(FoldSummary, AFoldOfSeveralSeedsCountsOnceWithTheirMean) {
  const auto summary = summarize_folds({{result(0.8), result(1.0)}, {result(1.0), result(1.2)}});
  EXPECT_THAT(summary.metrics[0].values, ElementsAre(0.9, 1.1));
}

TEST(FoldSummary, OneFoldHasNoDeviation) {
  const auto summary = summarize_folds({{result(0.8)}});
  EXPECT_TRUE(std::isnan(summary.metrics[0].deviation));
  EXPECT_THAT(to_text(summary), HasSubstr("-"));
}

TEST(StudentT, QuantilesAreThoseOfTheTables) {
  EXPECT_NEAR(student_t_quantile(0.975, 1), 12.7062047362, 1e-6);
  EXPECT_NEAR(student_t_quantile(0.975, 2), 4.30265272975, 1e-8);
  EXPECT_NEAR(student_t_quantile(0.975, 4), 2.7764451052, 1e-8);
  EXPECT_NEAR(student_t_quantile(0.95, 9), 1.83311293265, 1e-8);
  EXPECT_NEAR(student_t_quantile(0.025, 30), -2.0422724563, 1e-8);
  EXPECT_NEAR(student_t_quantile(0.5, 7), 0.0, 1e-9);
}

}  // namespace
}  // namespace reckon::fold_summary_test
