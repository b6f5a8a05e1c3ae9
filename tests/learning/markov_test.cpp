// Models learn what is there to be learnt: on data with a known rule they come close to the rule itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/files.h"
#include "core/random.h"
#include "tests/support/program.h"

namespace reckon::markov_test {
namespace {

constexpr int64_t kUsers = 1500, kItems = 200, kCutoff = 10;
constexpr std::array<double, 5> kSuccessors = {0.3, 0.2, 0.15, 0.1, 0.05};

/// Histories in which the next item depends on the one before: five successors, else any item by a
/// popularity that falls with its number. No item comes twice to a user.
class MarkovData {
 public:
  MarkovData() {
    double total = 0.0;
    for (int64_t i = 0; i < kItems; ++i)
      total += popularity_.emplace_back(1.0 / static_cast<double>(i + 5));
    for (auto& share : popularity_) share /= total;
    for (int64_t user = 0; user < kUsers; ++user) histories_.push_back(history(user));
  }

  void write(const std::string& path) const {
    std::ofstream out(path);
    for (int64_t user = 0; user < kUsers; ++user) {
      out << "u" << user;
      for (const auto item : histories_[user]) out << " i" << item;
      out << "\n";
    }
  }

  /// NDCG of whoever knows the rule and the history.
  double ndcg_of_the_rule() const {
    double sum = 0.0;
    for (const auto& history : histories_) {
      const auto target = history.back(), last = history[history.size() - 2];
      const std::set<int64_t> seen(history.begin(), history.end() - 1);
      const auto p = next_item(last);
      int64_t better = 0;
      for (int64_t i = 0; i < kItems; ++i)
        better += !seen.contains(i) && (p[i] > p[target] || (p[i] == p[target] && i < target));
      if (better < kCutoff) sum += 1.0 / std::log2(static_cast<double>(better) + 2.0);
    }
    return sum / static_cast<double>(kUsers);
  }

 private:
  std::vector<double> next_item(int64_t item) const {
    std::vector<double> p(kItems);
    const double rest = 1.0 - std::accumulate(kSuccessors.begin(), kSuccessors.end(), 0.0);
    for (int64_t i = 0; i < kItems; ++i) p[i] = rest * popularity_[i];
    for (size_t s = 0; s < kSuccessors.size(); ++s)
      p[mix64(static_cast<uint64_t>(item) * 31 + s) % kItems] += kSuccessors[s];
    return p;
  }

  std::vector<int64_t> history(int64_t user) const {
    const RandomKey key(9, 100, 0, static_cast<uint64_t>(user));
    uint64_t counter = 0;
    const auto uniform = [&] { return static_cast<double>(key.bits(counter++) >> 11) * 0x1p-53; };
    std::vector<int64_t> items = {static_cast<int64_t>(uniform() * kItems)};
    const int64_t length = 6 + static_cast<int64_t>(uniform() * 15.0);
    while (static_cast<int64_t>(items.size()) < length) {
      const auto p = next_item(items.back());
      double at = uniform();
      int64_t item = 0;
      while (item + 1 < kItems && at >= p[item]) at -= p[item++];
      if (std::find(items.begin(), items.end(), item) == items.end()) items.push_back(item);
    }
    return items;
  }

  std::vector<double> popularity_;
  std::vector<std::vector<int64_t>> histories_;
};

class Learning : public ::testing::TestWithParam<const char*> {
 protected:
  static double ndcg(const TemporaryFolder& folder, const std::string& name,
                     const std::string& model, const std::string& training) {
    std::ofstream(folder.file(name + ".yaml"))
        << "data:\n  directory: '" << folder.path().string() << "'\n  cache: '"
        << folder.file("cache")
        << "'\n  files: {interactions: {path: sequences.txt, format: sequences}}\n"
        << "model: " << model << "\ntraining: " << training
        << "\nevaluation: {metrics: [ndcg@10]}\n";
    EXPECT_EQ(run_reckon(
                  {"train", folder.file(name + ".yaml"), "--quiet", "--run", folder.file(name)}),
              0);
    return nlohmann::json::parse(read_file(folder.file(name + "/result.json")))
        .at("metrics")
        .at("ndcg@10");
  }
};

// Half of the way from popularity to the rule is far from what a broken loss reaches, and far below what a
// whole one does, so that noise decides nothing.
TEST_P(Learning, ClosesMostOfTheGapBetweenPopularityAndTheRule) {
  const MarkovData data;
  const TemporaryFolder folder("learning-" + std::string(GetParam()));
  data.write(folder.file("sequences.txt"));
  const double floor = ndcg(folder, "popularity", "{preset: popularity}", "{type: fit}");
  const double model =
      ndcg(folder, "model", "{preset: " + std::string(GetParam()) + ", dim: 32}",
           "{epochs: 40, batch_size: 64, optimizer: {lr: 3e-3}, early_stopping: null}");
  const double rule = data.ndcg_of_the_rule();
  ASSERT_GT(rule, floor + 0.1);
  EXPECT_GT((model - floor) / (rule - floor), 0.5)
      << "popularity " << floor << ", model " << model << ", rule " << rule;
  EXPECT_LT(model, rule + 0.02) << "better than who knows the rule: the evaluation leaks";
}

INSTANTIATE_TEST_SUITE_P(Preset, Learning,
                         ::testing::Values("gru4rec", "sasrec", "sasrec_softmax", "esasrec"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace reckon::markov_test
