// What the retrieval family asks of batches, and that each objective gets what it asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include "datasets/batch_builder.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/retrieval.h"
#include "tests/support/gradients.h"

namespace reckon::retrieval_needs_test {
namespace {

constexpr int64_t kUsers = 6, kItems = 9;

Interactions some_interactions() {
  Interactions data;
  data.num_users = kUsers;
  data.num_items = kItems;
  data.user_offsets = torch::tensor({0, 3, 5, 9, 11, 14, 16}, torch::kLong);
  data.items = torch::tensor({0, 1, 2, 0, 3, 0, 1, 4, 5, 0, 6, 1, 0, 7, 8, 0}, torch::kInt);
  return data;
}

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

// `user` and `objectives` in YAML; the same seed for all of them.
std::shared_ptr<Model> make(const std::string& user, const std::string& objectives,
                            bool has_ratings = true) {
  Catalog catalog;
  add_layers(catalog);
  add_models(catalog);
  const auto slot = read_config<Slot>(
      parse_yaml("model:\n  {family: retrieval, dim: 8, item: {id: {init: {scale: 0.5}}}, user: " +
                     user + ",\n   objectives: [" + objectives + "]}\n",
                 "test.yaml"),
      catalog);
  torch::manual_seed(3);
  auto model =
      slot.model.build({.num_users = kUsers, .num_items = kItems, .has_ratings = has_ratings});
  model->eval();
  return model;
}

const char* const kIds = "{id: {init: {scale: 0.5}}}";
const char* const kHistories =
    "{history: {max_length: 4, dropout: 0.0, encoder: {type: mean_pooling}}}";

Batch first_batch(Model& model) {
  const auto train = some_interactions();
  const BatchBuilder builder(train, model.learnable()->needs(),
                             {.batch_size = 64, .num_shards = 1});
  return builder.build(0, 0).shards[0];
}

torch::Tensor loss_of(Model& model, const Batch& batch) {
  return model.learnable()->loss(model.learnable()->represent(batch, {}), {}, 0).sum;
}

// Sets without a target left out, so that a target's state does not hang on how the others stand.
std::string sets(bool one_target) {
  return std::string("{history: {max_length: 4, dropout: 0.0, one_target: ") +
         (one_target ? "true" : "false") +
         ", encoder: {type: set_pooling, leave_out_target: false}}}";
}

TEST(RetrievalNeeds, OneTargetToARowTeachesTogetherWhatAllTargetsOfASetTeach) {
  const auto together = make(sets(false), "{type: softmax}");
  const auto apart = make(sets(true), "{type: softmax}");
  const auto of_sets = first_batch(*together), of_rows = first_batch(*apart);
  EXPECT_EQ(of_sets.size(), kUsers);
  EXPECT_EQ(of_rows.size(), 16) << "a row for each interaction";
  const auto expected = loss_of(*together, of_sets), found = loss_of(*apart, of_rows);
  EXPECT_NEAR(found.item<double>(), expected.item<double>(), 1e-4);
  const auto wanted = dense_gradients(expected, together->parameters());
  const auto gradients = dense_gradients(found, apart->parameters());
  ASSERT_EQ(gradients.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_TRUE(torch::allclose(gradients[i], wanted[i], 1e-4, 1e-5)) << i;
}

void expect_refusal(const std::string& user, const std::string& message) {
  try {
    make(user, "{type: softmax}");
    FAIL() << "accepted: " << user;
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr(message));
  }
}

TEST(RetrievalNeeds, OneTargetToARowIsForSetsAndANormForSequences) {
  expect_refusal("{history: {one_target: true, encoder: {type: gru}}}",
                 "is for encoders that read a history as a set");
  expect_refusal("{history: {norm: true, encoder: {type: set_pooling}}}",
                 "model.user.history.norm: is for encoders that read a sequence");
}

TEST(RetrievalNeeds, AnObjectiveThatCountsNothingChangesNothingForTheOneBesideIt) {
  for (const auto* user : {kIds, kHistories}) {
    for (const std::string type : {"bpr", "bce", "sampled_softmax"}) {
      const auto alone = make(user, "{type: in_batch_softmax}");
      const auto beside =
          make(user, "{type: in_batch_softmax}, {type: " + type + ", weight: 1e-12, negatives: 2}");
      const auto expected = loss_of(*alone, first_batch(*alone));
      const auto found = loss_of(*beside, first_batch(*beside));
      EXPECT_NEAR(found.item<double>(), expected.item<double>(), 1e-4) << user << type;
      const auto wanted = dense_gradients(expected, alone->parameters());
      const auto gradients = dense_gradients(found, beside->parameters());
      ASSERT_EQ(gradients.size(), wanted.size());
      for (size_t i = 0; i < wanted.size(); ++i) {
        if (!wanted[i].defined()) continue;
        EXPECT_TRUE(torch::allclose(gradients[i], wanted[i], 1e-4, 1e-5)) << user << type << i;
      }
    }
  }
}

// A propagation makes new users of a request's items; learnt from with them, a step of LightGCN held the
// whole pasts of its users, and came from users of like pasts.
TEST(RetrievalNeeds, AGraphThatServesNewUsersAsksForNoHistoriesInTraining) {
  const auto model = make("{id: {}}, propagation: {type: lightgcn}", "{type: bpr}");
  ASSERT_EQ(model->request_needs().max_length, RequestNeeds::kWholeHistory);
  EXPECT_EQ(model->learnable()->needs().max_length, 0);
  EXPECT_FALSE(first_batch(*model).has(batch_key::kHistory));
}

TEST(RetrievalNeeds, EachObjectiveGetsTheNegativesThatItAskedFor) {
  const std::string bpr = "{type: bpr, negatives: 3}";
  const std::string bce = "{type: bce, negatives: 2, sharing: example, popularity_exponent: 0.5}";
  const std::string sampled = "{type: sampled_softmax, negatives: 4, sharing: step, log_q: true}";
  const std::string of_shards = "{type: cosine_contrastive, negatives: 5, sharing: shard}";
  const std::vector<std::string> each = {bpr, bce, sampled, of_shards};
  for (const auto* user : {kIds, kHistories}) {
    const auto all = make(user, bpr + ", " + bce + ", " + sampled + ", " + of_shards);
    const auto batch = first_batch(*all);
    double sum = 0.0;
    for (size_t i = 0; i < each.size(); ++i) {
      const auto alone = make(user, each[i]);
      auto own = batch;
      for (const auto* name :
           {batch_key::kNegatives, batch_key::kTargetLogQ, batch_key::kNegativeLogQ})
        own.set(name, batch.find(batch_key::of_stream(name, i)));
      sum += loss_of(*alone, own).item<double>();
    }
    EXPECT_NEAR(loss_of(*all, batch).item<double>(), sum, 1e-4) << user;
  }
}

TEST(RetrievalNeeds, NegativesOfShardsAreRefusedWhereAWholeStepIsCompared) {
  const std::string sampled = "{type: sampled_softmax, negatives: 4, sharing: ";
  EXPECT_NO_THROW(make(kIds, sampled + "step}, {type: in_batch_softmax}"));
  EXPECT_NO_THROW(make(kIds, sampled + "shard}, {type: bpr}"));
  try {
    make(kIds, "{type: in_batch_softmax}, " + sampled + "shard}");
    FAIL() << "taken";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                ::testing::HasSubstr("model.objectives[1].sharing: no shard can have"));
  }
}

TEST(RetrievalNeeds, NegativesAreDrawnOnceForAllWhoWantTheSame) {
  const auto needs_of = [](const std::string& objectives) {
    return make(kIds, objectives)->learnable()->needs();
  };
  const auto same = needs_of(
      "{type: bpr}, {type: sampled_softmax, negatives: 1, sharing: position, "
      "log_q: true}, {type: bce}");
  ASSERT_EQ(same.negatives.size(), 1);
  EXPECT_TRUE(same.negatives[0].log_q);
  EXPECT_FALSE(same.log_frequency);
  const auto different =
      needs_of("{type: bpr}, {type: in_batch_softmax}, {type: bce, negatives: 3}");
  ASSERT_EQ(different.negatives.size(), 2);
  EXPECT_EQ(different.negatives[0].count, 1);
  EXPECT_EQ(different.negatives[1].count, 3);
  EXPECT_FALSE(different.negatives[0].log_q || different.negatives[1].log_q);
  EXPECT_TRUE(different.log_frequency);
  EXPECT_TRUE(needs_of("{type: softmax}").negatives.empty());
}

TEST(RetrievalNeeds, AnObjectiveOfRatingsIsRefusedWhereThereAreNone) {
  const std::string objectives = "{type: bpr},\n     {type: squared_error}";
  EXPECT_NO_THROW(make(kIds, objectives));
  EXPECT_NO_THROW(make(kIds, "{type: bpr}", /*has_ratings=*/false));
  try {
    make(kIds, objectives, /*has_ratings=*/false);
    FAIL() << "built";
  } catch (const ConfigError& error) {
    EXPECT_THAT(std::string(error.what()),
                ::testing::HasSubstr(
                    "test.yaml:4:6: error: model.objectives[1]: learns ratings, and "
                    "the data has none"));
  }
}

TEST(RetrievalNeeds, NegativesWhoseVectorsFitNowhereAreRefusedWithTheirSize) {
  const auto model = make(kIds, "{type: bpr, negatives: 1000000}");
  Batch batch(1000);
  batch.set(batch_key::kUsers, torch::zeros({1000}, torch::kLong));
  batch.set(batch_key::kTargets, torch::zeros({1000}, torch::kLong));
  // One id that is said to stand a thousand million times.
  batch.set(batch_key::kNegatives, torch::zeros({1, 1}, torch::kLong).expand({1000, 1'000'000}));
  try {
    loss_of(*model, batch);
    FAIL() << "made them";
  } catch (const ConfigError& error) {
    EXPECT_THAT(std::string(error.what()),
                ::testing::HasSubstr(
                    "model.objectives[0]: the vectors of 1,000,000,000 negatives of "
                    "one step would take 29.8 GiB"));
  }
}

}  // namespace
}  // namespace reckon::retrieval_needs_test
