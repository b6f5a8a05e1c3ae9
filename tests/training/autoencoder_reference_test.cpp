// Autoencoders with their losses, turns and Adam, against those made of Python torch's modules and
// distributions (tests/references/autoencoder_reference.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/ids.h"
#include "models/autoencoder.h"
#include "models/recvae.h"
#include "tests/support/reference.h"
#include "training/adam.h"
#include "training/learning_step.h"

namespace reckon::autoencoder_reference_test {
namespace {

constexpr int64_t kItems = 7;

// Rows of padding and unknown items stand in front of the tables; the reference has none.
torch::Tensor of_items(const torch::Tensor& tensor) {
  return tensor.dim() == 2 && tensor.size(0) == kItems + 2 ? tensor.slice(0, 2) : tensor;
}

torch::Tensor dense(const Gradient& gradient, const torch::Tensor& like) {
  if (!gradient.is_sparse()) return gradient.dense;
  return torch::zeros_like(like).index_add_(0, gradient.rows, gradient.values);
}

Batch batch_of(const std::vector<std::vector<int64_t>>& sets, int64_t first_user) {
  const auto size = static_cast<int64_t>(sets.size());
  auto history = torch::full({size, 5}, kPaddingId, torch::kLong);  // [B, T]
  for (int64_t row = 0; row < size; ++row) {
    const auto& set = sets[static_cast<size_t>(row)];
    const auto count = static_cast<int64_t>(set.size());
    for (int64_t i = 0; i < count; ++i) history[row][5 - count + i] = set[static_cast<size_t>(i)];
  }
  Batch batch(size);
  batch.set(batch_key::kHistory, history);
  batch.set(batch_key::kUsers, torch::arange(first_user, first_user + size, torch::kLong));
  return batch;
}

std::shared_ptr<Model> make(const std::string& name) {
  const Model::Deps deps{.num_users = 3, .num_items = kItems};
  if (name == "recvae") {
    Recvae::Options options{.hidden = 6, .num_layers = 4, .latent = 5, .kl_weight = 0.3};
    options.alternate =
        Recvae::Alternation{.encoder = 3, .decoder = 2, .unit = Recvae::Alternation::Unit::kSteps};
    return std::make_shared<Recvae>(options, deps);
  }
  return std::make_shared<Autoencoder>(Autoencoder::Options{.hidden_units = {6, 4},
                                                            .latent = 5,
                                                            .variational = name == "mult_vae",
                                                            .kl_weight = 0.4,
                                                            .anneal_steps = 6},
                                       deps);
}

class AutoencoderReference : public ::testing::TestWithParam<std::string> {};

TEST_P(AutoencoderReference, ScoresGradientsAndLossesUnderAdamAreThoseOfPythonTorch) {
  const auto reference = read_reference("autoencoder")["models"][GetParam()];
  const auto model = make(GetParam());
  model->eval();  // no noise, and no item is left out
  std::map<std::string, torch::Tensor> all;
  for (auto& item : model->named_parameters()) {
    const bool learns = item.value().requires_grad();
    item.value().set_data(item.value().detach().to(torch::kDouble));
    item.value().set_requires_grad(learns);
    all[item.key()] = item.value();
  }
  {
    const torch::NoGradGuard no_grad;
    int64_t salt = 0;
    for (auto& [name, tensor] : all) {
      auto rows = of_items(tensor);
      rows.copy_(fill(rows.sizes(), salt++));
    }
  }
  const auto parameters = trained_parameters(*model, {});
  const std::vector<std::vector<int64_t>> sets = {{3}, {0, 2, 5, 6}, {1, 4}};
  const auto scores = [&] {
    const torch::NoGradGuard no_grad;
    return model->score(model->encode(batch_of(sets, 0)),
                        torch::arange(kItems).expand({3, kItems}));  // [B, I]
  };
  expect_numbers(scores(), reference["scores"], "scores");

  WorkerPool workers(2);
  LearningStep learning(*model->learnable(), parameters, workers, /*seed=*/1);
  StepBatch step;
  step.shards = {batch_of({sets[0], sets[1]}, 0), batch_of({sets[2]}, 2)};
  step.num_examples = 3;
  // Before anybody says which step it is, all of the model learns; after so many steps all of the loss
  // counts.
  const auto whole = learning.run(std::span(&step, 1), 0, 6);
  EXPECT_NEAR(whole.loss(), reference["loss"].get<double>(), kReferenceTolerance);
  ASSERT_EQ(parameters.size(), reference["gradients"].size());
  for (size_t p = 0; p < parameters.size(); ++p)
    expect_numbers(of_items(dense(whole.gradients[p], parameters[p].tensor)),
                   reference["gradients"][parameters[p].name], parameters[p].name);

  auto* phased = dynamic_cast<PhasedLearnable*>(model.get());
  const auto optimizer =
      Component<Optimizer>::make<Adam>({.lr = 0.02}).build({.parameters = parameters});
  const auto& losses = reference["losses"];
  ASSERT_GE(losses.size(), 10U);
  for (size_t i = 0; i < losses.size(); ++i) {
    const auto number = static_cast<int64_t>(i);
    if (phased != nullptr) phased->begin_step(number, /*steps_per_epoch=*/1000);
    const auto result = learning.run(std::span(&step, 1), number, number);
    EXPECT_NEAR(result.loss(), losses[i].get<double>(), kReferenceTolerance) << "step " << i;
    optimizer->step(result.gradients, 1.0, workers);
  }
  expect_numbers(scores(), reference["scores_after"], "scores after training");
}

INSTANTIATE_TEST_SUITE_P(Models, AutoencoderReference,
                         ::testing::Values("mult_vae", "mult_dae", "recvae"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace reckon::autoencoder_reference_test
