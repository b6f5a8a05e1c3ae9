// The preset sasrec as a whole, with its loss and Adam, against a SASRec made of Python torch's modules
// (tests/references/sasrec_reference.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/experiment_tree.h"
#include "core/ids.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/presets.h"
#include "tests/support/reference.h"
#include "training/adam.h"
#include "training/learning_step.h"

namespace reckon::sasrec_reference_test {
namespace {

const nlohmann::json& reference() {
  static const auto values = read_reference("sasrec");
  return values;
}

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

class SasrecReference : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr int64_t kItems = 7, kLength = 4;

  void SetUp() override {
    Catalog catalog;
    add_layers(catalog);
    add_models(catalog);
    for (const auto& preset : embedded_presets())
      catalog.add_preset(std::string(preset.name), std::string(preset.text));
    const auto tree = assemble_experiment(
        parse_yaml(
            "model: {preset: sasrec, dim: 4, user: {history: {max_length: 4, dropout: 0, encoder: "
            "{num_heads: 2, hidden: 6, dropout: 0}}}, objectives: [{type: " +
                GetParam() + "}]}",
            "sasrec.yaml"),
        {}, catalog);
    auto slot = ConfigNode::map();
    slot.set("model", *tree.find("model"));
    model_ = read_config<Slot>(slot, catalog).model.build({.num_users = 3, .num_items = kItems});
    // Parameters alone: to() would make numbers of the ids among the buffers too.
    for (auto& parameter : model_->parameters()) parameter.set_data(parameter.to(torch::kDouble));
    parameters_ = trained_parameters(*model_, {});
    std::sort(parameters_.begin(), parameters_.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    const torch::NoGradGuard no_grad;
    int64_t salt = 0;
    for (auto& parameter : parameters_) {
      const bool is_scale =
          parameter.name.find("norm") != std::string::npos && parameter.name.ends_with("weight");
      auto values = of_items(parameter.name, parameter.tensor);
      values.copy_(fill(values.sizes(), salt++) + (is_scale ? 1.0 : 0.0));
    }
  }

  // Rows of padding and unknown items stand in front of the table; the reference has none.
  static torch::Tensor of_items(const std::string& name, const torch::Tensor& tensor) {
    return name == "items.weight" ? tensor.narrow(0, tensor.size(0) - kItems, kItems) : tensor;
  }

  // Histories, targets and negatives of the users [begin, end), padded in front.
  static Batch batch_of(size_t begin, size_t end) {
    const auto size = static_cast<int64_t>(end - begin);
    auto history = torch::full({size, kLength}, kPaddingId, torch::kLong);  // [B, T]
    auto targets = history.clone();                                         // [B, T]
    auto negatives = torch::zeros({size, kLength, 1}, torch::kLong);        // [B, T, 1]
    for (size_t user = begin; user < end; ++user) {
      const auto sequence = reference()["sequences"][user].get<std::vector<int64_t>>();
      const auto others = reference()["negatives"][user].get<std::vector<int64_t>>();
      const auto row = static_cast<int64_t>(user - begin);
      const auto count = static_cast<int64_t>(others.size());
      for (int64_t i = 0; i < count; ++i) {
        const auto step = kLength - count + i;
        history[row][step] = sequence[i];
        targets[row][step] = sequence[i + 1];
        negatives[row][step][0] = others[i];
      }
    }
    Batch batch(size);
    batch.set(batch_key::kHistory, history);
    batch.set(batch_key::kTargets, targets);
    batch.set(batch_key::kNegatives, negatives);
    return batch;
  }

  // Of each user's last state, for all items.
  torch::Tensor scores() {
    const torch::NoGradGuard no_grad;
    model_->eval();
    const auto state = model_->encode(batch_of(0, 3));
    const auto out =
        model_->score(state, torch::arange(kItems, torch::kLong).expand({3, kItems}));  // [B, I]
    model_->train();
    return out;
  }

  std::shared_ptr<Model> model_;
  std::vector<OptimizedParameter> parameters_;
};

TEST_P(SasrecReference, ScoresGradientsAndLossesUnderAdamAreThoseOfPythonTorch) {
  const auto& expected = reference()["objectives"][GetParam()];
  expect_numbers(scores(), expected["scores"], "scores");

  WorkerPool workers(2);
  LearningStep learning(*model_->learnable(), parameters_, workers, /*seed=*/1);
  StepBatch step;
  step.shards = {batch_of(0, 2), batch_of(2, 3)};
  step.num_examples = 3;
  const auto optimizer = Component<Optimizer>::make<Adam>(
                             {.lr = reference()["learning_rate"], .betas = reference()["betas"]})
                             .build({.parameters = parameters_});
  const auto& losses = expected["losses"];
  ASSERT_GE(losses.size(), 5U);
  for (size_t i = 0; i < losses.size(); ++i) {
    const auto result =
        learning.run(std::span(&step, 1), static_cast<int64_t>(i), static_cast<int64_t>(i));
    EXPECT_NEAR(result.loss(), losses[i].get<double>(), kReferenceTolerance) << "step " << i;
    if (i == 0) {
      ASSERT_EQ(parameters_.size(), expected["gradients"].size());
      for (size_t p = 0; p < parameters_.size(); ++p) {
        const auto& name = parameters_[p].name;
        expect_numbers(of_items(name, result.gradients[p].dense), expected["gradients"][name],
                       name);
      }
    }
    optimizer->step(result.gradients, 1.0, workers);
  }
  expect_numbers(scores(), expected["scores_after_training"], "scores after training");
}

INSTANTIATE_TEST_SUITE_P(Loss, SasrecReference, ::testing::Values("bce", "softmax"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace reckon::sasrec_reference_test
