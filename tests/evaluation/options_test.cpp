#include "evaluation/options.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/catalog.h"

namespace reckon::options_test {
namespace {

EvaluationOptions read(const std::string& yaml) {
  const Catalog catalog;
  return read_config<EvaluationOptions>(parse_yaml(yaml, "e.yaml"), catalog);
}

std::string problems_of(const std::string& yaml) {
  try {
    read(yaml);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(MetricName, ReadsWhatItWrites) {
  for (const auto& word : MetricName::words()) {
    const bool has_cutoff = word != "auc" && word != "rmse" && word != "mae";
    const auto text = has_cutoff ? word + "@7" : word;
    const auto name = MetricName::parse(text);
    EXPECT_EQ(name.to_string(), text);
    EXPECT_EQ(name.k, has_cutoff ? 7 : 0);
    EXPECT_EQ(name.needs_list(), has_cutoff);
  }
}

TEST(MetricName, KnowsWhichWayIsBetter) {
  for (const auto* better_when_low :
       {"rmse", "mae", "gini@5", "popularity@5", "miscalibration@5"}) {
    EXPECT_FALSE(MetricName::parse(better_when_low).higher_is_better()) << better_when_low;
  }
  for (const auto* better_when_high :
       {"ndcg@5", "auc", "coverage@5", "novelty@5", "category_coverage@5"}) {
    EXPECT_TRUE(MetricName::parse(better_when_high).higher_is_better()) << better_when_high;
  }
}

TEST(MetricName, RefusesEachKindOfMistakeWithItsReason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"ndgc@10", "there is no metric 'ndgc'; did you mean 'ndcg'?"},
      {"recall", "'recall' needs a cut-off; write it as 'recall@10'"},
      {"auc@10", "'auc' has no cut-off; write 'auc' alone"},
      {"mrr@0", "'0' is no cut-off; a whole number from 1 to 1000000, such as 'mrr@10'"},
      {"mrr@-3", "'-3' is no cut-off; a whole number from 1 to 1000000, such as 'mrr@10'"},
      {"mrr@", "'' is no cut-off; a whole number from 1 to 1000000, such as 'mrr@10'"},
      {"mrr@ten", "'ten' is no cut-off; a whole number from 1 to 1000000, such as 'mrr@10'"},
      {"mrr@1e3", "'1e3' is no cut-off; a whole number from 1 to 1000000, such as 'mrr@10'"},
      {"mrr@99999999999999999999",
       "'99999999999999999999' is no cut-off; a whole number from 1 to 1000000, such as 'mrr@10'"}};
  for (const auto& [text, reason] : cases) {
    try {
      MetricName::parse(text);
      ADD_FAILURE() << text << " was read";
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(error.what(), reason);
    }
  }
}

TEST(EvaluationOptions, ReadsEveryKey) {
  const auto options = read(
      "metrics: [hit_rate@3, auc]\n"
      "split: validation\n"
      "protocol: sampled\n"
      "negatives: {count: 7, distribution: popularity, seed: 5}\n"
      "mask_seen: false\n"
      "relevant_from: 4\n"
      "per_user: false\n"
      "top_k_lists: 20\n"
      "batch_size: 64\n"
      "threads: 2\n");
  EXPECT_EQ(options.metrics, (std::vector<MetricName>{{Metric::kHitRate, 3}, {Metric::kAuc, 0}}));
  EXPECT_EQ(options.split, Split::kValidation);
  EXPECT_EQ(options.protocol, EvaluationProtocol::kSampled);
  EXPECT_EQ(options.negatives->count, 7);
  EXPECT_EQ(options.negatives->distribution, NegativeSampling::Distribution::kPopularity);
  EXPECT_EQ(options.negatives->seed, 5);
  EXPECT_FALSE(options.mask_seen);
  EXPECT_EQ(options.relevant_from, 4.0);
  EXPECT_FALSE(options.per_user);
  EXPECT_EQ(options.top_k_lists, 20);
  EXPECT_EQ(options.batch_size, 64);
  EXPECT_EQ(options.threads, 2);
}

TEST(EvaluationOptions, NamesTheEntryThatIsNoMetric) {
  const auto problems = problems_of("metrics: [recall@10, recal@20, mrr]\n");
  EXPECT_NE(problems.find("e.yaml:1:22: error: metrics[1]: there is no metric 'recal'"),
            std::string::npos)
      << problems;
  EXPECT_NE(problems.find("did you mean 'recall'?"), std::string::npos) << problems;
  EXPECT_NE(problems.find("e.yaml:1:32: error: metrics[2]: 'mrr' needs a cut-off"),
            std::string::npos)
      << problems;
}

TEST(EvaluationOptions, RefusesNegativesThatNobodyReads) {
  EXPECT_NE(problems_of("negatives: {count: 10}\n").find("is only read with `protocol: sampled`"),
            std::string::npos);
}

TEST(EvaluationOptions, RefusesTheSameMetricTwice) {
  EXPECT_NE(problems_of("metrics: [auc, recall@5, auc]\n").find("names a metric twice"),
            std::string::npos);
}

TEST(EvaluationOptions, SayWhereTheyAskForRatings) {
  const auto section =
      parse_yaml("metrics: [ndcg@5, mae]\nrelevant_from: 4\nsplit: test\n", "e.yaml");
  const Catalog catalog;
  const auto options = read_config<EvaluationOptions>(section, catalog);
  Problems problems;
  check_without_ratings(options, &section, problems);
  ASSERT_EQ(problems.size(), 2);
  EXPECT_EQ(problems.diagnostics()[0].where.to_string(), "e.yaml:1:19");
  EXPECT_EQ(problems.diagnostics()[0].message,
            "evaluation.metrics[1]: mae compares ratings, and the data has none");
  EXPECT_EQ(problems.diagnostics()[1].where.to_string(), "e.yaml:2:16");
  Problems none;
  check_without_ratings(EvaluationOptions(), nullptr, none);
  EXPECT_TRUE(none.is_empty());
}

TEST(EvaluationOptions, RefusesAnEmptyListOfMetrics) {
  EXPECT_NE(problems_of("metrics: []\n").find("metrics"), std::string::npos);
}

}  // namespace
}  // namespace reckon::options_test
