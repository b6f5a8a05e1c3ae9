// Outputs, gradients and training losses against Python torch (tests/references/layers_reference.py).
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "layers/bce_objective.h"
#include "layers/bpr_objective.h"
#include "layers/cosine_contrastive_objective.h"
#include "layers/direct_au_objective.h"
#include "layers/dot_scorer.h"
#include "layers/in_batch_softmax_objective.h"
#include "layers/recurrent_encoder.h"
#include "layers/sampled_softmax_objective.h"
#include "layers/softmax_objective.h"
#include "layers/squared_error_objective.h"
#include "layers/transformer_encoder.h"
#include "layers/warp_objective.h"
#include "tests/support/reference.h"

namespace reckon::reference_test {
namespace {

constexpr double kLearningRate = 0.05;
constexpr int64_t kBatch = 2, kSteps = 3, kWidth = 4, kHidden = 6;

const nlohmann::json& reference() {
  static const auto values = read_reference("layers");
  return values;
}

void expect_reference(const std::string& name, SequenceEncoder& encoder) {
  at::set_num_threads(1);
  const auto& expected = reference()["encoders"][name];
  encoder.to(torch::kDouble);
  std::map<std::string, torch::Tensor> parameters;
  for (const auto& item : encoder.named_parameters()) parameters[item.key()] = item.value();
  ASSERT_EQ(parameters.size(), expected["parameter_gradients"].size()) << name;
  {
    torch::NoGradGuard no_grad;
    int64_t salt = 0;
    for (auto& [key, parameter] : parameters) {
      const bool is_scale = key.find("norm") != std::string::npos && key.ends_with("weight");
      parameter.copy_(fill(parameter.sizes(), salt++) + (is_scale ? 1.0 : 0.0));
    }
  }
  auto valid = torch::ones({kBatch, kSteps}, torch::kBool);
  valid[1][0] = false;
  const auto keep = valid.unsqueeze(-1);
  auto x = fill({kBatch, kSteps, kWidth}, 3).requires_grad_();
  const auto direction = fill({kBatch, kSteps, kWidth}, 4) * keep;

  // In training mode, as these encoders are built without dropout.
  const auto output = encoder.forward(x, valid);
  expect_numbers(output * keep, expected["output"], name + " output");
  std::vector<torch::Tensor> inputs = {x};
  for (const auto& [key, parameter] : parameters) inputs.push_back(parameter);
  const auto gradients = torch::autograd::grad({(output * direction).sum()}, inputs);
  expect_numbers(gradients[0] * keep, expected["input_gradient"], name + " input gradient");
  size_t i = 1;
  for (const auto& [key, parameter] : parameters)
    expect_numbers(gradients[i++], expected["parameter_gradients"][key], name + " " + key);

  for (const auto& expected_loss : expected["losses"]) {
    const auto loss = ((encoder.forward(x.detach(), valid) - direction).square() * keep).sum();
    EXPECT_NEAR(loss.item<double>(), expected_loss.get<double>(), 1e-8) << name;
    const auto steps = torch::autograd::grad({loss}, {inputs.begin() + 1, inputs.end()});
    torch::NoGradGuard no_grad;
    for (size_t p = 0; p < steps.size(); ++p) inputs[p + 1].sub_(kLearningRate * steps[p]);
  }
}

TransformerEncoder::Options without_dropout(int64_t num_heads, FeedForwardKind activation,
                                            ResidualKind residual, NormPlace norm) {
  return {.num_blocks = 2,
          .num_heads = num_heads,
          .hidden = kHidden,
          .dropout = 0.0,
          .activation = activation,
          .residual = residual,
          .norm = norm};
}

constexpr SequenceEncoder::Deps kDeps{.width = kWidth, .max_length = kSteps};

TEST(TransformerEncoder, EqualsTorchsModulesForEveryKindOfBlock) {
  TransformerEncoder pre(
      without_dropout(2, FeedForwardKind::kGelu, ResidualKind::kPlain, NormPlace::kPre), kDeps);
  expect_reference("pre_gelu", pre);
  TransformerEncoder post(
      without_dropout(1, FeedForwardKind::kRelu, ResidualKind::kPlain, NormPlace::kPost), kDeps);
  expect_reference("post_relu", post);
  TransformerEncoder gated(
      without_dropout(2, FeedForwardKind::kSwiglu, ResidualKind::kGated, NormPlace::kPre), kDeps);
  expect_reference("gated_swiglu", gated);
  TransformerEncoder sasrec(
      without_dropout(2, FeedForwardKind::kRelu, ResidualKind::kSasrec, NormPlace::kPre), kDeps);
  expect_reference("sasrec_relu", sasrec);
}

TEST(RecurrentEncoder, EqualsTorchsModules) {
  GruEncoder gru({}, kDeps);
  expect_reference("gru", gru);
  GruEncoder deep({.num_layers = 2, .hidden = 5}, kDeps);
  expect_reference("gru_2x5", deep);
  LstmEncoder lstm({.num_layers = 2, .hidden = 5}, kDeps);
  expect_reference("lstm_2x5", lstm);
}

TEST(Objectives, EqualTorchsFunctions) {
  constexpr int64_t kPositions = 4, kItems = 6, kVector = 3;
  auto users = fill({kPositions, kVector}, 1).requires_grad_();
  auto items = (2 * fill({kItems, kVector}, 2)).requires_grad_();
  const auto targets = torch::tensor(std::vector<int64_t>{0, 5, 2, 2});
  const auto negatives =
      torch::tensor(std::vector<int64_t>{1, 3, 4, 0, 2, 5, 3, 1}).view({kPositions, 2});
  const auto log_q = torch::tensor({0.1, 0.2, 0.3, 0.15, 0.05, 0.2}, torch::kDouble).log();
  DotScorer scorer({}, {.width = kVector, .num_items = kItems});

  ObjectiveInput input;
  input.users = {users, {}};
  input.targets = {items.index({targets}), targets};
  input.negative_ids = negatives;
  input.negatives = [&] { return ScorerSide{items.index({negatives}), negatives}; };
  input.labels = torch::tensor({3.0, -1.0, 0.5, 2.0}, torch::kDouble);
  input.weights = torch::tensor({1.0, 0.5, 2.0, 1.0}, torch::kDouble);
  input.target_log_q = log_q.index({targets});
  input.target_log_frequency = log_q.index({targets});
  input.negative_log_q = log_q.index({negatives});
  input.num_items = kItems;
  input.all_items = [&] { return ScorerSide{items, torch::arange(kItems, torch::kLong)}; };
  input.scorer = &scorer;

  const Objective::Deps deps{.width = kVector, .num_items = kItems};
  using Sampled = SampledSoftmaxObjective;
  const std::map<std::string, std::shared_ptr<Objective>> objectives = {
      {"bpr", std::make_shared<BprObjective>(BprObjective::Options{}, deps)},
      {"bce", std::make_shared<BceObjective>(BceObjective::Options{}, deps)},
      {"softmax", std::make_shared<SoftmaxObjective>(SoftmaxObjective::Options{}, deps)},
      {"sampled_softmax", std::make_shared<Sampled>(Sampled::Options{}, deps)},
      {"sampled_softmax_log_q",
       std::make_shared<Sampled>(Sampled::Options{.log_q = true, .temperature = 0.5}, deps)},
      {"in_batch_softmax",
       std::make_shared<InBatchSoftmaxObjective>(InBatchSoftmaxObjective::Options{}, deps)},
      {"squared_error",
       std::make_shared<SquaredErrorObjective>(SquaredErrorObjective::Options{.l2 = 0.1}, deps)},
      {"cosine_contrastive",
       std::make_shared<CosineContrastiveObjective>(
           CosineContrastiveObjective::Options{.sharing = ObjectiveNeeds::Sharing::kPosition,
                                               .margin = 0.2,
                                               .negative_weight = 2.0,
                                               .l2 = 0.1},
           deps)},
      {"direct_au",
       std::make_shared<DirectAuObjective>(DirectAuObjective::Options{.gamma = 0.7}, deps)},
      {"warp", std::make_shared<WarpObjective>(WarpObjective::Options{.margin = 0.5}, deps)}};
  ASSERT_EQ(reference()["objectives"].size(), objectives.size());
  for (const auto& [name, objective] : objectives) {
    const auto& expected = reference()["objectives"][name];
    const auto sum = objective->forward(input).sum;
    EXPECT_NEAR(sum.item<double>(), expected["sum"].get<double>(), kReferenceTolerance) << name;
    const auto gradients = torch::autograd::grad({sum}, {users, items}, {}, /*retain_graph=*/true);
    expect_numbers(gradients[0], expected["user_gradient"], name + " user gradient");
    expect_numbers(gradients[1], expected["item_gradient"], name + " item gradient");
  }
}

}  // namespace
}  // namespace reckon::reference_test
