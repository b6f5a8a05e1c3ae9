#include "models/gc_mc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/diagnostics.h"
#include "core/ids.h"
#include "core/random.h"
#include "kernels/dropout.h"
#include "tests/models/rating_data.h"
#include "tests/support/gradients.h"
#include "tests/support/reference.h"
#include "training/adam.h"
#include "training/learning_step.h"
#include "training/weight_average.h"

namespace reckon::gc_mc_test {
namespace {

using Options = GcMc::Options;
using ::testing::HasSubstr;

std::vector<RatingRow> rows_of_levels(int64_t num_users, int64_t num_items, double share,
                                      const std::vector<double>& levels, uint64_t seed) {
  CounterRng random{RandomKey(seed)};
  std::vector<RatingRow> rows;
  for (int64_t user = 0; user < num_users; ++user)
    for (int64_t item = 0; item < num_items; ++item)
      if (random.uniform() < share)
        rows.push_back({user, item, levels[random.below(levels.size())]});
  if (rows.empty()) rows.push_back({0, 0, levels.back()});
  return rows;
}

std::shared_ptr<GcMc> make(const Options& options, const Interactions& data,
                           const ColumnSource& columns = nullptr) {
  torch::manual_seed(1);
  auto model = std::make_shared<GcMc>(options, Model::Deps{.num_users = data.num_users,
                                                           .num_items = data.num_items,
                                                           .train = &data,
                                                           .columns = columns});
  model->eval();
  return model;
}

void to_double(Model& model) {
  for (auto& item : model.named_parameters()) {
    item.value().set_data(item.value().detach().to(torch::kDouble));
    item.value().set_requires_grad(true);
  }
}

Batch batch_of(const std::vector<RatingRow>& rows) {
  std::vector<int64_t> users, items;
  std::vector<float> labels;
  for (const auto& row : rows) {
    users.push_back(row.user);
    items.push_back(row.item);
    labels.push_back(static_cast<float>(row.rating));
  }
  Batch batch(static_cast<int64_t>(rows.size()));
  batch.set(batch_key::kUsers, torch::tensor(users, torch::kLong));
  batch.set(batch_key::kTargets, torch::tensor(items, torch::kLong));
  batch.set(batch_key::kLabels, torch::tensor(labels, torch::kFloat));
  return batch;
}

LossParts loss_of(GcMc& model, const Batch& batch) {
  const Batch* const step[] = {&batch};
  const auto shared = model.shared(step);
  return model.loss(model.represent(batch, shared), shared, 0);
}

std::vector<Options> every_kind() {
  using Accumulate = GcMc::Accumulate;
  using Normalize = GcMc::Normalize;
  return {{.levels = {1, 2, 3}, .hidden = 6, .dim = 4, .bases = 2, .dropout = 0.0},
          {.levels = {1, 2, 3},
           .normalize = Normalize::kSymmetric,
           .share_levels = true,
           .hidden = 3,
           .dim = 1,
           .bases = 1,
           .dropout = 0.0},
          {.levels = {0.5, 4},
           .accumulate = Accumulate::kSum,
           .normalize = Normalize::kSymmetric,
           .share_levels = true,
           .hidden = 5,
           .dim = 3,
           .bases = 3,
           .dropout = 0.0},
          {.levels = {-1, 0, 0.1},
           .accumulate = Accumulate::kSum,
           .hidden = 4,
           .dim = 2,
           .bases = 2,
           .dropout = 0.0}};
}

// The paper's formula with a matrix of all pairs of nodes for each level.   Shapes  -> [U, I, R]
torch::Tensor logits_by_matrices(const GcMc& model, const Options& o,
                                 const std::vector<RatingRow>& rows, int64_t num_users,
                                 int64_t num_items) {
  std::map<std::string, torch::Tensor> p;
  for (const auto& item : model.named_parameters())
    p[item.key()] = item.value().detach().to(torch::kDouble);
  const auto num_levels = static_cast<int64_t>(o.levels.size());
  const int64_t num_nodes = num_users + num_items;
  const bool stacks = o.accumulate == GcMc::Accumulate::kStack;
  auto edges = torch::zeros({num_levels, num_nodes, num_nodes}, torch::kDouble);  // [R, N, N]
  for (const auto& row : rows) {
    const auto level = std::find(o.levels.begin(), o.levels.end(), row.rating) - o.levels.begin();
    edges[level][row.user][num_users + row.item] = 1.0;
    edges[level][num_users + row.item][row.user] = 1.0;
  }
  const auto counts = edges.sum(0).sum(1).clamp_min(1.0);  // [N]
  edges = o.normalize == GcMc::Normalize::kLeft
              ? edges / counts.unsqueeze(1)
              : edges / (counts.unsqueeze(1) * counts).sqrt();       // [R, N, N]
  const auto told = p.at("told").view({num_nodes, num_levels, -1});  // [N, R, F]
  std::vector<torch::Tensor> heard;
  for (int64_t r = 0; r < num_levels; ++r) {
    const auto matrix = o.share_levels ? told.slice(1, 0, r + 1).sum(1) : told.select(1, r);
    heard.push_back(edges[r].matmul(matrix));  // [N, F]
  }
  auto hidden = stacks ? torch::cat(heard, 1) : torch::stack(heard).sum(0);  // [N, hidden]
  hidden = hidden.clamp_min(0.0);
  const auto side = [&](const torch::Tensor& of_ratings, const std::string& name) {
    auto children = model.named_children();
    if (p.contains("dense.weight")) return of_ratings.matmul(p.at("dense.weight").t());
    auto x = of_ratings;  // [., hidden]
    if (children.contains(name + "_features")) {
      const auto vectors =
          children[name + "_features"]->as<FeatureTableImpl>()->all().detach().to(torch::kDouble);
      x = torch::cat({x, (vectors + p.at(name + "_feature_bias")).clamp_min(0.0)}, 1);
    }
    return x.matmul(p.at(name + "_dense.weight").t());  // [., D]
  };
  const auto users = side(hidden.slice(0, 0, num_users), "user");  // [U, D]
  const auto items = side(hidden.slice(0, num_users), "item");     // [I, D]
  std::vector<torch::Tensor> logits;
  for (int64_t r = 0; r < num_levels; ++r) {
    auto form = torch::zeros({o.dim, o.dim}, torch::kDouble);  // [D, D]
    for (int64_t s = 0; s < o.bases; ++s) form += p.at("coefficients")[s][r] * p.at("bases")[s];
    logits.push_back(users.matmul(form).matmul(items.t()));  // [U, I]
  }
  return torch::stack(logits, 2);
}

// Of all pairs of users and items that have ratings.
void expect_predictions(GcMc& model, const Options& o, const std::vector<RatingRow>& rows,
                        int64_t num_users, int64_t num_items) {
  const auto logits = logits_by_matrices(model, o, rows, num_users, num_items);  // [U, I, R]
  const auto expected = logits.softmax(2).matmul(torch::tensor(o.levels, torch::kDouble));
  const auto got = predictions(model, first(num_users));  // [U, I]
  for (const auto& a : rows)
    for (const auto& b : rows)
      EXPECT_NEAR(got[a.user][b.item].item<double>(), expected[a.user][b.item].item<double>(), 1e-5)
          << num_users << " users, user " << a.user << ", item " << b.item;
}

TEST(GcMc, PredictsWhatTheFormulaOverAllPairsOfNodesDoes) {
  for (const auto& [users, items, share] :
       {std::tuple{1, 1, 1.0}, {1, 4, 0.6}, {5, 3, 0.5}, {12, 9, 0.3}})
    for (const auto& options : every_kind()) {
      const auto rows = rows_of_levels(users, items, share, options.levels, 3);
      const auto data = data_of(rows, users, items);
      expect_predictions(*make(options, data), options, rows, users, items);
    }
}

TEST(GcMc, MinimisesTheCrossEntropyOfTheRatingsOfABatch) {
  for (const auto& options : every_kind()) {
    const auto rows = rows_of_levels(7, 6, 0.5, options.levels, 4);
    const auto data = data_of(rows, 7, 6);
    const auto model = make(options, data);
    const auto shares =
        logits_by_matrices(*model, options, rows, 7, 6).log_softmax(2);  // [U, I, R]
    // Part of them, in another order, one twice.
    const std::vector<RatingRow> some = {rows[5], rows[2], rows[7], rows[2]};
    double expected = 0.0;
    for (const auto& row : some) {
      const auto level = std::find(options.levels.begin(), options.levels.end(), row.rating) -
                         options.levels.begin();
      expected -= shares[row.user][row.item][level].item<double>();
    }
    auto batch = batch_of(some);
    const auto parts = loss_of(*model, batch);
    EXPECT_NEAR(parts.sum.item<double>(), expected, 1e-4);
    EXPECT_EQ(parts.weight, 4.0);
    batch.set(batch_key::kWeights, torch::tensor({1.0F, 0.5F, 0.0F, 0.5F}));
    const std::vector<RatingRow> two = {rows[5], rows[2]};
    const auto weighted = loss_of(*model, batch), plain = loss_of(*model, batch_of(two));
    EXPECT_NEAR(weighted.sum.item<double>(), plain.sum.item<double>(), 1e-4);
    EXPECT_EQ(weighted.weight, 2.0);
  }
}

TEST(GcMc, GradientsEqualDifferences) {
  for (const auto& options : every_kind()) {
    const auto rows = rows_of_levels(5, 4, 0.6, options.levels, 5);
    const auto data = data_of(rows, 5, 4);
    const auto model = make(options, data);
    to_double(*model);
    const auto batch = batch_of(rows);
    expect_parameter_gradients(*model, [&] { return loss_of(*model, batch).sum; }, 6);
  }
}

class GcMcReference : public ::testing::TestWithParam<std::string> {};

TEST_P(GcMcReference, PredictionsGradientsAndLossesUnderAdamAreThoseOfPythonTorch) {
  const auto reference = read_reference("gc_mc")["models"][GetParam()];
  Options options{.levels = {1, 2, 4}, .hidden = 6, .dim = 3, .dropout = 0.7};
  if (GetParam() != "stack_left") {
    options.normalize = GcMc::Normalize::kSymmetric;
    options.share_levels = true;
    options.bases = 1;
  }
  if (GetParam() == "sum_symmetric") {
    options.accumulate = GcMc::Accumulate::kSum;
    options.bases = 3;
  }
  const std::vector<RatingRow> rows = {{0, 0, 4}, {0, 1, 1}, {0, 3, 2}, {1, 1, 4},
                                       {1, 2, 4}, {2, 0, 2}, {2, 3, 1}};
  const auto data = data_of(rows, 3, 4);
  const auto model = make(options, data);  // in evaluation: nothing is left out
  to_double(*model);
  const auto parameters = trained_parameters(*model, {});
  ASSERT_EQ(parameters.size(), reference["gradients"].size());
  std::map<std::string, torch::Tensor> by_name;
  for (const auto& parameter : parameters) by_name[parameter.name] = parameter.tensor;
  {
    const torch::NoGradGuard no_grad;
    int64_t salt = 0;
    for (auto& [name, tensor] : by_name) tensor.copy_(4.0 * fill(tensor.sizes(), salt++));
  }
  const auto expect_as = [&](const char* key) {
    model->eval();  // an optimiser writes weights past autograd's count of versions
    expect_numbers(predictions(*model, first(3)), reference[key], key);
  };
  expect_as("predictions");

  WorkerPool workers(2);
  LearningStep learning(*model, parameters, workers, /*seed=*/1);
  StepBatch step;
  step.shards = {batch_of({rows[6], rows[1], rows[0], rows[4]}),
                 batch_of({rows[2], rows[5], rows[3]})};
  step.num_examples = 7;
  const auto whole = learning.run(std::span(&step, 1), 0, 0);
  EXPECT_NEAR(whole.loss(), reference["loss"].get<double>(),
              kReferenceTolerance * std::max(1.0, whole.loss()));
  for (size_t p = 0; p < parameters.size(); ++p)
    expect_numbers(whole.gradients[p].dense, reference["gradients"][parameters[p].name],
                   parameters[p].name);
  const auto optimizer =
      Component<Optimizer>::make<Adam>({.lr = 0.02}).build({.parameters = parameters});
  WeightAverage average(0.4, parameters);
  const auto& losses = reference["losses"];
  ASSERT_GE(losses.size(), 10U);
  for (size_t i = 0; i < losses.size(); ++i) {
    const auto number = static_cast<int64_t>(i);
    const auto result = learning.run(std::span(&step, 1), number, number);
    const double expected = losses[i];
    EXPECT_NEAR(result.loss(), expected, kReferenceTolerance * std::max(1.0, expected))
        << "step " << i;
    optimizer->step(result.gradients, 1.0, workers);
    average.update(number + 1);
  }
  expect_as("predictions_after");
  average.exchange();
  expect_as("predictions_by_average");
  average.exchange();
  expect_as("predictions_after");
}

INSTANTIATE_TEST_SUITE_P(Models, GcMcReference,
                         ::testing::Values("stack_left", "stack_symmetric", "sum_symmetric"),
                         [](const auto& info) { return info.param; });

TEST(GcMc, NumbersOfUsersDoNotMatter) {
  const Options options{.hidden = 10, .dim = 4, .dropout = 0.0};
  const auto rows = rows_of_levels(9, 6, 0.6, options.levels, 6);
  auto turned = rows;
  for (auto& row : turned) row.user = 8 - row.user;
  std::stable_sort(turned.begin(), turned.end(),
                   [](const auto& a, const auto& b) { return a.user < b.user; });
  const auto data = data_of(rows, 9, 6), turned_data = data_of(turned, 9, 6);
  const auto a = make(options, data), b = make(options, turned_data);
  {
    const torch::NoGradGuard no_grad;
    auto told = b->named_parameters()["told"];
    told.slice(0, 0, 9).copy_(a->named_parameters()["told"].slice(0, 0, 9).flip(0));
  }
  EXPECT_TRUE(
      torch::allclose(predictions(*a, first(9)), predictions(*b, first(9)).flip(0), 1e-5, 1e-5));
}

TEST(GcMc, OfSeveralRatingsOfAnItemTheLastOneIsTheEdge) {
  const Options options{.hidden = 10, .dim = 4};
  const auto once = data_of({{0, 1, 2}, {0, 0, 5}, {1, 0, 4}, {1, 1, 1}}, 2, 2);
  const auto twice = data_of({{0, 0, 1}, {0, 1, 2}, {0, 0, 5}, {1, 0, 4}, {1, 1, 1}}, 2, 2);
  EXPECT_TRUE(torch::equal(predictions(*make(options, once), {0, 1}),
                           predictions(*make(options, twice), {0, 1})));
}

TEST(GcMc, ANodeThatIsLeftOutTellsNobodyAnything) {
  // Without relu in the way: what one item tells, users hear.
  const Options options{.levels = {1, 2}, .hidden = 2, .dim = 2, .bases = 1, .dropout = 0.5};
  std::vector<RatingRow> rows;
  for (int64_t user = 0; user < 40; ++user) rows.push_back({user, 0, 1});
  const auto data = data_of(rows, 40, 1);
  const auto model = make(options, data);
  {
    const torch::NoGradGuard no_grad;
    for (auto& item : model->named_parameters()) item.value().fill_(1.0);
  }
  model->train();
  const torch::NoGradGuard no_grad;
  int64_t silent = 0;
  for (int64_t step = 0; step < 60; ++step) {
    const DropoutScope scope(1, step, 0);
    const auto heard = model->shared({})[0].flatten(1).sum(1);  // [U]
    // The item is heard by all, twice as loud and save the elements that were left out, or by none.
    const auto loudest = heard.max().item<double>();
    if (loudest == 0.0) {
      ++silent;
      continue;
    }
    for (int64_t user = 0; user < 40; ++user) {
      const auto value = heard[user].item<double>();
      EXPECT_TRUE(value == 0.0 || std::abs(value - loudest) < 1e-4) << value;
    }
  }
  EXPECT_GT(silent, 15);
  EXPECT_LT(silent, 45);
}

TEST(GcMc, WhoHasNoRatingHasTheMeansAndNoPredictionLeavesTheLevels) {
  // User 3 and item 4 have no rating.
  const auto data =
      data_of({{0, 0, 5}, {0, 1, 4}, {1, 0, 2}, {1, 2, 1}, {2, 1, 3}, {2, 3, 5}}, 4, 5);
  const auto model = make({.hidden = 10, .dim = 4}, data);
  const auto got = predictions(*model, {0, 3, kUnknownId});  // [3, I]
  EXPECT_TRUE(torch::equal(got[1], got[2])) << "no rating is no user";
  EXPECT_NEAR(got[1][0].item<double>(), 3.5, 1e-6);
  EXPECT_NEAR(got[1][4].item<double>(), 20.0 / 6.0, 1e-5);
  EXPECT_NEAR(got[0][4].item<double>(), 4.5, 1e-6);
  EXPECT_TRUE(got.ge(1).logical_and(got.le(5)).all().item<bool>()) << got;
  Batch request(2);
  request.set(batch_key::kUsers, torch::tensor({int64_t{0}, kUnknownId}, torch::kLong));
  EXPECT_TRUE(model->usable(request).all().item<bool>());
}

TEST(GcMc, ScoresOfAllItemsAndFoldedOnesAreTheScoresOfEach) {
  for (const auto& options : every_kind()) {
    const auto data = data_of(rows_of_levels(9, 11, 0.4, options.levels, 8), 9, 11);
    const auto model = make(options, data);
    const std::vector<int64_t> users = {4, kUnknownId, 0};
    Batch request(3);
    request.set(batch_key::kUsers, torch::tensor(users, torch::kLong));
    const torch::NoGradGuard no_grad;
    const auto expected = predictions(*model, users);  // [B, I]
    EXPECT_TRUE(torch::allclose(model->score_all(model->encode(request)), expected, 1e-5, 1e-5));
    model->fold(true);
    EXPECT_TRUE(torch::equal(predictions(*model, users), expected));
    model->fold(false);
    // What was kept for scoring is made again of other weights.
    model->named_parameters()["told"].mul_(-50.0);
    EXPECT_FALSE(torch::allclose(predictions(*model, users), expected, 1e-4, 1e-4));
  }
}

std::vector<ColumnContent> columns(TableRole role, const std::vector<ColumnRequest>& requests) {
  ColumnContent content;
  if (role == TableRole::kItems)
    content.texts = {"a|b", "b", "a", ""};
  else
    content.texts = {"x", "y", "x", "y", "x"};
  return std::vector<ColumnContent>(requests.size(), content);
}

TEST(GcMc, FeaturesOfEitherSideAreAChannelBesideTheRatings) {
  FeatureOptions genres, job;
  genres.columns.resize(1);
  genres.columns[0].column = "genres";
  genres.columns[0].type = FeatureType::kCategories;
  genres.columns[0].min_count = 1;
  genres.init.scale = 0.5;
  job.columns.resize(1);
  job.columns[0].column = "job";
  job.columns[0].min_count = 1;
  job.init.scale = 0.5;
  for (const int which : {0, 1, 2}) {
    Options options{.levels = {1, 2, 3}, .hidden = 6, .dim = 4, .dropout = 0.0, .feature_dim = 3};
    if (which != 1) options.item.features = genres;
    if (which != 0) options.user.features = job;
    const auto rows = rows_of_levels(5, 4, 0.7, options.levels, 9);
    const auto data = data_of(rows, 5, 4);
    const auto model = make(options, data, columns);
    {
      const torch::NoGradGuard no_grad;
      for (auto& item : model->named_parameters())
        if (item.key().ends_with("_feature_bias")) item.value().fill_(0.2);
    }
    expect_predictions(*model, options, rows, 5, 4);
    std::vector<torch::Tensor> parameters;
    for (const auto& item : model->named_parameters()) parameters.push_back(item.value());
    const auto names = model->named_parameters().keys();
    const auto gradients = dense_gradients(loss_of(*model, batch_of(rows)).sum, parameters);
    for (size_t i = 0; i < names.size(); ++i)
      EXPECT_TRUE(gradients[i].defined() && gradients[i].ne(0).any().item<bool>()) << names[i];
  }
}

TEST(GcMc, RefusesRatingsThatAreNoneOfItsLevelsAndNoRatings) {
  const auto problem = [](const Interactions& data) {
    try {
      make({.hidden = 10, .dim = 4}, data);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(problem(data_of({{0, 0, 5}, {1, 1, 3.5}}, 2, 2)),
              HasSubstr("training has a rating of 3.5, and model.levels are 1, 2, 3, 4, 5; name "
                        "every rating that users can give"));
  EXPECT_THAT(problem(data_of({{0, 0, 0.5}}, 2, 2)), HasSubstr("a rating of 0.5"));
  EXPECT_THAT(problem(data_of({{0, 0, 6}}, 2, 2)), HasSubstr("a rating of 6"));
  EXPECT_THAT(problem(data_of({{0, 0, NAN}}, 2, 2)), HasSubstr("NaN"));
  EXPECT_THAT(problem(data_of({}, 2, 2)), HasSubstr("no rating to learn from"));
  EXPECT_EQ(problem(data_of({{0, 0, 5}, {1, 1, 1}}, 2, 2)), "");
  EXPECT_THROW(GcMc({}, {.num_users = 2, .num_items = 2, .has_ratings = false}), ConfigError);
}

TEST(GcMc, FindsTheBlocksThatRatingsAreMadeOf) {
  // Two kinds of users and of items; what they rate depends on the pair alone, and a quarter is held back.
  std::vector<RatingRow> rows, held_out;
  for (int64_t user = 0; user < 20; ++user)
    for (int64_t item = 0; item < 16; ++item)
      ((user * 7 + item * 5) % 4 != 0 ? rows : held_out)
          .push_back({user, item, user % 2 == item % 2 ? 5.0 : 2.0});
  const auto data = data_of(rows, 20, 16);
  const auto model = make({.hidden = 50, .dim = 8, .dropout = 0.0}, data);
  model->train();
  const auto parameters = trained_parameters(*model, {});
  WorkerPool workers(1);
  LearningStep learning(*model, parameters, workers, /*seed=*/1);
  const auto optimizer =
      Component<Optimizer>::make<Adam>({.lr = 0.02}).build({.parameters = parameters});
  StepBatch step;
  step.shards = {batch_of(rows)};
  for (int64_t number = 0; number < 100; ++number)
    optimizer->step(learning.run(std::span(&step, 1), number, number).gradients, 1.0, workers);
  model->eval();
  const auto got = predictions(*model, first(20));  // [U, I]
  for (const auto& row : held_out)
    EXPECT_NEAR(got[row.user][row.item].item<double>(), row.rating, 0.1)
        << row.user << " " << row.item;
}

}  // namespace
}  // namespace reckon::gc_mc_test
