// Models whose users and items are more than ids.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>

#include "core/ids.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/feature_encoding.h"
#include "models/feature_table.h"
#include "models/retrieval.h"
#include "tests/support/gradients.h"

namespace reckon::features_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

FeatureColumnOptions column(const std::string& name, FeatureType type) {
  FeatureColumnOptions out;
  out.column = name;
  out.type = type;
  return out;
}

torch::Tensor flags(const std::vector<int>& values) {
  return torch::tensor(values).to(torch::kBool);
}

// --- FeatureEncoding.

TEST(FeatureEncoding, KnowsTheValuesThatEnoughRowsOfTrainingHave) {
  auto genre = column("genre", FeatureType::kCategory);
  const std::vector<ColumnContent> contents = {
      {.texts = {"war", "war", "drama", " drama", "new", "new", ""}}};
  // The two rows of `new` are of items that training never saw.
  const auto counted = flags({1, 1, 1, 1, 0, 0, 1});
  const FeatureEncoding encoding({genre}, contents, counted);
  const auto& words = encoding.columns()[0].vocabulary;
  ASSERT_EQ(words.size(), 2);
  EXPECT_EQ(words.value(0), "drama");
  EXPECT_EQ(words.value(1), "war");
  EXPECT_TRUE(encoding.encode(contents).codes.squeeze(1).equal(torch::tensor(
      {int64_t{1}, int64_t{1}, int64_t{0}, int64_t{0}, kUnknownId, kUnknownId, kUnknownId})));
  genre.min_count = 3;
  EXPECT_EQ(FeatureEncoding({genre}, contents, counted).columns()[0].vocabulary.size(), 0);
}

TEST(FeatureEncoding, AListCountsEachValueOnceAndAllUnknownOnesOnce) {
  auto genres = column("genres", FeatureType::kCategories);
  genres.min_count = 1;
  genres.separator = ",";
  const std::vector<ColumnContent> contents = {{.texts = {"a,b", "b, a ,b", "", ",,", "c"}}};
  const FeatureEncoding encoding({genres}, contents, flags({1, 1, 1, 1, 0}));
  EXPECT_EQ(encoding.columns()[0].length, 2);
  const auto expected = torch::tensor({{int64_t{0}, int64_t{1}},
                                       {int64_t{1}, int64_t{0}},
                                       {kUnknownId, kPaddingId},
                                       {kUnknownId, kPaddingId},
                                       {kUnknownId, kPaddingId}});
  EXPECT_TRUE(encoding.encode(contents).codes.equal(expected));
  EXPECT_TRUE(
      encoding
          .encode(std::vector<std::map<std::string, std::string>>{
              {{"genres", "x, y ,b"}}, {{"genres", "b,b,b"}}, {}})
          .codes.equal(torch::tensor(
              {{kUnknownId, int64_t{1}}, {int64_t{1}, kPaddingId}, {kUnknownId, kPaddingId}})));
}

TEST(FeatureEncoding, ReadsSomebodyWhoIsDescribedAsItReadsTheTable) {
  auto job = column("job", FeatureType::kCategory);
  job.min_count = 1;
  auto age = column("age", FeatureType::kNumber);
  age.transform = NumberTransformImpl::Kind::kLog;
  const std::vector<ColumnContent> contents = {{.texts = {"cook", "clerk"}},
                                               {.numbers = {30.0, kNaN}}};
  const FeatureEncoding encoding({job, age}, contents, flags({1, 1}));
  const auto table = encoding.encode(contents);
  const auto described = encoding.encode(std::vector<std::map<std::string, std::string>>{
      {{"job", " cook "}, {"age", " 3e1 "}}, {{"job", "clerk"}, {"age", ""}}});
  EXPECT_TRUE(described.codes.equal(table.codes));
  EXPECT_TRUE(torch::allclose(described.numbers, table.numbers, 0, 0, /*equal_nan=*/true));
  const auto refusal = [&](const std::string& name, const std::string& value) -> std::string {
    try {
      encoding.encode(std::vector<std::map<std::string, std::string>>{{{name, value}}});
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal("jobs", "cook"), "there is no feature 'jobs'");
  EXPECT_EQ(refusal("age", "old"), "age: expected a number, got 'old'");
  EXPECT_EQ(refusal("age", "inf"), "age: expected a number, got 'inf'");
  EXPECT_EQ(refusal("age", "-1"), "age: expected a number of at least 0, got '-1'");
}

// --- Models.

constexpr int64_t kUsers = 6, kItems = 8;

// Stands in for a graph.
class Doubling : public Propagation {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };
  Doubling(const Options&, const Deps& deps) : width_(deps.width) {}
  int64_t output_width() const override { return width_; }
  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>&) override {
    const auto origin = torch::cat({users, items}).index_select(0, rows);  // [R, D]
    return {origin * 2.0, origin};
  }

 private:
  int64_t width_;
};

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

// User 4 and item 6 are in no row of training, user 5 and item 7 in no row of their tables either.
Interactions training() {
  Interactions out;
  out.num_users = kUsers;
  out.num_items = kItems;
  out.user_offsets = torch::tensor({0, 2, 4, 6, 8, 8, 8}, torch::kLong);
  out.items = torch::tensor({0, 1, 2, 3, 4, 5, 0, 3}, torch::kInt);
  return out;
}

std::vector<ColumnContent> table(TableRole role, const std::vector<ColumnRequest>& requests) {
  const std::map<std::string, ColumnContent> of_items = {
      {"genres", {.texts = {"a|b", "b", "a", "c|a", "b|c", "c", "b|d", ""}}},
      {"year", {.numbers = {1990, 1995, kNaN, 1970, 1988, 2001, 1999, kNaN}}}};
  const std::map<std::string, ColumnContent> of_users = {
      {"job", {.texts = {"x", "y", "x", "y", "x", ""}}},
      {"age", {.numbers = {20, 30, kNaN, 50, 60, kNaN}}}};
  std::vector<ColumnContent> out;
  for (const auto& request : requests)
    out.push_back((role == TableRole::kItems ? of_items : of_users).at(request.column));
  return out;
}

const char* const kItemFeatures =
    "features: {columns: [{column: genres, type: categories, min_count: 1}, {column: year, type: "
    "number}], init: {scale: 0.5}}";
const char* const kUserFeatures =
    "features: {columns: [{column: job, type: category}, {column: age, type: number, transform: "
    "buckets, num_buckets: 2}], init: {scale: 0.5}, fusion: concat, hidden_units: [6]}";
const char* const kHistory = "history: {max_length: 4, dropout: 0.0, encoder: {type: gru}}";

std::string yaml_of(const std::string& item, const std::string& user) {
  return "{family: retrieval, dim: 4, item: {" + item + "}, user: {" + user +
         "}, objectives: [{type: softmax}]}";
}

std::shared_ptr<Model> make(const std::string& yaml, const Interactions* train) {
  Catalog catalog;
  add_layers(catalog);
  add_models(catalog);
  catalog.add<Doubling>("doubling", "A stand-in for a graph.");
  const auto slot = read_config<Slot>(parse_yaml("model: " + yaml + "\n", "test.yaml"), catalog);
  torch::manual_seed(4);
  auto model =
      slot.model.build({.num_users = kUsers,
                        .num_items = kItems,
                        .train = train,
                        .columns = train == nullptr ? ColumnSource() : ColumnSource(table)});
  model->eval();
  return model;
}

// Away from where it begins, so that not knowing a value says something.
void move_away(Model& model) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(9);
  for (auto& parameter : model.parameters()) parameter.add_(torch::randn_like(parameter) * 0.3);
}

Batch request(const Model& model, const std::vector<int64_t>& users) {
  Batch out(static_cast<int64_t>(users.size()));
  const auto needs = model.request_needs();
  if (needs.users) out.set(batch_key::kUsers, torch::tensor(users, torch::kLong));
  if (needs.max_length > 0)
    out.set(batch_key::kHistory,
            torch::tensor({{kPaddingId, int64_t{2}, int64_t{6}}}).repeat({out.size(), 1}));
  return out;
}

torch::Tensor scores_of_all(Model& model, const Batch& asked) {
  torch::NoGradGuard no_grad;
  const auto candidates = torch::arange(kItems).unsqueeze(0).expand({asked.size(), kItems});
  return model.score(model.encode(asked), candidates);  // [B, I]
}

class WithFeatures : public ::testing::TestWithParam<std::pair<const char*, std::string>> {
 protected:
  std::string yaml() const { return GetParam().second; }
  Interactions train_ = training();
};
INSTANTIATE_TEST_SUITE_P(
    Models, WithFeatures,
    ::testing::Values(
        std::pair{"both_sides_and_ids",
                  yaml_of(kItemFeatures, std::string("id: {}, ") + kUserFeatures)},
        std::pair{"features_alone",
                  yaml_of(std::string("id: null, ") + kItemFeatures, kUserFeatures)},
        std::pair{"beside_a_history",
                  yaml_of(kItemFeatures, std::string(kUserFeatures) + ", " + kHistory)},
        std::pair{"everything", yaml_of(kItemFeatures, std::string("id: {}, id_weight: 0.3, ") +
                                                           kUserFeatures + ", " + kHistory)},
        std::pair{"items_alone", yaml_of(kItemFeatures, "id: {}")},
        std::pair{"users_alone", yaml_of("dropout: 0.0", kUserFeatures)}),
    [](const auto& info) { return info.param.first; });

TEST_P(WithFeatures, FactorsGiveTheSameScoresAsCandidates) {
  const auto model = make(yaml(), &train_);
  move_away(*model);
  torch::NoGradGuard no_grad;
  const auto asked = request(*model, {0, 4, 5, kUnknownId});
  const auto factors = model->factors();
  ASSERT_TRUE(factors.has_value());
  const auto products = model->queries(model->encode(asked)).squeeze(1).matmul(factors->items.t());
  EXPECT_TRUE(torch::allclose(scores_of_all(*model, asked), products, 1e-4, 1e-5));
}

TEST_P(WithFeatures, EveryParameterGetsAGradient) {
  const auto model = make(yaml(), &train_);
  move_away(*model);
  model->train();
  auto* learnable = model->learnable();
  Batch batch(4);
  const bool has_history = model->request_needs().max_length > 0;
  batch.set(batch_key::kUsers, torch::tensor({0, 1, 2, 3}, torch::kLong));
  const auto targets = torch::tensor({1, 3, 5, 0}, torch::kLong);
  if (has_history)
    batch.set(batch_key::kHistory, torch::tensor({{0, 2}, {2, 5}, {4, 1}, {3, 3}}, torch::kLong));
  batch.set(batch_key::kTargets,
            has_history ? torch::stack({torch::full({4}, kPaddingId), targets}, 1) : targets);
  const auto loss = learnable->loss(learnable->represent(batch, {}), {}, 0);
  const auto named = model->named_parameters();
  std::vector<torch::Tensor> parameters;
  for (const auto& item : named) parameters.push_back(item.value());
  const auto gradients = dense_gradients(loss.sum, parameters);
  for (size_t i = 0; i < parameters.size(); ++i) {
    ASSERT_TRUE(gradients[i].defined()) << named[i].key();
    EXPECT_TRUE(gradients[i].ne(0).any().item<bool>()) << named[i].key();
  }
}

TEST_P(WithFeatures, CanBeBuiltWhileOnlySizesAreKnown) {
  const auto model = make(yaml(), nullptr);
  EXPECT_TRUE(scores_of_all(*model, request(*model, {0, 5})).isfinite().all().item<bool>());
}

TEST(Features, OfAnItemThatTrainingNeverSawAreAllThatItIs) {
  const auto train = training();
  const auto model = make(yaml_of(kItemFeatures, "id: {}"), &train);
  move_away(*model);
  torch::NoGradGuard no_grad;
  const auto named = model->named_parameters();
  const auto items = *model->item_vectors();  // [I, D]
  auto without_ids = items.clone();
  for (int64_t item = 0; item < kItems; ++item)
    if (item < 6) without_ids[item] -= named["items.weight"][2 + item];
  named["items.weight"].zero_();
  EXPECT_TRUE(torch::allclose(*model->item_vectors(), without_ids, 1e-5, 1e-6));
  EXPECT_TRUE(model->contract().new_item_with_content);
}

TEST(Features, ServeAUserWithoutTrainingRowsAndOnlyOneOfWhomTheTableTells) {
  const auto train = training();
  const auto model = make(yaml_of(kItemFeatures, std::string("id: {}, ") + kUserFeatures), &train);
  move_away(*model);
  const auto asked = request(*model, {0, 4, 5, kUnknownId});
  EXPECT_TRUE(model->usable(asked).equal(flags({1, 1, 0, 0})));
  const auto before = scores_of_all(*model, asked);
  {
    torch::NoGradGuard no_grad;
    model->named_parameters()["users.weight"].add_(1.0);
  }
  const auto after = scores_of_all(*model, asked);
  EXPECT_FALSE(torch::allclose(before[0], after[0])) << "an id that was learnt counts";
  EXPECT_TRUE(before[1].equal(after[1])) << "one that was drawn does not";
}

TEST(Features, OfSomebodyDescribedScoreAsThoseOfTheSamePersonInTheTable) {
  const auto train = training();
  for (const auto& user :
       {std::string(kUserFeatures), std::string(kUserFeatures) + ", " + kHistory}) {
    const auto model = make(yaml_of(kItemFeatures, user), &train);
    move_away(*model);
    ASSERT_NE(model->user_encoding(), nullptr);
    const auto [codes, numbers] =
        model->user_encoding()->encode(std::vector<std::map<std::string, std::string>>{
            {{"job", "x"}, {"age", "60"}}, {{"job", "y"}, {"age", "50"}}, {{"job", "z"}}});
    auto asked = request(*model, {kUnknownId, kUnknownId, kUnknownId});
    asked.set(batch_key::kUserCodes, codes);
    asked.set(batch_key::kUserNumbers, numbers);
    const auto described = scores_of_all(*model, asked);
    const auto of_table = scores_of_all(*model, request(*model, {4, 3, 3}));
    EXPECT_TRUE(torch::allclose(described.slice(0, 0, 2), of_table.slice(0, 0, 2), 1e-5, 1e-6));
    const bool has_history = model->request_needs().max_length > 0;
    EXPECT_TRUE(model->usable(asked).equal(flags({1, 1, has_history ? 1 : 0})))
        << "a value that training never had is nothing to rank by";
  }
}

TEST(Features, OfAUserOfWhomNothingIsKnownAreTheSameInTheTableInAHistoryAndDescribed) {
  const auto train = training();
  const auto model =
      make(yaml_of(kItemFeatures, std::string(kUserFeatures) + ", " + kHistory), &train);
  move_away(*model);
  const auto scores = scores_of_all(*model, request(*model, {5, kUnknownId}));
  auto asked = request(*model, {kUnknownId});
  const auto [codes, numbers] =
      model->user_encoding()->encode(std::vector<std::map<std::string, std::string>>(1));
  asked.set(batch_key::kUserCodes, codes);
  asked.set(batch_key::kUserNumbers, numbers);
  EXPECT_TRUE(torch::allclose(scores[0], scores[1], 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(scores[0], scores_of_all(*model, asked)[0], 1e-5, 1e-6));
}

TEST(Features, GoIntoAGraphAndAreNotOfferedToNewUsersBesideOne) {
  const auto train = training();
  const std::string plain = yaml_of(kItemFeatures, std::string("id: {}, ") + kUserFeatures);
  const auto without = make(plain, &train);
  auto yaml = plain;
  yaml.replace(yaml.rfind('}'), 1, ", propagation: {type: doubling}}");
  const auto with = make(yaml, &train);
  EXPECT_TRUE(torch::allclose(*with->item_vectors(), *without->item_vectors() * 2.0, 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(*with->user_vectors(), *without->user_vectors() * 2.0, 1e-5, 1e-6));
  EXPECT_TRUE(without->contract().user_features && with->contract().known_user);
  EXPECT_FALSE(with->contract().user_features);
  EXPECT_EQ(with->user_encoding(), nullptr);
}

TEST(Features, ARowIsTheSameAloneAndAmongAll) {
  const auto train = training();
  FeatureOptions options;
  options.columns = {column("genres", FeatureType::kCategories),
                     column("year", FeatureType::kNumber)};
  for (const auto fusion : {FeatureFusion::kSum, FeatureFusion::kConcat}) {
    options.fusion = fusion;
    FeatureTable features(options,
                          FeatureTableImpl::Deps{.num_rows = kItems,
                                                 .width = 4,
                                                 .option = "here",
                                                 .columns = table,
                                                 .counted = torch::ones({kItems}, torch::kBool)});
    const auto all = features->all();  // [I, D]
    const auto few = torch::tensor({{int64_t{3}, kPaddingId}, {kUnknownId, int64_t{0}}});
    const auto many = torch::arange(kItems).repeat({3});
    EXPECT_TRUE(torch::allclose(features->rows(few)[0][0], all[3], 1e-6, 1e-7));
    EXPECT_TRUE(torch::allclose(features->rows(few)[1][1], all[0], 1e-6, 1e-7));
    EXPECT_TRUE(features->rows(few)[0][1].eq(0).all().item<bool>());
    const auto [codes, numbers] =
        features->encoding().encode(std::vector<std::map<std::string, std::string>>(1));
    const auto nobody = features->vectors(codes, numbers)[0];
    EXPECT_TRUE(torch::allclose(features->rows(few)[1][0], nobody, 1e-6, 1e-7));
    EXPECT_TRUE(torch::allclose(features->rows(torch::full({30}, kUnknownId)),
                                nobody.expand({30, 4}), 1e-6, 1e-7));
    EXPECT_TRUE(torch::allclose(features->rows(many), all.repeat({3, 1}), 1e-6, 1e-7));
  }
}

// --- What may not be.

std::string refusal(const std::string& yaml) {
  try {
    make(yaml, nullptr);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(Features, OptionsThatDoNotFitTheTypeOfTheColumnAreRefused) {
  const auto of = [](const std::string& column) {
    return refusal(yaml_of("features: {columns: [" + column + "]}", "id: {}"));
  };
  EXPECT_THAT(of("{column: a, type: category, separator: ','}"),
              HasSubstr(
                  "model.item.features.columns[0].separator: is for the type categories alone"));
  EXPECT_THAT(of("{column: a, type: category, transform: log}"),
              HasSubstr("columns[0].transform: is for the type number alone"));
  EXPECT_THAT(of("{column: a, type: number, min_count: 3}"),
              HasSubstr("columns[0].min_count: is for a type of category or categories alone"));
  EXPECT_THAT(of("{column: a, type: number, num_buckets: 3}"),
              HasSubstr("columns[0].num_buckets: is for a number of 'transform: buckets' alone"));
  EXPECT_THAT(of("{column: a, type: number}, {column: a, type: category}"),
              HasSubstr("model.item.features.columns: name a column twice"));
  EXPECT_THAT(refusal(yaml_of("id: null", "id: {}")),
              HasSubstr("model.item: needs `id`, `features` or both"));
  EXPECT_THAT(refusal(yaml_of("dropout: 0.0", "id: null")),
              HasSubstr("model.user: needs `id`, `history`, `features` or several of them"));
  EXPECT_THAT(refusal(yaml_of("features: {columns: [{column: a, type: number}], hidden_units: [3]}",
                              "id: {}")),
              HasSubstr("model.item.features.hidden_units: are for 'fusion: concat' alone"));
}

}  // namespace
}  // namespace reckon::features_test
