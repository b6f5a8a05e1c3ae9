#include "models/user_knn.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tests/models/linear_support.h"

namespace reckon::user_knn_test {
namespace {

std::set<int64_t> items_of(const Interactions& data, int64_t user) {
  std::set<int64_t> out;
  for (int64_t r = data.user_offsets[user].item<int64_t>();
       r < data.user_offsets[user + 1].item<int64_t>(); ++r)
    out.insert(data.items[r].item<int64_t>());
  return out;
}

// The slow obvious formula for two sets of items.
double oracle(const SimilarityOptions& o, int64_t num_users, const std::vector<double>& degrees,
              const std::set<int64_t>& a, const std::set<int64_t>& b) {
  const auto element = [&](int64_t item) {
    const double degree = degrees[item];
    if (o.weighting == Weighting::kTfIdf)
      return std::log(static_cast<double>(num_users)) - std::log(1.0 + degree);
    if (o.weighting == Weighting::kDegree) return 1.0 / std::pow(degree, o.degree_power);
    return 1.0;
  };
  double common = 0, n = 0, own = 0, other = 0;
  for (const auto item : a) {
    own += std::pow(element(item), 2);
    if (b.count(item) == 0) continue;
    ++n;
    common += std::pow(element(item), 2);
  }
  for (const auto item : b) other += std::pow(element(item), 2);
  if (n == 0 || n < static_cast<double>(o.min_support)) return 0.0;
  const double alpha = o.measure == Similarity::kCosine ? 0.5 : o.alpha;
  const double value = o.measure == Similarity::kJaccard
                           ? n / (static_cast<double>(a.size() + b.size()) - n)
                           : common / (std::pow(own, alpha) * std::pow(other, 1 - alpha));
  return value * n / (n + o.shrinkage);
}

TEST(UserKnn, ScoresAddUpTheSimilaritiesOfTheNearestUsersWhoHaveTheItem) {
  for (const auto& [users, items] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {30, 14}, {60, 8}}) {
    const auto data = made_interactions(users, items, 31);
    std::vector<std::set<int64_t>> sets;
    for (int64_t u = 0; u < users; ++u) sets.push_back(items_of(data, u));
    std::vector<double> degrees(items);
    for (const auto& set : sets)
      for (const auto item : set) ++degrees[item];
    for (const auto measure :
         {Similarity::kCosine, Similarity::kAsymmetricCosine, Similarity::kJaccard})
      for (const auto weighting : {Weighting::kOnes, Weighting::kTfIdf, Weighting::kDegree})
        for (const int64_t neighbors : {int64_t{5}, int64_t{1000}}) {
          if (measure == Similarity::kJaccard && weighting != Weighting::kOnes) continue;
          SimilarityOptions o;
          o.measure = measure;
          o.weighting = weighting;
          o.alpha = 0.3;
          if (neighbors == 5) {
            o.shrinkage = 1.5;
            o.min_support = 2;
          }
          UserKnn model({.neighbors = neighbors, .similarity = o},
                        {.num_users = users, .num_items = items});
          model.fit(data, {});
          const auto got = all_scores(model, requests_of(data));
          for (int64_t u = 0; u < users; ++u) {
            std::vector<std::pair<double, int64_t>> similar;
            for (int64_t v = 0; v < users; ++v)
              similar.emplace_back(-std::round(oracle(o, users, degrees, sets[u], sets[v]) * 1e6),
                                   v);
            std::sort(similar.begin(), similar.end());
            std::vector<double> expected(items);
            for (size_t n = 0; n < similar.size() && static_cast<int64_t>(n) < neighbors; ++n)
              for (const auto item : sets[similar[n].second])
                expected[item] -= similar[n].first / 1e6;
            // Where the last neighbour is as near as the next one, rounding may prefer either.
            const auto edge = static_cast<size_t>(neighbors);
            if (edge < similar.size() && similar[edge - 1].first != 0 &&
                similar[edge].first - similar[edge - 1].first <= 2)
              continue;
            for (int64_t item = 0; item < items; ++item)
              ASSERT_NEAR(got[u][item].item<double>(), expected[item], 1e-3)
                  << "user " << u << ", item " << item << ", neighbors " << neighbors;
          }
        }
  }
}

TEST(UserKnn, EqualSimilaritiesGoByTheLowerUser) {
  Interactions data;
  data.num_users = 3;
  data.num_items = 4;
  data.user_offsets = torch::tensor({0, 2, 4, 6}, torch::kLong);
  data.items = torch::tensor({0, 1, 0, 2, 0, 3}, torch::kInt);
  UserKnn model({.neighbors = 2}, {.num_users = 3, .num_items = 4});
  model.fit(data, {});
  Batch request(1);
  request.set(batch_key::kHistory, torch::zeros({1, 1}, torch::kLong));
  const auto scores = all_scores(model, request)[0];
  EXPECT_GT(scores[1].item<double>(), 0.0);
  EXPECT_GT(scores[2].item<double>(), 0.0);
  EXPECT_EQ(scores[3].item<double>(), 0.0);
}

TEST(UserKnn, TheOrderOfAHistoryItsRepetitionsAndThreadsChangeNothing) {
  const auto data = made_interactions(40, 15, 32);
  const int threads = at::get_num_threads();
  const auto scores = [&](std::vector<int64_t> history, int with) {
    at::set_num_threads(with);
    UserKnn model({.neighbors = 7}, {.num_users = 40, .num_items = 15});
    model.fit(data, {});
    Batch request(1);
    request.set(batch_key::kHistory, torch::tensor(history, torch::kLong).unsqueeze(0));
    return all_scores(model, request);
  };
  const auto one = scores({3, 0, 7}, 1);
  EXPECT_TRUE(torch::equal(scores({kPaddingId, 7, 3, 3, 0}, 2), one));
  at::set_num_threads(threads);
}

TEST(UserKnn, RefusesWhatHistoriesCannotBeComparedBy) {
  for (const auto measure : {Similarity::kPearson, Similarity::kMsd, Similarity::kAdjustedCosine}) {
    UserKnn::Options options;
    options.similarity.measure = measure;
    EXPECT_THROW(UserKnn(options, {.num_users = 2, .num_items = 2}), ConfigError);
  }
  UserKnn::Options options;
  options.similarity.weighting = Weighting::kBm25;
  EXPECT_THROW(UserKnn(options, {.num_users = 2, .num_items = 2}), ConfigError);
}

TEST(UserKnn, NeedsAnItemThatSomebodyHasAndBuffersThatFit) {
  auto data = made_interactions(20, 6, 33);
  data.num_items = 7;
  UserKnn model({}, {.num_users = 20, .num_items = 7});
  model.fit(data, {});
  Batch request(2);
  request.set(batch_key::kHistory,
              torch::tensor({{int64_t{6}, int64_t{6}}, {kPaddingId, int64_t{0}}}));
  EXPECT_TRUE(torch::equal(model.usable(request), torch::tensor({false, true})));
  EXPECT_NO_THROW(model.check_buffers());
  for (auto& buffer : model.named_buffers())
    if (buffer.key() == "user_items") buffer.value().fill_(7);
  EXPECT_THROW(model.check_buffers(), std::invalid_argument);
}

}  // namespace
}  // namespace reckon::user_knn_test
