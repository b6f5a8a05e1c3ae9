#include "models/item_knn.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ids.h"
#include "models/interaction_matrix.h"
#include "tests/models/linear_support.h"

namespace reckon::item_knn_test {
namespace {

// The slow obvious formula for two columns of users by items, NaN where there is no interaction.
double oracle(const SimilarityOptions& o, const torch::Tensor& ratings, int64_t i, int64_t j) {
  const int64_t num_users = ratings.size(0), num_items = ratings.size(1);
  const auto values = ratings.accessor<double, 2>();
  const auto at = [&](int64_t u, int64_t item) { return values[u][item]; };
  const auto has = [&](int64_t u, int64_t item) { return !std::isnan(at(u, item)); };
  const auto degree = [&](int64_t u) {
    int64_t n = 0;
    for (int64_t item = 0; item < num_items; ++item) n += has(u, item) ? 1 : 0;
    return static_cast<double>(n);
  };
  const auto length = [&](int64_t item) {
    int64_t n = 0;
    for (int64_t u = 0; u < num_users; ++u) n += has(u, item) ? 1 : 0;
    return static_cast<double>(n);
  };
  double mean_length = 0.0;
  for (int64_t item = 0; item < num_items; ++item) mean_length += length(item) / num_items;
  const auto element = [&](int64_t u, int64_t item) {
    if (!has(u, item)) return 0.0;
    const double idf = std::log(static_cast<double>(num_items)) - std::log(1.0 + degree(u));
    switch (o.weighting) {
      case Weighting::kOnes:
      case Weighting::kCounts:
        return 1.0;
      case Weighting::kRatings:
        return at(u, item);
      case Weighting::kTfIdf:
        return idf;
      case Weighting::kBm25:
        return (o.bm25_k1 + 1) /
               (1 + o.bm25_k1 * (1 - o.bm25_b + o.bm25_b * length(item) / mean_length)) * idf;
      case Weighting::kDegree:
        return 1.0 / std::pow(degree(u), o.degree_power);
    }
    return 0.0;
  };
  std::vector<double> x, y;  // common ratings
  double n = 0, xy = 0, xx = 0, yy = 0;
  for (int64_t u = 0; u < num_users; ++u) {
    xy += element(u, i) * element(u, j);
    xx += element(u, i) * element(u, i);
    yy += element(u, j) * element(u, j);
    if (!has(u, i) || !has(u, j)) continue;
    ++n;
    double mean = 0.0;
    if (o.measure == Similarity::kAdjustedCosine)
      for (int64_t item = 0; item < num_items; ++item)
        if (has(u, item)) mean += at(u, item) / degree(u);
    x.push_back(at(u, i) - mean);
    y.push_back(at(u, j) - mean);
  }
  if (n == 0 || n < static_cast<double>(o.min_support)) return 0.0;
  const auto mean_of = [&](const std::vector<double>& v) {
    return std::accumulate(v.begin(), v.end(), 0.0) / n;
  };
  double value = 0.0;
  switch (o.measure) {
    case Similarity::kCosine:
      value = xy / std::sqrt(xx * yy);
      break;
    case Similarity::kAsymmetricCosine:
      value = xy / (std::pow(xx, o.alpha) * std::pow(yy, 1 - o.alpha));
      break;
    case Similarity::kJaccard:
      value = n / (length(i) + length(j) - n);
      break;
    case Similarity::kMsd: {
      double squares = 0.0;
      for (size_t k = 0; k < x.size(); ++k) squares += (x[k] - y[k]) * (x[k] - y[k]) / n;
      value = 1 / (1 + squares);
      break;
    }
    case Similarity::kPearson:
    case Similarity::kAdjustedCosine: {
      const bool centred = o.measure == Similarity::kPearson;
      const double mx = centred ? mean_of(x) : 0.0, my = centred ? mean_of(y) : 0.0;
      double a = 0, b = 0, c = 0;
      for (size_t k = 0; k < x.size(); ++k) {
        a += (x[k] - mx) * (y[k] - my);
        b += (x[k] - mx) * (x[k] - mx);
        c += (y[k] - my) * (y[k] - my);
      }
      value = b < 1e-9 || c < 1e-9 ? 0.0 : a / std::sqrt(b * c);
      break;
    }
  }
  return std::max(0.0, value * n / (n + o.shrinkage));
}

std::vector<SimilarityOptions> every_similarity() {
  std::vector<SimilarityOptions> all;
  for (const auto& [name, measure] : EnumNames<Similarity>::all()) {
    SimilarityOptions o;
    o.measure = measure;
    o.alpha = 0.3;
    all.push_back(o);
    o.shrinkage = 2.5;
    o.min_support = 2;
    all.push_back(o);
    if (measure != Similarity::kCosine && measure != Similarity::kAsymmetricCosine) continue;
    for (const auto& [word, weighting] : EnumNames<Weighting>::all()) {
      o.weighting = weighting;
      all.push_back(o);
    }
  }
  return all;
}

std::string name_of(const SimilarityOptions& o) {
  std::string out;
  for (const auto& [name, value] : EnumNames<Similarity>::all())
    if (value == o.measure) out += name;
  for (const auto& [name, value] : EnumNames<Weighting>::all())
    if (value == o.weighting) out += " of " + name;
  return out;
}

TEST(ItemKnn, EveryMeasureAndWeightingEqualsItsFormula) {
  for (const auto& [users, items] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {9, 4}, {40, 15}}) {
    const auto data = made_interactions(users, items, 5);
    const auto ratings = dense_of(data, /*ratings=*/true, std::nan(""));
    for (const auto& o : every_similarity()) {
      auto expected = torch::zeros({items, items}, torch::kDouble);
      for (int64_t i = 0; i < items; ++i)
        for (int64_t j = 0; j < items; ++j)
          if (i != j) expected[i][j] = oracle(o, ratings, i, j);
      ItemKnn model({.neighbors = 0, .similarity = o}, {.num_users = users, .num_items = items});
      model.fit(data, {});
      Batch request(items);
      request.set(batch_key::kHistory, torch::arange(items).unsqueeze(1));  // [I, 1]
      const auto got = all_scores(model, request).to(torch::kDouble);       // [I, I]
      EXPECT_TRUE(torch::allclose(got, expected, 1e-4, 1e-5))
          << name_of(o) << ", " << users << " users\n"
          << (got - expected).abs().max();
    }
  }
}

TEST(ItemKnn, ScoresAddUpOverDistinctItemsAndTheKNearestOfTheHistoryOrOfTheCandidate) {
  const auto data = made_interactions(60, 12, 6);
  const SimilarityOptions o;
  const auto ratings = dense_of(data, true, std::nan(""));
  std::vector<std::vector<double>> similar(12, std::vector<double>(12));
  for (int64_t i = 0; i < 12; ++i)
    for (int64_t j = 0; j < 12; ++j) similar[i][j] = i == j ? 0.0 : oracle(o, ratings, i, j);
  const auto is_near = [&](int64_t of, int64_t other) {
    int64_t better = 0;
    for (int64_t k = 0; k < 12; ++k)
      if (k != of && (similar[of][k] > similar[of][other] + 1e-7 ||
                      (std::abs(similar[of][k] - similar[of][other]) <= 1e-7 && k < other)))
        ++better;
    return better < 3;
  };
  Batch request(1);
  request.set(batch_key::kHistory,
              torch::tensor({kPaddingId, int64_t{4}, int64_t{2}, int64_t{4}}).unsqueeze(0));
  for (const auto of : {ItemKnn::NeighborsOf::kHistory, ItemKnn::NeighborsOf::kCandidate}) {
    ItemKnn model({.neighbors = 3, .neighbors_of = of}, {.num_users = 60, .num_items = 12});
    model.fit(data, {});
    const auto scores = all_scores(model, request);
    for (int64_t j = 0; j < 12; ++j) {
      double expected = 0.0;
      for (const int64_t i : {2, 4})
        if (i != j && (of == ItemKnn::NeighborsOf::kHistory ? is_near(i, j) : is_near(j, i)))
          expected += similar[i][j];
      EXPECT_NEAR(scores[0][j].item<double>(), expected, 1e-5) << j;
    }
    const auto candidates = torch::tensor({{7, 0, 7}}, torch::kLong);
    EXPECT_TRUE(
        torch::equal(model.score(model.encode(request), candidates), scores.gather(1, candidates)));
  }
}

TEST(ItemKnn, TheOrderOfUsersAndTheNumberOfThreadsChangeNothing) {
  const auto data = made_interactions(50, 20, 7);
  std::vector<int64_t> order(50);
  std::iota(order.begin(), order.end(), 0);
  std::reverse(order.begin(), order.end());
  const auto request = requests_of(data);
  const int threads = at::get_num_threads();
  const auto scores = [&](const Interactions& train, int with) {
    at::set_num_threads(with);
    ItemKnn model({.neighbors = 5}, {.num_users = 50, .num_items = 20});
    model.fit(train, {});
    return all_scores(model, request);
  };
  const auto one = scores(data, 1);
  EXPECT_TRUE(torch::equal(scores(data, 2), one));
  EXPECT_TRUE(torch::equal(scores(permuted_users(data, order), 2), one));
  at::set_num_threads(threads);
}

TEST(ItemKnn, AHistoryOfItemsWithoutNeighborsIsNotUsable) {
  Interactions data;
  data.num_users = 2;
  data.num_items = 3;
  data.user_offsets = torch::tensor({0, 2, 3}, torch::kLong);
  data.items = torch::tensor({0, 1, 2}, torch::kInt);  // item 2 alone
  ItemKnn model({}, {.num_users = 2, .num_items = 3});
  model.fit(data, {});
  Batch request(3);
  request.set(batch_key::kHistory,
              torch::tensor(
                  {{kPaddingId, int64_t{2}}, {int64_t{2}, int64_t{0}}, {kPaddingId, kPaddingId}}));
  EXPECT_TRUE(torch::equal(model.usable(request), torch::tensor({false, true, false})));
}

TEST(ItemKnn, RefusesRatingsThatTheDataHasNot) {
  ItemKnn::Options options;
  options.similarity.measure = Similarity::kPearson;
  EXPECT_THROW(ItemKnn(options, {.num_users = 2, .num_items = 3, .has_ratings = false}),
               ConfigError);
  auto data = made_interactions(5, 3, 1);
  data.labels = torch::Tensor();
  ItemKnn model(options, {.num_users = 5, .num_items = 3});
  EXPECT_THROW(model.fit(data, {}), std::invalid_argument);
  EXPECT_THROW(ItemKnn({}, {.num_users = 5, .num_items = 4}).fit(data, {}), c10::Error);
}

TEST(InteractionMatrix, MergesRepetitionsAsWhatTheyAreWorth) {
  Interactions data;
  data.num_users = 2;
  data.num_items = 4;
  data.user_offsets = torch::tensor({0, 4, 4}, torch::kLong);
  data.items = torch::tensor({3, 1, 3, 3}, torch::kInt);
  data.labels = torch::tensor({5.f, 2.f, 4.f, 1.f});
  const auto values = [&](Worth worth) { return interaction_matrix(data, worth).values; };
  EXPECT_TRUE(torch::equal(interaction_matrix(data).columns, torch::tensor({1, 3}, torch::kInt)));
  EXPECT_TRUE(
      torch::equal(interaction_matrix(data).offsets, torch::tensor({0, 2, 2}, torch::kLong)));
  EXPECT_TRUE(torch::equal(values(Worth::kOne), torch::tensor({1.f, 1.f})));
  EXPECT_TRUE(torch::equal(values(Worth::kCount), torch::tensor({1.f, 3.f})));
  EXPECT_TRUE(torch::equal(values(Worth::kRating), torch::tensor({2.f, 1.f})));
  data.weights = torch::tensor({.5f, 1.f, .25f, 2.f});
  EXPECT_TRUE(torch::equal(values(Worth::kCount), torch::tensor({1.f, 2.75f})));
}

TEST(DistinctItems, KeepsEachItemOnceInAscendingOrderBehindPadding) {
  const auto history = torch::tensor({{kPaddingId, int64_t{5}, int64_t{1}, int64_t{5}},
                                      {int64_t{0}, int64_t{0}, int64_t{0}, int64_t{0}}});
  const auto got = distinct_items(history);
  const auto expected = torch::tensor({{kPaddingId, kPaddingId, int64_t{1}, int64_t{5}},
                                       {kPaddingId, kPaddingId, kPaddingId, int64_t{0}}});
  EXPECT_TRUE(torch::equal(got, expected)) << got;
}

}  // namespace
}  // namespace reckon::item_knn_test
