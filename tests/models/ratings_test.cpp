// Models of ratings: against scikit-surprise (tests/references/ratings_reference.py), against the
// slow formulas, and at the edges of what data can be.
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/ids.h"
#include "core/random.h"
#include "models/baseline_only.h"
#include "models/co_clustering.h"
#include "models/knn_ratings.h"
#include "models/nmf.h"
#include "models/slope_one.h"
#include "models/svd.h"
#include "models/svd_pp.h"
#include "tests/models/rating_data.h"

namespace reckon::ratings_test {
namespace {

using ::testing::HasSubstr;

using Row = RatingRow;

std::vector<Row> some_rows(int64_t num_users, int64_t num_items, double share, uint64_t seed) {
  CounterRng random{RandomKey(seed)};
  std::vector<Row> rows;
  for (int64_t user = 0; user < num_users; ++user)
    for (int64_t item = 0; item < num_items; ++item)
      if (random.uniform() < share) rows.push_back({user, item, 1.0 + random.uniform() * 4.0});
  if (rows.empty()) rows.push_back({0, 0, 3.5});
  return rows;
}

void fit(Model& model, const Interactions& data, uint64_t seed = 1) {
  for (int64_t round = 0; round < model.fittable()->num_rounds(); ++round)
    model.fittable()->fit(data, {.seed = seed, .round = round});
}

using Make = std::function<std::shared_ptr<Model>(const Model::Deps&)>;

KnnRatings::Options knn(const std::string& name) {
  KnnRatings::Options options;
  std::istringstream words(name);
  std::string kind, similarity, side;
  words >> kind >> similarity >> side;
  for (const auto& [word, value] : EnumNames<KnnRatings::Options::Kind>::all())
    if (word == kind) options.kind = value;
  for (const auto& [word, value] : EnumNames<KnnRatings::Options::Similarity>::all())
    if (word == similarity) options.similarity = value;
  for (const auto& [word, value] : EnumNames<KnnRatings::Options::Side>::all())
    if (word == side) options.side = value;
  return options;
}

std::map<std::string, Make> every_model() {
  std::map<std::string, Make> models = {
      {"baseline_only",
       [](auto& d) { return std::make_shared<BaselineOnly>(BaselineOnly::Options{}, d); }},
      {"svd", [](auto& d) { return std::make_shared<Svd>(Svd::Options{.dim = 5}, d); }},
      {"svd unbiased",
       [](auto& d) { return std::make_shared<Svd>(Svd::Options{.dim = 5, .biased = false}, d); }},
      {"svd_pp", [](auto& d) { return std::make_shared<SvdPp>(SvdPp::Options{.dim = 5}, d); }},
      {"nmf", [](auto& d) { return std::make_shared<Nmf>(Nmf::Options{.dim = 4}, d); }},
      {"slope_one", [](auto& d) { return std::make_shared<SlopeOne>(SlopeOne::Options{}, d); }},
      {"slope_one weighted",
       [](auto& d) { return std::make_shared<SlopeOne>(SlopeOne::Options{.weighted = true}, d); }},
      {"co_clustering",
       [](auto& d) { return std::make_shared<CoClustering>(CoClustering::Options{}, d); }}};
  for (const auto* name : {"plain msd users", "centred pearson items", "z_score cosine users",
                           "baseline pearson_baseline items"})
    models["knn " + std::string(name)] = [name](auto& d) {
      return std::make_shared<KnnRatings>(knn(name), d);
    };
  return models;
}

TEST(RatingModels, PredictWhatSurpriseDoes) {
  std::ifstream file(std::string(RECKON_SOURCE_DIR) + "/tests/references/ratings_reference.json");
  const auto record = nlohmann::json::parse(file);
  const int64_t num_users = record["users"], num_items = record["items"];
  std::vector<Row> rows;
  for (const auto& row : record["ratings"]) rows.push_back({row[0], row[1], row[2]});
  const auto data = data_of(rows, num_users, num_items);
  auto whole = data;
  whole.labels = data.labels.floor();  // [E]
  const Model::Deps deps{.num_users = num_users, .num_items = num_items};
  ASSERT_GE(record["predictions"].size(), 35U);
  for (const auto& [name, expected] : record["predictions"].items()) {
    std::shared_ptr<Model> model;
    if (name == "baseline_als") {
      model =
          std::make_shared<BaselineOnly>(BaselineOnly::Options{.baseline = {.epochs = 3}}, deps);
    } else if (name == "baseline_sgd") {
      model = std::make_shared<BaselineOnly>(
          BaselineOnly::Options{.baseline = {.method = BaselineOptions::Method::kSgd, .epochs = 4}},
          deps);
    } else if (name == "slope_one") {
      model = std::make_shared<SlopeOne>(SlopeOne::Options{}, deps);
    } else {
      auto options = knn(name);
      options.neighbors = 3;
      options.min_neighbors = 2;
      options.min_support = 3;
      options.shrinkage = 5;
      model = std::make_shared<KnnRatings>(options, deps);
    }
    fit(*model, name == "slope_one" ? whole : data);
    const auto got = predictions(*model, first(num_users));  // [U, I]
    ASSERT_GE(expected.size(), 40U) << name;
    for (const auto& p : expected)
      EXPECT_NEAR(got[p[0].get<int64_t>()][p[1].get<int64_t>()].item<double>(), p[2].get<double>(),
                  2e-5)
          << name << " " << p[0] << " " << p[1];
  }
}

// --- The slow formulas, from the vectors with which the models begin.

struct Factors64 {
  std::vector<std::vector<double>> p, q, y;
  std::vector<double> b, c;
};

std::vector<std::vector<double>> rows_of(const torch::Tensor& table) {
  std::vector<std::vector<double>> out;
  for (int64_t i = 0; i < table.size(0); ++i) {
    out.emplace_back();
    for (int64_t d = 0; d < table.size(1); ++d) out.back().push_back(table[i][d].item<double>());
  }
  return out;
}

// The rows of each user in the order of a round.
std::vector<Row> in_order(std::vector<Row> rows, uint64_t seed, int64_t round) {
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin;
    while (end < rows.size() && rows[end].user == rows[begin].user) ++end;
    shuffle(std::span<Row>(rows.data() + begin, end - begin),
            RandomKey(seed, RandomStream::kShuffle, static_cast<uint64_t>(round),
                      static_cast<uint64_t>(rows[begin].user)));
    begin = end;
  }
  return rows;
}

double mean_of(const std::vector<Row>& rows) {
  double sum = 0.0;
  for (const auto& row : rows) sum += row.rating;
  return sum / static_cast<double>(rows.size());
}

TEST(Svd, FollowsTheStepsOfItsFormulaFromRatingToRating) {
  for (const auto& [users, items, width] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {6, 5, 3}, {9, 8, 37}}) {
    const auto rows = some_rows(users, items, 0.7, 3);
    const double mean = mean_of(rows), lr = 0.02, l2 = 0.1;
    Svd model({.scale = {.clip = false}, .dim = width, .epochs = 3, .lr = lr, .l2 = l2},
              {.num_users = users, .num_items = items});
    fit(model, data_of(rows, users, items), 5);
    Factors64 f{rows_of(normal_table(users, width, 0.0, 0.1, 5, 0)),
                rows_of(normal_table(items, width, 0.0, 0.1, 5, 1)),
                {},
                std::vector<double>(static_cast<size_t>(users)),
                std::vector<double>(static_cast<size_t>(items))};
    const auto dot = [&](size_t u, size_t i) {
      double sum = 0.0;
      for (size_t d = 0; d < static_cast<size_t>(width); ++d) sum += f.p[u][d] * f.q[i][d];
      return sum;
    };
    for (int64_t epoch = 0; epoch < 3; ++epoch)
      for (const auto& row : in_order(rows, 5, epoch)) {
        const auto u = static_cast<size_t>(row.user), i = static_cast<size_t>(row.item);
        const double error = row.rating - (mean + f.b[u] + f.c[i] + dot(u, i));
        f.b[u] += lr * (error - l2 * f.b[u]);
        f.c[i] += lr * (error - l2 * f.c[i]);
        for (size_t d = 0; d < static_cast<size_t>(width); ++d) {
          const double p = f.p[u][d], q = f.q[i][d];
          f.p[u][d] += lr * (error * q - l2 * p);
          f.q[i][d] += lr * (error * p - l2 * q);
        }
      }
    const auto got = predictions(model, first(users));  // [U, I]
    for (const auto& row : rows) {
      const auto u = static_cast<size_t>(row.user), i = static_cast<size_t>(row.item);
      EXPECT_NEAR(got[row.user][row.item].item<double>(), mean + f.b[u] + f.c[i] + dot(u, i), 1e-4)
          << users << " users, width " << width;
    }
  }
}

TEST(SvdPp, OneStepForAllImplicitVectorsOfAUserIsTheirStepsOneAfterAnother) {
  for (const auto& [users, items, width] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {6, 5, 3}, {9, 8, 21}}) {
    const auto rows = some_rows(users, items, 0.7, 4);
    const double mean = mean_of(rows), lr = 0.03, l2 = 0.2;
    SvdPp model({.scale = {.clip = false}, .dim = width, .epochs = 3, .lr = lr, .l2 = l2},
                {.num_users = users, .num_items = items});
    fit(model, data_of(rows, users, items), 5);
    Factors64 f{rows_of(normal_table(users, width, 0.0, 0.1, 5, 0)),
                rows_of(normal_table(items, width, 0.0, 0.1, 5, 1)),
                rows_of(normal_table(items, width, 0.0, 0.1, 5, 2)),
                std::vector<double>(static_cast<size_t>(users)),
                std::vector<double>(static_cast<size_t>(items))};
    std::vector<std::vector<size_t>> rated(static_cast<size_t>(users));
    for (const auto& row : rows)
      rated[static_cast<size_t>(row.user)].push_back(static_cast<size_t>(row.item));
    const auto whole = [&](size_t u, size_t d) {
      double sum = 0.0;
      for (const auto j : rated[u]) sum += f.y[j][d];
      return sum / std::sqrt(static_cast<double>(rated[u].size()));
    };
    const auto predict = [&](size_t u, size_t i) {
      double sum = mean + f.b[u] + f.c[i];
      for (size_t d = 0; d < static_cast<size_t>(width); ++d)
        sum += f.q[i][d] * (f.p[u][d] + whole(u, d));
      return sum;
    };
    for (int64_t epoch = 0; epoch < 3; ++epoch)
      for (const auto& row : in_order(rows, 5, epoch)) {
        const auto u = static_cast<size_t>(row.user), i = static_cast<size_t>(row.item);
        const double error = row.rating - predict(u, i);
        const double root = std::sqrt(static_cast<double>(rated[u].size()));
        f.b[u] += lr * (error - l2 * f.b[u]);
        f.c[i] += lr * (error - l2 * f.c[i]);
        for (size_t d = 0; d < static_cast<size_t>(width); ++d) {
          const double p = f.p[u][d], q = f.q[i][d], all = whole(u, d);
          f.p[u][d] += lr * (error * q - l2 * p);
          f.q[i][d] += lr * (error * (p + all) - l2 * q);
          for (const auto j : rated[u]) f.y[j][d] += lr * (error * q / root - l2 * f.y[j][d]);
        }
      }
    const auto got = predictions(model, first(users));  // [U, I]
    for (const auto& row : rows)
      EXPECT_NEAR(got[row.user][row.item].item<double>(),
                  predict(static_cast<size_t>(row.user), static_cast<size_t>(row.item)), 1e-4)
          << users << " users, width " << width;
  }
}

TEST(Nmf, MultipliesBothSidesByWhatWasWantedOverWhatWasThere) {
  for (const auto& [users, items, width] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {7, 5, 3}}) {
    const auto rows = some_rows(users, items, 0.7, 6);
    Nmf model({.scale = {.clip = false}, .dim = width, .epochs = 4, .user_l2 = 0.1, .item_l2 = 0.3},
              {.num_users = users, .num_items = items});
    const auto data = data_of(rows, users, items);
    fit(model, data, 5);
    auto p = uniform_table(users, width, 0.0, 1.0, 5, 0).to(torch::kDouble);  // [U, D]
    auto q = uniform_table(items, width, 0.0, 1.0, 5, 1).to(torch::kDouble);  // [I, D]
    auto r = torch::zeros({users, items}, torch::kDouble);                    // [U, I]
    auto seen = torch::zeros_like(r);                                         // [U, I]
    for (const auto& row : rows) {
      r[row.user][row.item] = static_cast<float>(row.rating);
      seen[row.user][row.item] = 1.0;
    }
    for (int epoch = 0; epoch < 4; ++epoch) {
      const auto there = p.matmul(q.t()) * seen;  // [U, I]
      const auto new_p =
          p * (r.matmul(q) / (there.matmul(q) + seen.sum(1, true) * 0.1 * p)).nan_to_num(0.0);
      q = q * (r.t().matmul(p) / (there.t().matmul(p) + seen.sum(0).unsqueeze(1) * 0.3 * q))
                  .nan_to_num(0.0);
      p = new_p;
    }
    const auto expected = p.matmul(q.t());              // [U, I]
    const auto got = predictions(model, first(users));  // [U, I]
    for (const auto& row : rows)
      EXPECT_NEAR(got[row.user][row.item].item<double>(),
                  expected[row.user][row.item].item<double>(), 1e-4);
  }
}

TEST(CoClustering, FindsTheBlocksThatRatingsAreMadeOf) {
  // Two kinds of users and of items; what they rate depends on the pair alone.
  std::vector<Row> rows;
  for (int64_t user = 0; user < 20; ++user)
    for (int64_t item = 0; item < 16; ++item)
      if ((user * 7 + item * 5) % 4 != 0)
        rows.push_back({user, item, user % 2 == item % 2 ? 5.0 : 2.0});
  double best = 1e9;
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {  // it stays in the nearest minimum
    CoClustering model({.user_groups = 2, .item_groups = 2}, {.num_users = 20, .num_items = 16});
    fit(model, data_of(rows, 20, 16), seed);
    const auto got = predictions(model, first(20));  // [U, I]
    double error = 0.0;
    for (int64_t user = 0; user < 20; ++user)
      for (int64_t item = 0; item < 16; ++item)
        error = std::max(error, std::abs(got[user][item].item<double>() -
                                         (user % 2 == item % 2 ? 5.0 : 2.0)));
    best = std::min(best, error);
  }
  EXPECT_LT(best, 0.3);
}

TEST(CoClustering, EveryUserEndsInTheGroupWithTheLeastError) {
  const auto rows = some_rows(12, 9, 0.6, 2);
  const auto data = data_of(rows, 12, 9);
  double last = 1e9;
  CoClustering model({.epochs = 8}, {.num_users = 12, .num_items = 9});
  for (int64_t round = 0; round < 8; ++round) {
    const double loss = model.fit(data, {.seed = 3, .round = round});
    EXPECT_LT(loss, last + 0.05) << "round " << round;
    last = loss;
  }
  // In double, of one group each, it is the sum of the deviations of user and item from the mean.
  CoClustering one({.scale = {.clip = false}, .user_groups = 1, .item_groups = 1, .epochs = 1},
                   {.num_users = 12, .num_items = 9});
  fit(one, data);
  std::vector<double> user_sum(12), item_sum(9), user_count(12), item_count(9);
  for (const auto& row : rows) {
    user_sum[static_cast<size_t>(row.user)] += row.rating;
    ++user_count[static_cast<size_t>(row.user)];
    item_sum[static_cast<size_t>(row.item)] += row.rating;
    ++item_count[static_cast<size_t>(row.item)];
  }
  const auto got = predictions(one, first(12));  // [U, I]
  for (const auto& row : rows) {
    const auto u = static_cast<size_t>(row.user), i = static_cast<size_t>(row.item);
    EXPECT_NEAR(got[row.user][row.item].item<double>(),
                user_sum[u] / user_count[u] + item_sum[i] / item_count[i] - mean_of(rows), 1e-4);
  }
}

// --- Laws of all of them.

TEST(RatingModels, WithTheSameSeedPredictTheSameOnAnyNumberOfThreads) {
  const auto data = data_of(some_rows(90, 70, 0.4, 8), 90, 70);
  for (const auto& [name, make] : every_model()) {
    std::vector<torch::Tensor> got;
    const int before = at::get_num_threads();
    for (const int threads : {1, 2, 1}) {
      at::set_num_threads(threads);
      const auto model = make({.num_users = 90, .num_items = 70});
      fit(*model, data);
      got.push_back(predictions(*model, first(90)));  // [U, I]
    }
    at::set_num_threads(before);
    EXPECT_TRUE(torch::equal(got[0], got[1])) << name;
    EXPECT_TRUE(torch::equal(got[0], got[2])) << name;
    EXPECT_GT(got[0].std().item<double>(), 0.01) << name;
  }
}

TEST(RatingModels, ScoresOfAllItemsAreTheScoresOfEach) {
  const auto data = data_of(some_rows(9, 11, 0.5, 8), 9, 11);
  for (const auto& [name, make] : every_model()) {
    const auto model = make({.num_users = 9, .num_items = 11});
    fit(*model, data);
    if (!model->can_score_all()) continue;
    Batch request(3);
    request.set(batch_key::kUsers,
                torch::tensor({int64_t{4}, kUnknownId, int64_t{0}}, torch::kLong));
    EXPECT_TRUE(torch::allclose(model->score_all(model->encode(request)),
                                predictions(*model, {4, kUnknownId, 0}), 1e-6, 1e-6))
        << name;
  }
}

TEST(RatingModels, AnUnknownUserOrItemHasAFinitePredictionWithinTheScale) {
  // User 3 and item 4 have no rating.
  const auto data =
      data_of({{0, 0, 5}, {0, 1, 4}, {1, 0, 2}, {1, 2, 1}, {2, 1, 3}, {2, 3, 5}}, 4, 5);
  for (const auto& [name, make] : every_model()) {
    const auto model = make({.num_users = 4, .num_items = 5});
    fit(*model, data);
    const auto got = predictions(*model, {0, 3, kUnknownId});  // [3, I]
    EXPECT_TRUE(got.isfinite().all().item<bool>()) << name << got;
    EXPECT_TRUE(got.ge(1).logical_and(got.le(5)).all().item<bool>()) << name << got;
    EXPECT_TRUE(torch::equal(got[1], got[2])) << name << ": no rating is no user";
    // Nothing is known of either: the mean of all.
    EXPECT_NEAR(got[1][4].item<double>(), 20.0 / 6.0, 1e-5) << name;
    Batch request(2);
    request.set(batch_key::kUsers, torch::tensor({int64_t{0}, kUnknownId}, torch::kLong));
    EXPECT_TRUE(model->usable(request).all().item<bool>()) << name;
  }
}

TEST(RatingModels, PermutingUsersPermutesPredictions) {
  const auto rows = some_rows(10, 8, 0.6, 9);
  auto turned = rows;
  for (auto& row : turned) row.user = 9 - row.user;
  std::stable_sort(turned.begin(), turned.end(),
                   [](const Row& a, const Row& b) { return a.user < b.user; });
  for (const auto& [name, make] : every_model()) {
    // What is drawn, or learnt in the order of users, depends on their numbers.
    if (name.find("knn") != 0 && name.find("slope_one") != 0 && name != "baseline_only") continue;
    const auto a = make({.num_users = 10, .num_items = 8}),
               b = make({.num_users = 10, .num_items = 8});
    fit(*a, data_of(rows, 10, 8));
    fit(*b, data_of(turned, 10, 8));
    EXPECT_TRUE(
        torch::allclose(predictions(*a, first(10)), predictions(*b, first(10)).flip(0), 1e-5, 1e-5))
        << name;
  }
}

TEST(RatingModels, AConstantColumnOfRatingsIsPredictedAsItIs) {
  std::vector<Row> rows;
  for (const auto& row : some_rows(8, 6, 0.7, 3)) rows.push_back({row.user, row.item, 4.0});
  const auto data = data_of(rows, 8, 6);
  for (const auto& [name, make] : every_model()) {
    // Vectors of small normal numbers, or of uniform ones, only come near.
    const bool is_learnt = name == "svd unbiased" || name == "nmf";
    const auto model = make({.num_users = 8, .num_items = 6});
    fit(*model, data);
    const auto got = predictions(*model, first(8));  // [U, I]
    EXPECT_TRUE(got.isfinite().all().item<bool>()) << name;
    if (!is_learnt) {
      EXPECT_LT((got - 4.0).abs().max().item<double>(), name.find("svd") == 0 ? 0.3 : 1e-4) << name;
    }
  }
}

TEST(RatingModels, MoreFactorsNeighborsOrGroupsThanThereAreUsersAreAllowed) {
  const auto data = data_of(some_rows(4, 3, 0.8, 3), 4, 3);
  const Model::Deps deps{.num_users = 4, .num_items = 3};
  const std::vector<std::shared_ptr<Model>> models = {
      std::make_shared<Svd>(Svd::Options{.dim = 50}, deps),
      std::make_shared<SvdPp>(SvdPp::Options{.dim = 50}, deps),
      std::make_shared<Nmf>(Nmf::Options{.dim = 50}, deps),
      std::make_shared<CoClustering>(CoClustering::Options{.user_groups = 20, .item_groups = 9},
                                     deps),
      std::make_shared<KnnRatings>(KnnRatings::Options{.neighbors = 1000}, deps)};
  for (const auto& model : models) {
    fit(*model, data);
    EXPECT_TRUE(predictions(*model, first(4)).isfinite().all().item<bool>()) << model->name();
  }
  KnnRatings exact({.neighbors = 3}, deps);
  fit(exact, data);
  EXPECT_TRUE(torch::equal(predictions(*models.back(), first(4)), predictions(exact, first(4))));
}

TEST(RatingModels, RefuseRatingsOutsideOfTheirScaleAndNoRatings) {
  for (const auto& [name, make] : every_model()) {
    const auto model = make({.num_users = 2, .num_items = 2});
    const auto problem = [&](const Interactions& data) {
      try {
        model->fittable()->fit(data, {});
      } catch (const std::invalid_argument& error) {
        return std::string(error.what());
      }
      return std::string();
    };
    EXPECT_THAT(problem(data_of({{0, 0, 0.5}, {1, 1, 10}}, 2, 2)),
                HasSubstr(
                    "ratings of training go from 0.5 to 10, and model.scale declares 1 to 5; say "
                    "model.scale: {low: ..., high: ...} of the data"))
        << name;
    EXPECT_THAT(problem(data_of({{0, 0, NAN}}, 2, 2)), HasSubstr("NaN")) << name;
    EXPECT_THAT(problem(data_of({}, 2, 2)), HasSubstr("no rating to learn from")) << name;
    EXPECT_THROW(make({.num_users = 2, .num_items = 2, .has_ratings = false}), ConfigError) << name;
  }
}

TEST(RatingModels, OfSeveralRatingsOfAnItemTheLastOneCounts) {
  for (const auto& [name, make] : every_model()) {
    const auto once = make({.num_users = 2, .num_items = 3}),
               twice = make({.num_users = 2, .num_items = 3});
    fit(*once, data_of({{0, 1, 2}, {0, 0, 5}, {1, 0, 4}, {1, 1, 1}, {1, 2, 3}}, 2, 3));
    fit(*twice, data_of({{0, 0, 1}, {0, 1, 2}, {0, 0, 5}, {1, 0, 4}, {1, 1, 1}, {1, 2, 3}}, 2, 3));
    EXPECT_TRUE(torch::equal(predictions(*once, {0, 1}), predictions(*twice, {0, 1}))) << name;
  }
}

TEST(RatingModels, RefuseTablesThatDoNotFitEachOther) {
  const auto data = data_of(some_rows(6, 5, 0.7, 3), 6, 5);
  for (const auto& [name, make] : every_model()) {
    if (name.find("knn") != 0 && name.find("slope_one") != 0) continue;
    const auto model = make({.num_users = 6, .num_items = 5});
    EXPECT_NO_THROW(model->check_buffers()) << name;
    fit(*model, data);
    EXPECT_NO_THROW(model->check_buffers()) << name;
    auto buffers = model->named_buffers();
    auto& list = buffers[name.find("knn") == 0 ? "raters" : "rated"];
    const auto right = list.clone();
    list.index_put_({0}, 99);
    EXPECT_THROW(model->check_buffers(), std::invalid_argument) << name;
    list.copy_(right);
    auto& offsets = buffers["offsets"];
    offsets.index_put_({1}, 1000);
    EXPECT_THROW(model->check_buffers(), std::invalid_argument) << name;
  }
}

TEST(RatingScale, WithoutClippingPredictionsMayLeaveTheScale) {
  // User 0 is above what others give item 1, which all the same is above what they give item 0.
  const auto data = data_of({{0, 0, 5}, {1, 0, 1}, {1, 1, 4}, {2, 0, 1}, {2, 1, 4}}, 3, 3);
  const auto predict = [&](bool clip) {
    BaselineOnly model({.scale = {.clip = clip}, .baseline = {.user_l2 = 0, .item_l2 = 0}},
                       {.num_users = 3, .num_items = 3});
    fit(model, data);
    return predictions(model, {0, 1, 2});  // [U, I]
  };
  EXPECT_GT(predict(false).max().item<double>(), 5.0);
  EXPECT_EQ(predict(true).max().item<double>(), 5.0);
  EXPECT_TRUE(torch::equal(predict(true), predict(false).clamp(1, 5)));
}

}  // namespace
}  // namespace reckon::ratings_test
