#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "core/random.h"
#include "datasets/batch_builder.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/model.h"
#include "tests/support/gradients.h"
#include "training/learning_step.h"

namespace reckon::packing_test {
namespace {

constexpr int64_t kUsers = 23, kItems = 31, kMaxLength = 12;

// Histories of 2 to 22 items; the longest do not fit into the window.
Interactions make_interactions() {
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> items;
  for (int64_t user = 0; user < kUsers; ++user) {
    const int64_t length = 2 + (user * 7) % 21;
    for (int64_t i = 0; i < length; ++i)
      items.push_back(static_cast<int32_t>(mix64(static_cast<uint64_t>(user * 100 + i)) % kItems));
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  Interactions train;
  train.num_users = kUsers;
  train.num_items = kItems;
  train.user_offsets = torch::tensor(offsets);
  train.items = torch::tensor(items, torch::kInt);
  return train;
}

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

std::shared_ptr<Model> make_model(const std::string& encoder, const std::string& objective) {
  Catalog catalog;
  add_layers(catalog);
  add_models(catalog);
  const auto yaml = "model: {family: retrieval, dim: 8, user: {history: {max_length: " +
                    std::to_string(kMaxLength) + ", dropout: 0.0, encoder: " + encoder +
                    "}}, objectives: [" + objective + "]}\n";
  const auto slot = read_config<Slot>(parse_yaml(yaml, "test.yaml"), catalog);
  torch::manual_seed(3);
  auto model = slot.model.build({.num_users = kUsers, .num_items = kItems});
  // Not Module::to(), which turns ids into numbers with a fraction too.
  for (auto& parameter : model->parameters()) parameter.set_data(parameter.to(torch::kDouble));
  return model;
}

struct Outcome {
  double loss = 0.0, weight = 0.0;
  int64_t cells = 0;  // of histories, with padding
  std::vector<torch::Tensor> gradients;
};

// The loss and the gradients of a step, its shards added up.
Outcome run(Model& model, const StepBatch& step) {
  Outcome out;
  const auto parameters = model.parameters();
  for (const auto& shard : step.shards) {
    out.cells += shard.at(batch_key::kHistory).numel();
    const auto parts = model.learnable()->loss(model.learnable()->represent(shard, {}), {}, 0);
    out.loss += parts.sum.item<double>();
    out.weight += parts.weight;
    const auto gradients = dense_gradients(parts.sum, parameters);
    out.gradients.resize(gradients.size());
    for (size_t i = 0; i < gradients.size(); ++i)
      if (gradients[i].defined())
        out.gradients[i] =
            out.gradients[i].defined() ? out.gradients[i] + gradients[i] : gradients[i];
  }
  return out;
}

TEST(PackedBatch, GivesThePaddedBatchsLossAndGradients) {
  const auto train = make_interactions();
  for (const std::string encoder :
       {"{type: transformer, num_blocks: 2, num_heads: 2, dropout: 0.0}",
        "{type: transformer, residual: sasrec, dropout: 0.0}", "{type: gru}", "{type: lstm}",
        "{type: mean_pooling, decay: 0.7}", "{type: srgnn}", "{type: srgnn, steps: 2}",
        "{type: gcsan, dropout: 0.0}", "{type: gcsan, num_blocks: 2, dropout: 0.0}"})
    for (const std::string objective : {"{type: softmax}", "{type: bce, negatives: 2}",
                                        "{type: sampled_softmax, negatives: 5, sharing: position}",
                                        "{type: sampled_softmax, negatives: 5, sharing: step}"}) {
      const auto model = make_model(encoder, objective);
      const auto build = [&](int64_t shards) {
        const BatchBuilder builder(train, model->learnable()->needs(),
                                   {.batch_size = kUsers, .num_shards = shards, .seed = 4});
        return builder.build(0, 0);
      };
      const auto padded = run(*model, build(1)), packed = run(*model, build(5));
      ASSERT_LT(packed.cells, padded.cells);
      EXPECT_EQ(packed.weight, padded.weight);
      EXPECT_NEAR(packed.loss, padded.loss, 1e-9 * std::abs(padded.loss)) << encoder << objective;
      for (size_t i = 0; i < padded.gradients.size(); ++i) {
        ASSERT_EQ(packed.gradients[i].defined(), padded.gradients[i].defined());
        if (!padded.gradients[i].defined()) continue;
        EXPECT_TRUE(torch::allclose(packed.gradients[i], padded.gradients[i], 1e-9, 1e-10))
            << encoder << objective << ", parameter " << i;
      }
    }
}

}  // namespace
}  // namespace reckon::packing_test
