#include "models/autoencoder.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>
#include <set>

#include "core/ids.h"
#include "tests/models/item_set_checks.h"
#include "tests/support/gradients.h"

namespace reckon::autoencoder_test {
namespace {

std::shared_ptr<Autoencoder> make(Autoencoder::Options options, bool training = false) {
  torch::manual_seed(1);
  auto model =
      std::make_shared<Autoencoder>(options, Model::Deps{.num_users = 5, .num_items = kItems});
  shake(*model);
  model->train(training);
  return model;
}

std::vector<Autoencoder::Options> every_kind() {
  return {
      {.hidden_units = {6}, .latent = 3, .dropout = 0.0, .variational = false},
      {.hidden_units = {6, 4}, .latent = 3, .dropout = 0.0, .variational = false},
      {.hidden_units = {6}, .latent = 3, .dropout = 0.0, .kl_weight = 0.4, .anneal_steps = 10},
      {.hidden_units = {5, 4}, .latent = 2, .dropout = 0.0, .kl_weight = 0.4, .anneal_steps = 0}};
}

// The paper's network on rows of zeros and ones, in double.
struct Dense {
  const Autoencoder& model;
  Autoencoder::Options options;

  torch::Tensor p(const std::string& name) const {
    return model.named_parameters()[name].to(torch::kDouble);
  }
  torch::Tensor layers(torch::Tensor h, const std::string& name, size_t count) const {
    for (size_t layer = 0; layer < count; ++layer) {
      const auto at = name + ".layers." + std::to_string(layer);
      h = torch::linear(h, p(at + ".weight"), p(at + ".bias")).tanh();
    }
    return h;
  }
  torch::Tensor hidden(const std::set<int64_t>& set) const {
    auto x = torch::zeros({1, kItems}, torch::kDouble);
    for (const auto item : set) x[0][item] = 1.0;
    x = x / x.norm();
    const auto h = (x.matmul(p("input.weight").slice(0, 2)) + p("input_bias")).tanh();
    return layers(h, "encoder", options.hidden_units.size() - 1);
  }
  torch::Tensor mean(const std::set<int64_t>& set) const {
    const auto z = torch::linear(hidden(set), p("mean.weight"), p("mean.bias"));
    return options.variational ? z : z.tanh();
  }
  torch::Tensor logits(const torch::Tensor& z) const {
    return layers(z, "decoder", options.hidden_units.size())
               .matmul(p("output.weight").slice(0, 2).t()) +
           p("output_bias.weight").slice(0, 2).squeeze(1);
  }
};

TEST(Autoencoder, ScoresAndLossEqualTheNetworkOverRowsOfZerosAndOnes) {
  for (const auto& options : every_kind()) {
    const auto model = make(options);
    const torch::NoGradGuard no_grad;
    const Dense dense{*model, options};
    const auto batch = batch_of({{kPad, kPad, 4}, {1, 8, 3}, {kPad, 0, 7}});
    const std::vector<std::set<int64_t>> sets = {{4}, {1, 3, 8}, {0, 7}};
    const auto all = torch::arange(kItems).expand({3, kItems});
    const auto scores = model->score(model->encode(batch), all);
    const auto factors = *model->factors();
    const auto by_factors =
        model->queries(model->encode(batch)).squeeze(1).matmul(factors.items.t()) +
        factors.item_bias;
    double loss = 0.0, distance = 0.0;
    for (size_t u = 0; u < sets.size(); ++u) {
      const auto row = static_cast<int64_t>(u);
      const auto logits = dense.logits(dense.mean(sets[u]))[0];
      EXPECT_TRUE(torch::allclose(scores[row].to(torch::kDouble), logits, 1e-4, 1e-5));
      EXPECT_TRUE(torch::allclose(by_factors[row].to(torch::kDouble), logits, 1e-4, 1e-5));
      for (const auto item : sets[u]) loss -= logits.log_softmax(0)[item].item<double>();
      if (!options.variational) continue;
      const auto mean = dense.mean(sets[u]);
      const auto log_variance = torch::linear(dense.hidden(sets[u]), dense.p("log_variance.weight"),
                                              dense.p("log_variance.bias"));
      distance +=
          0.5 * (log_variance.exp() + mean.square() - 1.0 - log_variance).sum().item<double>();
    }
    for (const int64_t step : {0, 5, 100}) {
      const double rise =
          options.anneal_steps == 0 ? 1.0 : std::min(1.0, static_cast<double>(step) / 10.0);
      const auto parts = model->loss(model->represent(batch, {}), {}, step);
      EXPECT_NEAR(parts.sum.item<double>(), loss + rise * 0.4 * distance, 1e-4);
      EXPECT_EQ(parts.weight, 3.0);
    }
  }
}

TEST(Autoencoder, GradientsAreThoseOfTheFunction) {
  for (const auto& options : every_kind()) {
    const auto model = make(options, /*training=*/true);  // with noise, which is the same each time
    model->to(torch::kDouble);
    const auto batch = batch_of({{kPad, kPad, 4}, {1, 8, 3}, {kPad, 0, 7}});
    const auto of = [&] { return model->loss(model->represent(batch, {}), {}, 3).sum; };
    const auto named = model->named_parameters();
    std::vector<torch::Tensor> parameters;
    for (const auto& item : named) parameters.push_back(item.value());
    const auto analytic = dense_gradients(of(), parameters);
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters.size(); ++i) {
      ASSERT_TRUE(analytic[i].defined()) << named[i].key();
      auto flat = parameters[i].detach().view(-1);
      // Row 0 of a table is padding, which no gradient moves.
      const bool is_table = parameters[i].dim() == 2 && parameters[i].size(0) == kItems + 2;
      for (int64_t j = is_table ? parameters[i].size(1) : 0; j < flat.numel(); j += 3) {
        const double at = flat[j].item<double>();
        flat[j] = at + 1e-6;
        const double above = of().item<double>();
        flat[j] = at - 1e-6;
        const double below = of().item<double>();
        flat[j] = at;
        EXPECT_NEAR(analytic[i].contiguous().view(-1)[j].item<double>(), (above - below) / 2e-6,
                    1e-5)
            << named[i].key() << "[" << j << "]";
      }
    }
  }
}

TEST(Autoencoder, NeitherOrderNorRepetitionNorUnknownItemsChangeAScore) {
  for (const auto& options : every_kind()) expect_scores_of_a_set(*make(options));
}

TEST(Autoencoder, NoiseIsThatOfUserAndStepHoweverAStepIsCut) {
  expect_noise_of_user_and_step(
      *make({.hidden_units = {6}, .latent = 3, .dropout = 0.0}, /*training=*/true));
}

TEST(Autoencoder, NoiseIsScaledAsByAVarianceOfItsSquare) {
  Autoencoder::Options options{.hidden_units = {6}, .latent = 3, .dropout = 0.0, .kl_weight = 0.0};
  const auto batch = batch_of({{kPad, 4}, {1, 8}});
  const torch::NoGradGuard no_grad;
  const auto loss = [&](Autoencoder& model) {
    return model.loss(model.represent(batch, {}), {}, 7).sum.item<double>();
  };
  const auto plain = make(options, /*training=*/true);
  options.noise_scale = 0.25;
  const auto scaled = make(options, /*training=*/true);
  EXPECT_GT(std::abs(loss(*plain) - loss(*scaled)), 1e-3);
  plain->named_parameters()["log_variance.bias"] += 2.0 * std::log(0.25);
  EXPECT_NEAR(loss(*plain), loss(*scaled), 1e-5);

  options.noise_scale = 0.0;
  const auto silent = make(options, /*training=*/true);
  const double without = loss(*silent);
  silent->eval();
  EXPECT_EQ(loss(*silent), without);
}

}  // namespace
}  // namespace reckon::autoencoder_test
