#include "evaluation/significance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/random.h"

namespace reckon::significance_test {
namespace {

// Sum of twelve uniform numbers minus six: mean 0, variance 1, and the same on every platform.
std::vector<double> normal_values(size_t count, uint64_t seed) {
  CounterRng random(RandomKey{seed});
  std::vector<double> values(count);
  for (auto& value : values) {
    for (int i = 0; i < 12; ++i) value += random.uniform();
    value -= 6.0;
  }
  return values;
}

RunResults run_named(const std::string& name, const std::vector<double>& values) {
  RunResults run;
  run.name = name;
  run.fingerprint = "abc";
  run.protocol = "full ranking, seen items masked";
  run.split = "test";
  run.metrics = {"ndcg@10"};
  for (size_t i = 0; i < values.size(); ++i) run.users.push_back("u" + std::to_string(i));
  run.values = torch::tensor(values, torch::kFloat64).unsqueeze(1);
  return run;
}

Interval bootstrap_interval(const std::vector<double>& values, const ComparisonOptions& options) {
  return bootstrap_intervals({values}, options).at(0);
}

std::string refusal(const std::vector<RunResults>& runs) {
  try {
    compare_runs(runs);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(RandomizationTest, CountsAllSignVectorsOfASmallSample) {
  const ComparisonOptions options;
  // Only all signs equal are as far out: 2 of 8.
  EXPECT_DOUBLE_EQ(randomization_test({1, 1, 1}, options), 0.25);
  // Sums of +-2 +-1 +-1 are 4 2 2 0 0 -2 -2 -4; observed 2: 6 of 8.
  EXPECT_DOUBLE_EQ(randomization_test({2, 1, -1}, options), 0.75);
  // Ten equal wins: 2 of 1,024.
  EXPECT_DOUBLE_EQ(randomization_test(std::vector<double>(10, 0.1), options), 2.0 / 1024.0);
}

TEST(RandomizationTest, IsOneWhenNothingDiffers) {
  EXPECT_DOUBLE_EQ(randomization_test({0, 0, 0}, {}), 1.0);
  EXPECT_DOUBLE_EQ(randomization_test({1, -1}, {}), 1.0);
}

TEST(RandomizationTest, IsNotChangedByUsersWithoutADifference) {
  EXPECT_DOUBLE_EQ(randomization_test({0, 2, 0, 1, -1, 0}, {}), randomization_test({2, 1, -1}, {}));
}

TEST(RandomizationTest, DrawsComeCloseToAllSignVectors) {
  auto differences = normal_values(12, 3);
  for (auto& difference : differences) difference += 0.4;
  const double exact = randomization_test(differences, {.permutations = 4096});
  const double drawn = randomization_test(differences, {.permutations = 4095});
  EXPECT_GT(exact, 0.01);
  // Three standard errors of a share of 4,095 draws.
  EXPECT_NEAR(drawn, exact, 3.0 * std::sqrt(exact * (1.0 - exact) / 4095.0));
  EXPECT_NE(drawn, exact);
}

TEST(RandomizationTest, RejectsATrueNullAboutAsOftenAsItSays) {
  int rejected = 0;
  for (uint64_t trial = 0; trial < 300; ++trial) {
    const double p =
        randomization_test(normal_values(30, 1000 + trial), {.permutations = 500, .seed = trial});
    rejected += p <= 0.1;
  }
  // 30 expected, deviation 5.2.
  EXPECT_GT(rejected, 14);
  EXPECT_LT(rejected, 46);
}

TEST(RandomizationTest, IsNeverZero) {
  EXPECT_DOUBLE_EQ(randomization_test(std::vector<double>(100, 1.0), {.permutations = 99}), 0.01);
}

TEST(BootstrapInterval, HasNoWidthWhenAllUsersAgree) {
  const auto interval = bootstrap_interval({0.25, 0.25, 0.25}, {});
  EXPECT_DOUBLE_EQ(interval.low, 0.25);
  EXPECT_DOUBLE_EQ(interval.high, 0.25);
}

TEST(BootstrapInterval, HasTheWidthOfTheNormalApproximation) {
  const auto values = normal_values(400, 5);
  double mean = 0.0;
  double square = 0.0;
  for (const double value : values) mean += value / 400.0;
  for (const double value : values) square += (value - mean) * (value - mean) / 400.0;
  const auto interval = bootstrap_interval(values, {});
  const double half = 1.96 * std::sqrt(square / 400.0);
  EXPECT_NEAR(interval.low, mean - half, 0.05 * half);
  EXPECT_NEAR(interval.high, mean + half, 0.05 * half);
}

TEST(BootstrapInterval, HoldsTheTrueMeanAboutAsOftenAsItSays) {
  int held = 0;
  for (uint64_t trial = 0; trial < 300; ++trial) {
    const auto interval = bootstrap_interval(normal_values(40, 5000 + trial),
                                             {.bootstrap_samples = 400, .seed = trial});
    held += interval.low <= 0.0 && 0.0 <= interval.high;
  }
  // 285 expected of 300, somewhat fewer with 40 users; deviation 4.
  EXPECT_GT(held, 265);
  EXPECT_LT(held, 298);
}

TEST(BootstrapInterval, IsTheSameForAColumnAloneAndAmongOthers) {
  const auto first = normal_values(30, 1);
  const auto second = normal_values(30, 2);
  const auto together = bootstrap_intervals({first, second}, {});
  EXPECT_EQ(together[0].low, bootstrap_interval(first, {}).low);
  EXPECT_EQ(together[1].high, bootstrap_interval(second, {}).high);
}

TEST(BootstrapInterval, RefusesColumnsOfDifferentUsers) {
  EXPECT_THROW(bootstrap_intervals({{1, 2}, {1}}, {}), c10::Error);
  EXPECT_THROW(bootstrap_intervals({{}}, {}), c10::Error);
}

TEST(BootstrapInterval, IsAFunctionOfTheSeed) {
  const auto values = normal_values(50, 9);
  const auto a = bootstrap_interval(values, {.seed = 1});
  const auto b = bootstrap_interval(values, {.seed = 1});
  const auto c = bootstrap_interval(values, {.seed = 2});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, c.low);
}

TEST(Holm, EqualsAHandComputation) {
  // Sorted .005 .01 .03 .04 times 4 3 2 1 are .02 .03 .06 .04; the last rises to .06.
  const auto adjusted = holm({0.01, 0.04, 0.03, 0.005});
  const std::vector<double> expected = {0.03, 0.06, 0.06, 0.02};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-15) << i;
}

TEST(Holm, StaysWithinOneAndKeepsASingleValue) {
  EXPECT_EQ(holm({0.3}), std::vector<double>{0.3});
  EXPECT_EQ(holm({0.6, 0.9}), (std::vector<double>{1.0, 1.0}));
  EXPECT_TRUE(holm({}).empty());
}

TEST(CompareRuns, PairsUsersByTheirIdsInWhateverOrder) {
  auto values = normal_values(60, 21);
  const auto baseline = run_named("base", normal_values(60, 20));
  auto run = run_named("new", values);
  const auto expected = compare_runs({baseline, run});
  std::reverse(run.users.begin(), run.users.end());
  run.values = run.values.flip(0);
  const auto permuted = compare_runs({baseline, run});
  EXPECT_EQ(expected.differences[0].p_value, permuted.differences[0].p_value);
  EXPECT_EQ(expected.differences[0].interval.low, permuted.differences[0].interval.low);
  EXPECT_EQ(expected.differences[0].mean, permuted.differences[0].mean);
}

TEST(CompareRuns, FindsARealGainAndNotItsAbsence) {
  const auto base = normal_values(200, 31);
  auto better = base;
  auto same = base;
  const auto noise = normal_values(200, 32);
  for (size_t i = 0; i < base.size(); ++i) {
    better[i] += 0.5 + 0.2 * noise[i];
    same[i] += 0.2 * noise[i];
  }
  const auto comparison =
      compare_runs({run_named("base", base), run_named("better", better), run_named("same", same)});
  ASSERT_EQ(comparison.differences.size(), 2);
  EXPECT_NEAR(comparison.differences[0].mean, 0.5, 0.05);
  EXPECT_GT(comparison.differences[0].interval.low, 0.4);
  EXPECT_LT(comparison.differences[0].adjusted_p, 0.001);
  EXPECT_GT(comparison.differences[1].adjusted_p, 0.05);
  EXPECT_LT(comparison.differences[1].interval.low, 0.0);
  EXPECT_GT(comparison.differences[1].interval.high, 0.0);
}

TEST(CompareRuns, LeavesOutUsersWithoutAValueInEither) {
  auto baseline = run_named("base", {1, 2, std::nan(""), 4});
  auto run = run_named("new", {2, std::nan(""), 3, 6});
  const auto comparison = compare_runs({baseline, run});
  EXPECT_EQ(comparison.differences[0].num_users, 2);
  EXPECT_DOUBLE_EQ(comparison.differences[0].mean, 1.5);
}

TEST(CompareRuns, RefusesWhatCannotBeCompared) {
  const auto baseline = run_named("base", {1, 2});
  EXPECT_EQ(refusal({baseline}), "base: error: a comparison needs at least two runs");

  auto other_data = run_named("new", {1, 2});
  other_data.fingerprint = "xyz";
  EXPECT_EQ(
      refusal({baseline, other_data}),
      "new: error: cannot be compared with 'base': they were evaluated on different data (xyz "
      "and abc)");

  auto other_split = run_named("new", {1, 2});
  other_split.split = "validation";
  EXPECT_EQ(refusal({baseline, other_split}),
            "new: error: cannot be compared with 'base': they were evaluated on different splits "
            "(validation and test)");

  auto other_protocol = run_named("new", {1, 2});
  other_protocol.protocol = "sampled";
  EXPECT_EQ(refusal({baseline, other_protocol}),
            "new: error: cannot be compared with 'base': they were evaluated in different ways "
            "(sampled; and full ranking, seen items masked)");

  auto other_user = run_named("new", {1, 2});
  other_user.users[1] = "u7";
  EXPECT_EQ(refusal({baseline, other_user}),
            "new: error: cannot be compared with 'base': it has no values of user 'u1'");

  EXPECT_EQ(refusal({baseline, run_named("new", {1, 2, 3})}),
            "new: error: cannot be compared with 'base': it has values of 3 users, the other of 2");

  auto other_metric = run_named("new", {1, 2});
  other_metric.metrics = {"recall@5"};
  EXPECT_EQ(refusal({baseline, other_metric}),
            "base: error: has no metric that all other runs have too");
}

TEST(CompareRuns, WritesWhatItFoundAsTextAndJson) {
  // Differences .1 .1 .1 of three users: exact p 2 of 8.
  const auto comparison =
      compare_runs({run_named("base", {0.1, 0.2, 0.3}), run_named("new", {0.2, 0.3, 0.4})});
  const auto text = to_text(comparison);
  for (const auto* part : {"test, 3 users, full ranking, seen items masked", "baseline", "+0.1000",
                           "[0.1000, 0.1000]", "0.2500", "corrected for 1 test"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  const auto json = nlohmann::json::parse(to_json(comparison));
  EXPECT_EQ(json["baseline"], "base");
  EXPECT_NEAR(json["runs"][1]["metrics"]["ndcg@10"]["mean"].get<double>(), 0.3, 1e-12);
  EXPECT_DOUBLE_EQ(json["differences"][0]["p_value"].get<double>(), 0.25);
  EXPECT_EQ(json["differences"][0]["num_users"], 3);
}

}  // namespace
}  // namespace reckon::significance_test
