// Lists that are chosen from what a model ranks highest: each way beside its slow obvious formula.
#include "evaluation/reranker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "core/diagnostics.h"
#include "evaluation/calibrated.h"
#include "evaluation/catalog.h"
#include "evaluation/category_caps.h"
#include "evaluation/dpp.h"
#include "evaluation/metrics.h"
#include "evaluation/mmr.h"
#include "evaluation/popularity_discount.h"
#include "tests/evaluation/evaluation_support.h"

namespace reckon::reranker_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kItems = 30;

/// Items with vectors, counts and categories, and one user's candidates.
struct World {
  torch::Tensor vectors, counts;
  std::vector<TableColumn> columns;
  std::vector<int64_t> items;
  std::vector<double> relevance;
  std::vector<int32_t> history;

  World(int64_t num_candidates, int64_t width, int64_t seed) {
    torch::manual_seed(static_cast<uint64_t>(seed));
    vectors = unit_rows(torch::randn({kItems, width}));
    counts = torch::randint(0, 50, {kItems}, torch::kInt64);
    columns = {{"title", std::vector<std::string>(kItems, "x")}, {"genres", {}}};
    const char* const genres[] = {"a", "b|c", "", "a|c", "d", "b|b"};
    const auto drawn = torch::randint(0, 6, {kItems}, torch::kInt64);
    for (int64_t i = 0; i < kItems; ++i)
      columns[1].values.emplace_back(genres[drawn[i].item<int64_t>()]);
    const auto order = torch::randperm(kItems, torch::kInt64);
    auto scores = std::get<0>(torch::rand({num_candidates}).sort(0, /*descending=*/true));
    std::vector<float> list;
    for (int64_t i = 0; i < num_candidates; ++i) {
      items.push_back(order[i].item<int64_t>());
      list.push_back(scores[i].item<float>());
    }
    relevance = relevance_of(list);
    for (int64_t i = 0; i < 7; ++i)
      history.push_back(static_cast<int32_t>(order[kItems - 1 - i].item<int64_t>()));
  }

  std::shared_ptr<const ItemCategories> genres() const {
    return std::make_shared<const ItemCategories>(&columns, CategoryOptions{.column = "genres"},
                                                  kItems);
  }
  Reranker::Deps deps() const {
    return {.num_items = kItems,
            .item_counts = counts,
            .unit_vectors = [this] { return vectors; },
            .categories = genres()};
  }
  RerankRequest request() const {
    return {.items = items, .relevance = relevance, .history = history};
  }
  // Of vectors, or of sets of categories by their names.
  double cosine(size_t i, size_t j, ItemSimilarity::Kind kind) const {
    if (kind == ItemSimilarity::Kind::kCategories) {
      const auto a = categories(items[i]), b = categories(items[j]);
      std::vector<std::string> both;
      std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
      if (a.empty() || b.empty()) return 0.0;
      return static_cast<double>(both.size()) /
             std::sqrt(static_cast<double>(a.size()) * static_cast<double>(b.size()));
    }
    return vectors[items[i]]
        .to(torch::kDouble)
        .dot(vectors[items[j]].to(torch::kDouble))
        .item<double>();
  }
  // The mean of an even share for each category of an item.
  std::map<std::string, double> spread(const std::vector<int64_t>& of) const {
    std::map<std::string, double> shares;
    double total = 0.0;
    for (const int64_t item : of) {
      const auto names = categories(item);
      for (const auto& name : names) shares[name] += 1.0 / static_cast<double>(names.size());
      total += names.empty() ? 0 : 1;
    }
    for (auto& [name, share] : shares) share /= total;
    return shares;
  }
  static double divergence(const std::map<std::string, double>& wanted,
                           std::map<std::string, double> found) {
    double sum = 0.0;
    for (const auto& [name, p] : wanted) sum += p * std::log(p / (0.99 * found[name] + 0.01 * p));
    return sum;
  }
  std::vector<std::string> categories(int64_t item) const {
    std::set<std::string> names;
    std::string name;
    for (const char c : columns[1].values[static_cast<size_t>(item)] + "|") {
      if (c != '|') {
        name += c;
        continue;
      }
      if (!name.empty()) names.insert(name);
      name.clear();
    }
    return {names.begin(), names.end()};
  }
};

// Each place takes what makes `value(list with it)` the largest, the better ranked of equal ones.
template <class Value>
std::vector<size_t> greedy(size_t count, size_t length, const Value& value) {
  std::vector<size_t> list;
  while (list.size() < std::min(count, length)) {
    size_t best = count;
    double highest = 0.0;
    for (size_t i = 0; i < count; ++i) {
      if (std::find(list.begin(), list.end(), i) != list.end()) continue;
      auto longer = list;
      longer.push_back(i);
      const double one = value(longer);
      if (best == count || one > highest + 1e-12) {
        best = i;
        highest = one;
      }
    }
    list.push_back(best);
  }
  return list;
}

const std::vector<std::pair<int64_t, int64_t>> kSizes = {{1, 3}, {2, 1}, {8, 4}, {20, 16}};

TEST(Relevance, IsTheScoresBetweenTheLowestAndTheHighest) {
  EXPECT_THAT(relevance_of(std::vector<float>{3, 2, 1}), ElementsAre(1.0, 0.5, 0.0));
  EXPECT_THAT(relevance_of(std::vector<float>{2, 2}), ElementsAre(1.0, 1.0));
  EXPECT_TRUE(relevance_of({}).empty());
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(relevance_of(std::vector<float>{infinity, 3, 2, 1, -infinity}),
              ElementsAre(1.0, 1.0, 0.5, 0.0, 0.0));
}

TEST(ItemCategories, AreWhatStandsBetweenSeparatorsOnceEach) {
  const std::vector<TableColumn> columns = {{"kinds", {"x, y", "", "y, y", ", z, "}}};
  const ItemCategories kinds(&columns, {.column = "kinds", .separator = ", "}, 4);
  EXPECT_EQ(kinds.count(), 3);
  const auto of = [&](int64_t item) {
    const auto own = kinds.of(item);
    return std::vector<int32_t>(own.begin(), own.end());
  };
  EXPECT_THAT(of(0), ElementsAre(0, 1));
  EXPECT_THAT(of(1), ElementsAre());
  EXPECT_THAT(of(2), ElementsAre(1));
  EXPECT_THAT(of(3), ElementsAre(2));
  // Items 0, 2 and 3 have categories: (1/2, 1/2, 0), (0, 1, 0) and (0, 0, 1).
  EXPECT_THAT(kinds.shares(std::vector<int64_t>{0, 1, -1, 2, 3, 3}),
              ElementsAre(0.125, 0.375, 0.5));
  EXPECT_THAT(kinds.shares(std::vector<int32_t>{1}), ElementsAre(0.0, 0.0, 0.0));
}

const std::vector<ItemSimilarity::Kind> kKinds = {ItemSimilarity::Kind::kVectors,
                                                  ItemSimilarity::Kind::kCategories};

TEST(Mmr, EqualsTheFormulaOverPairs) {
  for (const auto kind : kKinds)
    for (const auto& [count, width] : kSizes)
      for (const double diversity : {0.0, 0.3, 0.9, 1.0}) {
        const World world(count, width, 3 * count + 1);
        const auto expected = greedy(world.items.size(), 10, [&](const std::vector<size_t>& list) {
          const auto last = list.back();
          if (list.size() == 1) return -static_cast<double>(last);
          double nearest = -2.0;
          for (size_t j = 0; j + 1 < list.size(); ++j)
            nearest = std::max(nearest, world.cosine(last, list[j], kind));
          return (1 - diversity) * world.relevance[last] - diversity * nearest;
        });
        const Mmr mmr({.diversity = diversity, .similarity = kind}, world.deps());
        EXPECT_EQ(mmr.choose(world.request(), 10), expected) << count << " " << diversity;
      }
}

TEST(Dpp, EqualsTheGreedyChoiceByDeterminants) {
  for (const auto& [count, width] : kSizes)
    for (const double weight : {0.0, 0.5, 0.8}) {
      const World world(count, width, 5 * count + 2);
      const double a = weight / (2 * (1 - weight));
      // Behind D + 1 places determinants are zero.
      const auto length = static_cast<size_t>(std::min<int64_t>(10, width));
      const auto expected =
          greedy(world.items.size(), length, [&](const std::vector<size_t>& list) {
            const auto n = static_cast<int64_t>(list.size());
            auto kernel = torch::zeros({n, n}, torch::kDouble);  // [N, N]
            for (int64_t i = 0; i < n; ++i)
              for (int64_t j = 0; j < n; ++j) {
                const auto x = list[static_cast<size_t>(i)], y = list[static_cast<size_t>(j)];
                const double alike =
                    i == j ? 1.0 : (1 + world.cosine(x, y, ItemSimilarity::Kind::kVectors)) / 2;
                kernel[i][j] =
                    std::exp(a * world.relevance[x]) * std::exp(a * world.relevance[y]) * alike;
              }
            return std::log(torch::linalg_det(kernel).item<double>());
          });
      EXPECT_EQ(Dpp({.relevance = weight}, world.deps()).choose(world.request(), length), expected)
          << count << " " << width << " " << weight;
    }
}

TEST(Dpp, FollowsTheRankingWhereEveryFurtherItemLiesInTheSpanOfTheList) {
  World world(6, 4, 1);
  // Items 0, 1 and 3 point one way, the others another: two places are all that a determinant fills.
  for (size_t i = 0; i < 6; ++i)
    world.vectors[world.items[i]].copy_(
        unit_rows(torch::tensor({{1.0F, i < 2 || i == 3 ? 0.0F : -1.0F, 0.0F, 0.0F}}))[0]);
  EXPECT_THAT(Dpp({}, world.deps()).choose(world.request(), 6), ElementsAre(0, 2, 1, 3, 4, 5));
}

TEST(Dpp, TakesItemsWithoutAVectorAsEquallyUnlikeAll) {
  World world(5, 3, 2);
  world.vectors.zero_();
  EXPECT_THAT(Dpp({.relevance = 0.0}, world.deps()).choose(world.request(), 5),
              ElementsAre(0, 1, 2, 3, 4));
}

TEST(Calibrated, EqualsTheFormulaOverWholeLists) {
  for (const auto& [count, width] : kSizes)
    for (const double weight : {0.0, 0.5, 0.99, 1.0}) {
      const World world(count, width, 7 * count + 3);
      const auto wanted = world.spread({world.history.begin(), world.history.end()});
      const auto expected = greedy(world.items.size(), 10, [&](const std::vector<size_t>& list) {
        std::vector<int64_t> items;
        double sum = 0.0;
        for (const auto i : list) {
          items.push_back(world.items[i]);
          sum += world.relevance[i];
        }
        return (1 - weight) * sum - weight * World::divergence(wanted, world.spread(items));
      });
      EXPECT_EQ(Calibrated({.calibration = weight}, world.deps()).choose(world.request(), 10),
                expected)
          << count << " " << weight;
    }
}

TEST(Calibrated, OfAUserWithoutCategoriesKeepsTheOrder) {
  World world(8, 2, 4);
  world.history.clear();
  const Calibrated calibrated({.calibration = 1.0}, world.deps());
  EXPECT_THAT(calibrated.choose(world.request(), 4), ElementsAre(0, 1, 2, 3));
}

TEST(Miscalibration, EqualsTheDivergenceFromTheHistory) {
  for (const int64_t seed : {1, 2, 3}) {
    const World world(9, 2, seed);
    const auto genres = world.genres();
    const auto value = [&](const std::vector<int64_t>& list) {
      return miscalibration(genres->shares(world.history), list, *genres);
    };
    const auto wanted = world.spread({world.history.begin(), world.history.end()});
    EXPECT_NEAR(value(world.items), World::divergence(wanted, world.spread(world.items)), 1e-12);
    EXPECT_GT(value(world.items), 0.0);
    EXPECT_NEAR(value({world.history.begin(), world.history.end()}), 0.0, 1e-12);
    EXPECT_TRUE(std::isnan(value({})));
    EXPECT_TRUE(std::isnan(value({-1})));
    EXPECT_TRUE(
        std::isnan(miscalibration(genres->shares(std::vector<int32_t>{}), world.items, *genres)));
  }
}

TEST(Miscalibration, OfAListWithoutCategoriesIsTheLogarithmOfTheSmoothing) {
  const std::vector<TableColumn> columns = {{"kinds", {"x", "y|x", "", ""}}};
  const ItemCategories kinds(&columns, {.column = "kinds"}, 4);
  const auto wanted = kinds.shares(std::vector<int32_t>{0, 1});
  EXPECT_NEAR(miscalibration(wanted, std::vector<int64_t>{2, 3}, kinds), std::log(100.0), 1e-12);
}

TEST(CategoryCoverage, IsTheShareOfCategoriesThatTheListNames) {
  const World world(12, 2, 3);
  std::set<std::string> named, all;
  for (int64_t item = 0; item < kItems; ++item)
    for (const auto& name : world.categories(item)) all.insert(name);
  for (size_t length = 1; length <= 12; ++length) {
    for (const auto& name : world.categories(world.items[length - 1])) named.insert(name);
    EXPECT_EQ(category_coverage(std::span(world.items).first(length), *world.genres()),
              static_cast<double>(named.size()) / static_cast<double>(all.size()));
  }
  EXPECT_TRUE(std::isnan(category_coverage({}, *world.genres())));
}

TEST(PopularityDiscount, OrdersByRelevanceLessTheShareOfTheLargestCount) {
  World world(12, 2, 5);
  const double largest = std::log1p(world.counts.max().item<int64_t>());
  const auto value = [&](size_t i) {
    return world.relevance[i] -
           0.4 * std::log1p(world.counts[world.items[i]].item<int64_t>()) / largest;
  };
  const auto list = PopularityDiscount({.discount = 0.4}, world.deps()).choose(world.request(), 12);
  ASSERT_EQ(list.size(), 12U);
  for (size_t i = 1; i < list.size(); ++i) EXPECT_GE(value(list[i - 1]), value(list[i]));
}

TEST(CategoryCaps, TakesInTheirOrderWhatIsNotYetTooMany) {
  const World world(25, 2, 6);
  std::map<std::string, int> taken;
  std::vector<size_t> expected;
  for (size_t i = 0; i < world.items.size(); ++i) {
    const auto names = world.categories(world.items[i]);
    if (std::any_of(names.begin(), names.end(), [&](const auto& name) { return taken[name] >= 2; }))
      continue;
    expected.push_back(i);
    for (const auto& name : names) ++taken[name];
  }
  ASSERT_LT(expected.size(), 25U);
  EXPECT_EQ(CategoryCaps({.at_most = 2}, world.deps()).choose(world.request(), 25), expected);
}

TEST(CategoryCaps, HoldForEveryCategoryAndListOfAnyLength) {
  for (int64_t seed = 0; seed < 20; ++seed)
    for (const int64_t at_most : {1, 3}) {
      const World world(29, 2, seed);
      const CategoryCaps caps({.at_most = at_most}, world.deps());
      for (size_t length = 0; length <= 29; ++length) {
        std::map<std::string, int64_t> taken;
        for (const auto place : caps.choose(world.request(), length))
          for (const auto& name : world.categories(world.items[place])) ++taken[name];
        for (const auto& [name, count] : taken) EXPECT_LE(count, at_most) << name;
      }
    }
}

// At the end of its weight where only the scores count, each way leaves the order as it is.
TEST(Rerankers, WithoutAWeightKeepTheOrder) {
  for (const int64_t count : {1, 2, 15}) {
    World world(count, 1, count);
    std::vector<size_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), size_t{0});
    const auto expect_order = [&](const Reranker& reranker) {
      EXPECT_EQ(reranker.choose(world.request(), static_cast<size_t>(count)), order);
    };
    for (int round = 0; round < 2; ++round) {
      expect_order(Mmr({.diversity = 0.0}, world.deps()));
      expect_order(Dpp({.relevance = 1.0}, world.deps()));
      expect_order(Calibrated({.calibration = 0.0}, world.deps()));
      expect_order(PopularityDiscount({.discount = 0.0}, world.deps()));
      expect_order(CategoryCaps({.at_most = count}, world.deps()));
      // Then with scores that are all equal.
      world.relevance.assign(world.relevance.size(), 1.0);
    }
  }
}

TEST(Rerankers, OfEveryNameGiveDistinctPlacesAndTheBeginningOfALongerList) {
  Catalog catalog;
  add_evaluation(catalog);
  const auto& names = catalog.of<Reranker>().names();
  EXPECT_EQ(names.size(), 5U);
  const World world(20, 6, 8);
  for (const auto& name : names) {
    const auto options =
        read_config<EvaluationOptions>(parse_yaml("reranking: " + name, "t"), catalog);
    const auto reranker = options.reranking.build(world.deps());
    const auto whole = reranker->choose(world.request(), 40);
    EXPECT_EQ(std::set<size_t>(whole.begin(), whole.end()).size(), whole.size()) << name;
    // A cap alone may leave a list short.
    EXPECT_TRUE(whole.size() == 20 || name == "category_caps") << name;
    for (size_t length = 0; length < whole.size(); ++length)
      EXPECT_EQ(reranker->choose(world.request(), length),
                std::vector<size_t>(whole.begin(), whole.begin() + static_cast<int64_t>(length)))
          << name;
    EXPECT_TRUE(reranker->choose({}, 10).empty()) << name;
  }
}

TEST(Rerankers, SayWhatTheyLack) {
  const auto message = [](const auto& make) {
    try {
      make();
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const World world(5, 2, 9);
  EXPECT_THAT(message([&] { ItemCategories(&world.columns, {.column = "genre"}, kItems); }),
              AllOf(HasSubstr("categories.column: the items have no column 'genre'"),
                    HasSubstr("did you mean 'genres'?")));
  EXPECT_THAT(message([&] { ItemCategories(nullptr, {.column = "genre"}, kItems); }),
              HasSubstr("give the table of items with data.files.items"));
  for (const std::string text :
       {"calibrated", "category_caps", "{type: mmr, similarity: categories}"}) {
    Catalog catalog;
    add_evaluation(catalog);
    const auto options =
        read_config<EvaluationOptions>(parse_yaml("reranking: " + text, "t.yaml"), catalog);
    auto without = world.deps();
    without.categories = nullptr;
    EXPECT_THAT(message([&] { build_reranker(options.reranking, without); }),
                AllOf(HasSubstr("t.yaml:1:"),
                      HasSubstr("evaluation.reranking: " + options.reranking.type() +
                                " looks at the categories of items")));
  }
}

// With the evaluator: the lists of a model, re-ranked by hand, are those of an evaluation.
TEST(Evaluation, ReranksTheListsThatItMeasures) {
  const auto users = random_users(20, kItems, 3);
  auto model = given_model(20, 2, kItems, 4, 5);
  for (const bool offers_factors : {true, false}) {
    model->offers_factors = offers_factors;
    auto input = input_of(users, kItems);
    const World world(1, 5, 2);
    input.item_vectors = world.vectors;
    auto options = options_for({"ndcg@3", "recall@6", "diversity@6", "auc"});
    options.top_k_lists = 12;
    const auto plain = evaluate(*model, input, options);
    options.top_k_lists = 6;
    options.reranking =
        Component<Reranker>::make<Mmr>({.diversity = 0.6}, "mmr", {.candidates = 12});
    const auto result = evaluate(*model, input, options);
    EXPECT_THAT(result.notes, ::testing::Contains(HasSubstr("12 best ranked items by `mmr`")));
    EXPECT_EQ(result.value({Metric::kAuc, 0}), plain.value({Metric::kAuc, 0}));
    EXPECT_GT(result.value({Metric::kDiversity, 6}), plain.value({Metric::kDiversity, 6}));
    const Mmr mmr({.diversity = 0.6}, world.deps());
    ASSERT_EQ(result.lists->num_users(), plain.lists->num_users());
    for (int64_t u = 0; u < plain.lists->num_users(); ++u) {
      const auto row = [&](const RankedLists& lists, const torch::Tensor& values) {
        return values
            .slice(0, lists.offsets[u].item<int64_t>(), lists.offsets[u + 1].item<int64_t>())
            .contiguous();
      };
      const auto items = row(*plain.lists, plain.lists->items);
      const auto scores = row(*plain.lists, plain.lists->scores);
      const auto n = static_cast<size_t>(items.numel());
      const auto relevance = relevance_of({scores.const_data_ptr<float>(), n});
      const auto list = mmr.choose(
          {.items = {items.const_data_ptr<int64_t>(), n}, .relevance = relevance, .history = {}},
          6);
      const auto found = row(*result.lists, result.lists->items);
      ASSERT_EQ(static_cast<size_t>(found.numel()), list.size());
      for (size_t i = 0; i < list.size(); ++i)
        EXPECT_EQ(found[static_cast<int64_t>(i)].item<int64_t>(),
                  items[static_cast<int64_t>(list[i])].item<int64_t>());
    }
  }
}

TEST(Evaluation, ADiscountOfPopularityLowersThePopularityOfListsAndNoneChangesNothing) {
  const auto users = random_users(30, kItems, 4);
  auto model = given_model(30, 1, kItems, 9, 6);
  const auto input = input_of(users, kItems);
  auto options = options_for({"ndcg@5", "popularity@5"});
  const auto plain = evaluate(*model, input, options);
  const auto with = [&](double discount) {
    options.reranking =
        Component<Reranker>::make<PopularityDiscount>({.discount = discount}, "popularity_discount",
                                                      {.candidates = 20});
    return evaluate(*model, input, options);
  };
  for (const auto& metric : plain.metrics)
    EXPECT_EQ(with(0.0).value(metric.name), metric.mean) << metric.name.to_string();
  EXPECT_LT(with(1.0).value({Metric::kPopularity, 5}), plain.value({Metric::kPopularity, 5}));
}

// Each user of an evaluation: the lists that it keeps, measured and chosen by hand.
TEST(Evaluation, MeasuresCategoriesAndReranksByThem) {
  const World world(1, 5, 2);
  const auto users = random_users(25, kItems, 11);
  auto model = given_model(25, 1, kItems, 7, 3);
  model->offers_factors = false;
  auto input = input_of(users, kItems);
  input.item_columns = &world.columns;
  auto options =
      options_for({"ndcg@4", "miscalibration@4", "miscalibration@9", "category_coverage@4"});
  options.categories = CategoryOptions{.column = "genres"};
  options.top_k_lists = 9;
  const auto genres = world.genres();
  const auto plain = evaluate(*model, input, options);
  options.reranking =
      Component<Reranker>::make<Calibrated>({.calibration = 0.9}, "calibrated", {.candidates = 25});
  const auto calibrated = evaluate(*model, input, options);
  options.reranking =
      Component<Reranker>::make<CategoryCaps>({.at_most = 1}, "category_caps", {.candidates = 25});
  const auto capped = evaluate(*model, input, options);
  for (const auto* result : {&plain, &calibrated, &capped})
    for (int64_t row = 0; row < result->users.numel(); ++row) {
      const auto user = static_cast<size_t>(result->users[row].item<int64_t>());
      const auto& lists = *result->lists;
      const auto begin = lists.offsets[row].item<int64_t>();
      const std::span<const int64_t> list{lists.items.const_data_ptr<int64_t>() + begin,
                                          static_cast<size_t>(
                                              lists.offsets[row + 1].item<int64_t>() - begin)};
      const auto wanted = genres->shares(users[user].history);
      const auto first = list.first(std::min<size_t>(list.size(), 4));
      const double expected[] = {miscalibration(wanted, first, *genres),
                                 miscalibration(wanted, list, *genres),
                                 category_coverage(first, *genres)};
      for (int64_t m = 0; m < 3; ++m) {
        const auto value = result->per_user[row][m + 1].item<double>();
        EXPECT_TRUE(value == expected[m] || (std::isnan(value) && std::isnan(expected[m]))) << m;
      }
    }
  const MetricName miscalibration_at_4{Metric::kMiscalibration, 4};
  EXPECT_LT(calibrated.value(miscalibration_at_4), plain.value(miscalibration_at_4));
  EXPECT_GT(capped.value({Metric::kCategoryCoverage, 4}),
            plain.value({Metric::kCategoryCoverage, 4}));
  EXPECT_THAT(capped.notes, ::testing::Contains(HasSubstr("end early")));
  EXPECT_THAT(calibrated.notes, ::testing::Not(::testing::Contains(HasSubstr("end early"))));

  // Lists made elsewhere are measured by the same categories, and are not chosen anew.
  auto elsewhere = evaluate_lists(*plain.lists, input, options);
  EXPECT_EQ(elsewhere.value(miscalibration_at_4), plain.value(miscalibration_at_4));
  EXPECT_THAT(elsewhere.notes, ::testing::Contains(HasSubstr("without reranking")));
}

TEST(Evaluation, RefusesMetricsOfCategoriesThatTheConfigDoesNotName) {
  const auto users = random_users(5, kItems, 4);
  auto model = given_model(5, 1, kItems, 9, 6);
  try {
    evaluate(*model, input_of(users, kItems), options_for({"ndcg@5", "miscalibration@5"}));
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("metrics: miscalibration@5 looks at the categories"));
  }
}

TEST(Evaluation, RefusesToCompareVectorsThatAModelLacks) {
  const auto users = random_users(5, kItems, 4);
  auto model = given_model(5, 1, kItems, 9, 6);
  model->offers_factors = false;
  auto options = options_for({"ndcg@5"});
  options.reranking = Component<Reranker>::make<Dpp>({}, "dpp");
  try {
    evaluate(*model, input_of(users, kItems), options);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr(
                    "evaluation.reranking: dpp compares item vectors, and this model has none"));
  }
}

}  // namespace
}  // namespace reckon::reranker_test
