#include "models/retrieval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include "core/ids.h"
#include "layers/catalog.h"
#include "models/catalog.h"

namespace reckon::retrieval_test {
namespace {

constexpr int64_t kUsers = 7, kItems = 11;

// Mixes each side with a fixed matrix and the mean of the other: stands in for a graph.
class Blend : public Propagation {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };
  Blend(const Options&, const Deps& deps)
      : mix_(register_parameter("mix", torch::eye(deps.width) * 0.5 + 0.1)) {}
  int64_t output_width() const override { return mix_.size(0); }
  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>&) override {
    const auto mixed = torch::cat({users.matmul(mix_) + items.mean(0, true),
                                   items.matmul(mix_) + users.mean(0, true)});  // [U + I, D]
    return {mixed.index_select(0, rows), torch::cat({users, items}).index_select(0, rows)};
  }

 private:
  torch::Tensor mix_;
};

Catalog test_catalog() {
  Catalog catalog;
  add_layers(catalog);
  add_models(catalog);
  catalog.add<Blend>("blend", "A stand-in for a graph.");
  return catalog;
}

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

std::shared_ptr<Model> make(const std::string& model_yaml) {
  const auto catalog = test_catalog();
  const auto slot =
      read_config<Slot>(parse_yaml("model: " + model_yaml + "\n", "test.yaml"), catalog);
  torch::manual_seed(3);
  auto model = slot.model.build({.num_users = kUsers, .num_items = kItems});
  torch::NoGradGuard no_grad;
  for (auto& parameter : model->parameters())
    if (parameter.dim() == 2 && parameter.size(0) > 2)
      parameter.narrow(0, 2, parameter.size(0) - 2).normal_(0, 0.5);
  model->eval();
  return model;
}

const char* const kSequenceModel =
    "{family: retrieval, dim: 8, user: {history: {max_length: 6, dropout: 0.0, encoder: {type: "
    "transformer, num_blocks: 1, num_heads: 2, dropout: 0.0}}}, objectives: [{type: softmax}]}";
const char* const kBothModel =
    "{family: retrieval, dim: 8, user: {id: {}, history: {max_length: 6, dropout: 0.0, encoder: "
    "{type: "
    "gru}}}, scorer: {type: dot, item_bias: true, user_bias: true}, objectives: [{type: bpr}]}";
const char* const kGraphModel =
    "{family: retrieval, dim: 8, user: {id: {}}, propagation: {type: blend}, objectives: [{type: "
    "softmax}]}";

Batch request(const Model& model) {
  const auto needs = model.request_needs();
  Batch batch(3);
  if (needs.users) batch.set(batch_key::kUsers, torch::tensor({0, 4, 6}, torch::kLong));
  if (needs.max_length > 0)
    batch.set(batch_key::kHistory, torch::tensor({{kPaddingId, kPaddingId, int64_t{3}, int64_t{1}},
                                                  {int64_t{0}, int64_t{5}, int64_t{10}, int64_t{2}},
                                                  {kPaddingId, int64_t{7}, int64_t{7}, int64_t{9}}},
                                                 torch::kLong));
  return batch;
}

Batch training_batch() {
  Batch batch(2);
  batch.set(batch_key::kUsers, torch::tensor({1, 5}, torch::kLong));
  batch.set(batch_key::kHistory, torch::tensor({{kPaddingId, int64_t{3}, int64_t{1}},
                                                {int64_t{0}, int64_t{5}, int64_t{10}}},
                                               torch::kLong));
  batch.set(batch_key::kTargets, torch::tensor({{kPaddingId, int64_t{1}, int64_t{4}},
                                                {int64_t{5}, int64_t{10}, int64_t{2}}},
                                               torch::kLong));
  batch.set(batch_key::kNegatives, torch::tensor({{{8}, {8}, {0}}, {{9}, {7}, {6}}}, torch::kLong));
  return batch;
}

class EveryShape : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryShape, FactorsGiveTheSameScoresAsCandidates) {
  const auto model = make(GetParam());
  torch::NoGradGuard no_grad;
  const auto state = model->encode(request(*model));
  const auto factors = model->factors();
  ASSERT_TRUE(factors.has_value());
  auto expected = torch::einsum("bmd,id->bi", {model->queries(state), factors->items});  // [B, I]
  if (factors->item_bias.defined()) expected = expected + factors->item_bias;
  if (const auto bias = model->query_bias(state); bias.defined())
    expected = expected + bias.unsqueeze(1);
  const auto all = torch::arange(kItems).unsqueeze(0).expand({3, kItems});  // [B, I]
  EXPECT_TRUE(torch::allclose(model->score(state, all), expected, 1e-4, 1e-5));
}

TEST_P(EveryShape, PermutingRequestsPermutesScores) {
  const auto model = make(GetParam());
  torch::NoGradGuard no_grad;
  const auto batch = request(*model);
  const auto order = torch::tensor({2, 0, 1}, torch::kLong);  // [B]
  Batch permuted(3);
  for (const auto& [name, tensor] : batch.tensors())
    permuted.set(name, tensor.index_select(0, order));
  const auto all = torch::arange(kItems).unsqueeze(0).expand({3, kItems});  // [B, I]
  const auto scores = model->score(model->encode(batch), all);              // [B, I]
  EXPECT_TRUE(torch::allclose(model->score(model->encode(permuted), all),
                              scores.index_select(0, order), 1e-5, 1e-6));
}

INSTANTIATE_TEST_SUITE_P(Retrieval, EveryShape,
                         ::testing::Values(kSequenceModel, kBothModel, kGraphModel));

TEST(Retrieval, PaddingInFrontChangesNoScore) {
  const auto model = make(kSequenceModel);
  torch::NoGradGuard no_grad;
  Batch batch = request(*model), wider(3);
  const auto history = batch.at(batch_key::kHistory);
  wider.set(batch_key::kHistory,
            torch::cat({torch::full({3, 2}, kPaddingId, torch::kLong), history}, 1));  // [B, T + 2]
  EXPECT_TRUE(torch::allclose(model->encode(batch).tensors[0], model->encode(wider).tensors[0],
                              1e-5, 1e-6));
}

TEST(Retrieval, BehindANormAStateDoesNotSayHowLongItsItemsAre) {
  torch::NoGradGuard no_grad;
  for (const bool norm : {false, true}) {
    const auto model = make(std::string("{family: retrieval, dim: 8, user: {history: {max_length: "
                                        "6, dropout: 0.0, position: {type: none}, norm: ") +
                            (norm ? "true" : "false") +
                            ", encoder: {type: gru}}}, objectives: [{type: softmax}]}");
    const auto before = model->encode(request(*model)).tensors[0];  // [B, D]
    for (auto& parameter : model->named_parameters())
      if (parameter.key().starts_with("items")) parameter.value().mul_(3.0);
    const auto after = model->encode(request(*model)).tensors[0];  // [B, D]
    EXPECT_EQ(torch::allclose(after, before, 1e-4, 1e-5), norm);
    EXPECT_TRUE(after.isfinite().all().item<bool>());
  }
}

TEST(Retrieval, AnEmptyHistoryScoresEveryItemAlikeAndIsFinite) {
  const auto model = make(kSequenceModel);
  torch::NoGradGuard no_grad;
  Batch batch(1);
  batch.set(batch_key::kHistory, torch::full({1, 3}, kPaddingId, torch::kLong));
  const auto scores = model->score(model->encode(batch), torch::arange(kItems).unsqueeze(0));
  EXPECT_TRUE(torch::equal(scores, torch::zeros({1, kItems})));
}

TEST(Retrieval, LossesOfShardsAddUpToTheLossOfTheWhole) {
  const auto model = make(kBothModel);
  const auto whole = training_batch();
  const auto loss_of = [&](const Batch& batch) {
    return model->learnable()->loss(model->learnable()->represent(batch, {}), {}, 0);
  };
  const auto expected = loss_of(whole);
  double sum = 0, weight = 0;
  for (int64_t row = 0; row < 2; ++row) {
    Batch shard(1);
    for (const auto& [name, tensor] : whole.tensors()) shard.set(name, tensor.narrow(0, row, 1));
    const auto parts = loss_of(shard);
    sum += parts.sum.item<double>();
    weight += parts.weight;
  }
  EXPECT_NEAR(sum, expected.sum.item<double>(), 1e-5);
  EXPECT_EQ(weight, expected.weight);
  EXPECT_EQ(weight, 5.0);  // the padded position is not learnt from
}

TEST(Retrieval, ItsLossIsTheObjectivesFormulaOverTheTargets) {
  const auto model = make(kSequenceModel);
  const auto batch = training_batch();
  const auto parts = model->learnable()->loss(model->learnable()->represent(batch, {}), {}, 0);
  torch::NoGradGuard no_grad;
  double expected = 0;
  const std::vector<int64_t> targets = {1, 4, 5, 10, 2};  // row by row, padding left out
  const auto rows = model->learnable()->represent(batch, {}).rows[0];  // [P, D]
  const auto items = model->factors()->items;                          // [I, D]
  const auto log_p = rows.matmul(items.t()).log_softmax(-1);           // [P, I]
  ASSERT_EQ(rows.size(0), 5);
  for (size_t p = 0; p < targets.size(); ++p)
    expected -= log_p[static_cast<int64_t>(p)][targets[p]].item<double>();
  EXPECT_NEAR(parts.sum.item<double>(), expected, 1e-4);
}

TEST(Retrieval, GradientsThroughSharedTensorsEqualDirectOnes) {
  const auto model = make(kGraphModel);
  auto* learnable = model->learnable();
  Batch batch(3);
  batch.set(batch_key::kUsers, torch::tensor({1, 5, 1}, torch::kLong));
  batch.set(batch_key::kTargets, torch::tensor({2, 0, 9}, torch::kLong));
  const auto parameters = model->parameters();
  const Batch* const step[] = {&batch};
  const auto shared = learnable->shared(step);
  const auto direct =
      torch::autograd::grad({learnable->loss(learnable->represent(batch, shared), shared, 0).sum},
                            parameters, {}, true, false, true);
  // What the trainer does: cut at the shared tensors, then send their gradients back once.
  std::vector<torch::Tensor> leaves;
  std::vector<torch::Tensor> outputs, cut;  // those that need a gradient
  for (const auto& tensor : shared) {
    const bool needs = tensor.defined() && tensor.requires_grad();
    leaves.push_back(needs ? tensor.detach().requires_grad_() : tensor);
    if (!needs) continue;
    outputs.push_back(tensor);
    cut.push_back(leaves.back());
  }
  const auto at_leaves =
      torch::autograd::grad({learnable->loss(learnable->represent(batch, leaves), leaves, 0).sum},
                            cut);
  const auto back = torch::autograd::grad(outputs, parameters, at_leaves, true, false, true);
  for (size_t i = 0; i < parameters.size(); ++i) {
    ASSERT_EQ(direct[i].defined(), back[i].defined());
    if (!direct[i].defined()) continue;
    EXPECT_TRUE(torch::allclose(direct[i].to_dense(), back[i].to_dense(), 1e-4, 1e-6)) << i;
  }
}

TEST(Retrieval, SaysWhereSlotsDoNotFit) {
  try {
    make(
        "{family: retrieval, dim: 9, user: {history: {encoder: {type: transformer, num_heads: "
        "2}}}, "
        "objectives: [{type: softmax}]}");
    FAIL() << "built";
  } catch (const ConfigError& error) {
    EXPECT_THAT(std::string(error.what()), ::testing::HasSubstr("model.user.history.encoder"));
    EXPECT_THAT(std::string(error.what()), ::testing::HasSubstr("test.yaml:1:"));
  }
}

TEST(Retrieval, AUsersIdAndHistoryAreMixedByTheWeightOfTheId) {
  const auto user = [](const std::string& weight) {
    return "{family: retrieval, dim: 8, user: {id: {}" + weight +
           ", history: {max_length: 6, dropout: 0.0, position: {type: none}, encoder: {type: "
           "set_pooling}}}, objectives: [{type: softmax}]}";
  };
  torch::NoGradGuard no_grad;
  const auto state_of = [&](const std::string& weight) {
    const auto model = make(user(weight));
    return model->encode(request(*model)).tensors[0];
  };
  const auto of_id = state_of(", id_weight: 1.0"), of_history = state_of(", id_weight: 0.0");
  EXPECT_TRUE(
      torch::allclose(state_of(", id_weight: 0.3"), 0.3 * of_id + 0.7 * of_history, 1e-4, 1e-6));
  EXPECT_TRUE(torch::allclose(state_of(""), of_id + of_history, 1e-4, 1e-6));
  EXPECT_FALSE(torch::allclose(of_id, of_history, 1e-2, 1e-2));
}

// What is served is what was learnt, and both see which steps hold one item.
TEST(Retrieval, TellsAnEncoderOfSessionsWhichItemsCameBack) {
  for (const std::string encoder : {"srgnn", "gcsan, dropout: 0.0", "gcsan, num_blocks: 2"}) {
    const auto model = make(
        "{family: retrieval, dim: 8, user: {history: {max_length: 6, dropout: 0.0, position: none, "
        "encoder: {type: " +
        encoder + "}}}, objectives: [{type: softmax}]}");
    torch::NoGradGuard no_grad;
    const auto history =
        torch::tensor({{kPaddingId, int64_t{3}, int64_t{1}, int64_t{3}, int64_t{3}, int64_t{1}}});
    Batch batch(1);
    batch.set(batch_key::kHistory, history);
    batch.set(batch_key::kTargets, history.masked_fill(history.ge(0), 5));
    const auto served = model->encode(batch).tensors[0];                   // [1, D]
    const auto learnt = model->learnable()->represent(batch, {}).rows[0];  // [5, D]
    EXPECT_TRUE(torch::allclose(served[0], learnt[-1], 1e-4, 1e-6)) << encoder;
    const auto x = model->item_vectors()->index_select(0, history[0].clamp_min(0)).unsqueeze(0) *
                   history.ge(0).unsqueeze(-1);  // [1, T, D]
    auto* alone = model->named_children()["encoder"]->as<SequenceEncoder>();
    ASSERT_NE(alone, nullptr);
    const auto valid = history.ge(0);
    EXPECT_TRUE(torch::allclose(served, alone->last_state(x, valid, history), 1e-4, 1e-6));
    EXPECT_FALSE(torch::allclose(served, alone->last_state(x, valid, {}), 1e-3, 1e-4));
  }
}

// The loss by the formula, from the vectors alone: every item of the set is a target of all of it.
TEST(Retrieval, LearnsASetFromItselfAsAWhole) {
  const auto model = make(
      "{family: retrieval, dim: 8, user: {history: {max_length: 6, dropout: 0.0, position: {type: "
      "none}, encoder: {type: set_pooling, projection: false, leave_out_target: true}}}, "
      "objectives: "
      "[{type: softmax}]}");
  auto* learnable = model->learnable();
  EXPECT_EQ(learnable->needs().examples, Needs::Examples::kSets);
  torch::NoGradGuard no_grad;
  const auto set = torch::tensor({{kPaddingId, int64_t{3}, int64_t{1}, int64_t{7}}}, torch::kLong);
  Batch batch(1);
  batch.set(batch_key::kHistory, set);
  batch.set(batch_key::kTargets, set);
  const auto items = *model->item_vectors();
  double expected = 0.0;
  for (const int64_t target : {3, 1, 7}) {
    const auto query = (items[3] + items[1] + items[7] - items[target]) / 2.0;
    expected -= items.matmul(query).log_softmax(0)[target].item<double>();
  }
  const auto parts = learnable->loss(learnable->represent(batch, {}), {}, 0);
  EXPECT_NEAR(parts.sum.item<double>(), expected, 1e-4);
  EXPECT_EQ(parts.weight, 3.0);
}

// Sums of rows in place of gathered ones come to the same, of the table that histories have.
TEST(Retrieval, LearnsFromSumsWhatItWouldLearnFromVectorsSideBySide) {
  const auto set = torch::tensor({{kPaddingId, int64_t{3}, int64_t{1}, int64_t{7}},
                                  {kPaddingId, kPaddingId, int64_t{3}, int64_t{3}},
                                  {kPaddingId, kPaddingId, kPaddingId, int64_t{5}}});
  const auto flat = set.flatten().ge(0).nonzero().squeeze(1);  // [P]
  for (const std::string own : {"", "id: {}, "})
    for (const std::string scale : {"false", "true"})
      for (const std::string encoder :
           {"leave_out_target: true", "leave_out_target: true, hidden_units: [5]",
            "leave_out_target: false", "pooling: attention"}) {
        const auto model = make(
            "{family: retrieval, dim: 8, user: {history: {max_length: 6, dropout: 0.0, " + own +
            "scale: " + scale + ", position: {type: none}, encoder: {type: set_pooling, " +
            encoder + "}}}, objectives: [{type: softmax}]}");
        model->train();
        Batch batch(3);
        batch.set(batch_key::kHistory, set);
        batch.set(batch_key::kTargets, set);
        const auto learnt = model->learnable()->represent(batch, {}).rows[0];  // [P, D]
        const auto parameters = model->named_parameters();
        const auto table = parameters[own.empty() ? "items.weight" : "history_items.weight"];
        const auto x = table.index_select(0, (set + 2).flatten()).view({3, 4, 8}) *
                       (scale == "true" ? std::sqrt(8.0) : 1.0);
        auto* alone = model->named_children()["encoder"]->as<SequenceEncoder>();
        const auto states = alone->forward_for_targets(x, set.ge(0)).expand_as(x);
        EXPECT_TRUE(torch::allclose(learnt, states.flatten(0, 1).index_select(0, flat), 1e-4, 1e-6))
            << own << encoder;
        const auto gradient = torch::autograd::grad({learnt.square().sum()}, {table})[0].to_dense();
        const auto expected =
            torch::autograd::grad({states.flatten(0, 1).index_select(0, flat).square().sum()},
                                  {table})[0];
        EXPECT_TRUE(torch::allclose(gradient, expected, 1e-3, 1e-4)) << own << encoder;
      }
}

TEST(Retrieval, SeveralObjectivesAreAWeightedSum) {
  const auto both = make(
      "{family: retrieval, dim: 8, user: {id: {}}, objectives: [{type: bpr, weight: 2.0}, "
      "{type: bce, weight: 0.5, every: 2}]}");
  const auto first = make("{family: retrieval, dim: 8, user: {id: {}}, objectives: [{type: bpr}]}");
  const auto second =
      make("{family: retrieval, dim: 8, user: {id: {}}, objectives: [{type: bce}]}");
  Batch batch(2);
  batch.set(batch_key::kUsers, torch::tensor({1, 5}, torch::kLong));
  batch.set(batch_key::kTargets, torch::tensor({2, 0}, torch::kLong));
  batch.set(batch_key::kNegatives, torch::tensor({{4}, {3}}, torch::kLong));
  const auto loss = [&](Model& model, int64_t step) {
    return model.learnable()
        ->loss(model.learnable()->represent(batch, {}), {}, step)
        .sum.item<double>();
  };
  EXPECT_NEAR(loss(*both, 0), 2.0 * loss(*first, 0) + 0.5 * loss(*second, 0), 1e-5);
  EXPECT_NEAR(loss(*both, 1), 2.0 * loss(*first, 0), 1e-5);
}

}  // namespace
}  // namespace reckon::retrieval_test
