#include "models/recvae.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>

#include "core/ids.h"
#include "models/item_sets.h"
#include "tests/models/item_set_checks.h"
#include "tests/support/gradients.h"

namespace reckon::recvae_test {
namespace {

std::shared_ptr<Recvae> make(const Recvae::Options& options, bool training = false) {
  torch::manual_seed(1);
  auto model = std::make_shared<Recvae>(options, Model::Deps{.num_users = 5, .num_items = kItems});
  shake(*model);  // so that the old encoder is another one than the encoder
  model->train(training);
  return model;
}

std::vector<Recvae::Options> every_kind() {
  return {{.hidden = 6, .num_layers = 1, .latent = 3, .dropout = 0.0, .kl_weight = 0.2},
          {.hidden = 5, .num_layers = 2, .latent = 1, .dropout = 0.0, .kl_weight = 0.0},
          {.hidden = 6,
           .num_layers = 5,
           .latent = 4,
           .dropout = 0.0,
           .kl_weight = 0.2,
           .prior = {.standard = 0.5, .old = 0.3, .wide = 0.2, .wide_log_variance = 2.0}}};
}

const std::vector<std::vector<int64_t>> kPadded = {{kPad, kPad, 4}, {1, 8, 3}, {kPad, 0, 7}};
const std::vector<std::vector<int64_t>> kSets = {{4}, {1, 8, 3}, {0, 7}};

// The paper's network, one user at a time over a row of zeros and ones, in double.
struct Dense {
  const Recvae& model;
  Recvae::Options options;

  torch::Tensor p(const std::string& name) const {
    return model.named_parameters()[name].to(torch::kDouble);
  }
  torch::Tensor norm(const torch::Tensor& x, const std::string& name) const {
    const auto centred = x - x.mean();
    return centred / (centred.square().mean() + 0.1).sqrt() * p(name + ".weight") +
           p(name + ".bias");
  }
  std::pair<torch::Tensor, torch::Tensor> encode(const std::vector<int64_t>& set,
                                                 const std::string& encoder) const {
    auto x = torch::zeros({kItems}, torch::kDouble);
    for (const auto item : set) x[item] = 1.0 / std::sqrt(static_cast<double>(set.size()));
    const auto linear = [&](const torch::Tensor& h, const std::string& name) {
      return p(encoder + name + ".weight").matmul(h) + p(encoder + name + ".bias");
    };
    std::vector<torch::Tensor> layers;
    for (int64_t l = 0; l < options.num_layers; ++l) {
      auto h = l == 0 ? p(encoder + ".input.weight").slice(0, 2).t().matmul(x) +
                            p(encoder + ".input_bias")
                      : linear(layers.back(), ".layers." + std::to_string(l - 1));
      for (const auto& before : layers) h = h + before;
      layers.push_back(norm(h * torch::sigmoid(h), encoder + ".norms." + std::to_string(l)));
    }
    return {linear(layers.back(), ".mean"), linear(layers.back(), ".log_variance")};
  }
  torch::Tensor logits(const torch::Tensor& z) const {
    return p("output.weight").slice(0, 2).matmul(z) +
           p("output_bias.weight").slice(0, 2).squeeze(1);
  }
  static double density(double x, double mean, double variance) {
    return std::exp(-(x - mean) * (x - mean) / (2.0 * variance)) /
           std::sqrt(2.0 * std::numbers::pi * variance);
  }
  double loss(const std::vector<int64_t>& set, const torch::Tensor& noise) const {
    const auto [mean, log_variance] = encode(set, "encoder");
    const auto [old_mean, old_log_variance] = encode(set, "old_encoder");
    const auto z = mean + (log_variance / 2).exp() * noise;
    double loss = 0.0, distance = 0.0;
    for (const auto item : set) loss -= logits(z).log_softmax(0)[item].item<double>();
    const auto& prior = options.prior;
    for (int64_t d = 0; d < options.latent; ++d) {
      const auto at = [d](const torch::Tensor& x) { return x[d].item<double>(); };
      distance +=
          std::log(density(at(z), at(mean), std::exp(at(log_variance)))) -
          std::log(prior.standard * density(at(z), 0.0, 1.0) +
                   prior.old * density(at(z), at(old_mean), std::exp(at(old_log_variance))) +
                   prior.wide * density(at(z), 0.0, std::exp(prior.wide_log_variance)));
    }
    return loss + options.kl_weight * static_cast<double>(set.size()) * distance;
  }
};

TEST(Recvae, ScoresAndLossEqualTheNetworkOverRowsOfZerosAndOnes) {
  for (const auto& options : every_kind())
    for (const bool training : {false, true}) {
      const auto model = make(options, training);
      const torch::NoGradGuard no_grad;
      const Dense dense{*model, options};
      const auto batch = batch_of(kPadded);
      const auto all = torch::arange(kItems).expand({3, kItems});
      const auto scores = model->score(model->encode(batch), all);
      const auto factors = *model->factors();
      const auto by_factors =
          model->queries(model->encode(batch)).squeeze(1).matmul(factors.items.t()) +
          factors.item_bias;
      const auto seed = model->named_buffers()["noise_seed"].item<int64_t>();
      auto noise = normal_noise(torch::arange(3), options.latent, static_cast<uint64_t>(seed),
                                /*step_number=*/4, torch::kDouble);
      if (!training) noise.zero_();
      double loss = 0.0;
      for (size_t u = 0; u < kSets.size(); ++u) {
        const auto row = static_cast<int64_t>(u);
        const auto logits = dense.logits(dense.encode(kSets[u], "encoder").first);
        EXPECT_TRUE(torch::allclose(scores[row].to(torch::kDouble), logits, 1e-4, 1e-5));
        EXPECT_TRUE(torch::allclose(by_factors[row].to(torch::kDouble), logits, 1e-4, 1e-5));
        loss += dense.loss(kSets[u], noise[row]);
      }
      const auto parts = model->loss(model->represent(batch, {}), {}, 4);
      EXPECT_NEAR(parts.sum.item<double>(), loss, 1e-3);
      EXPECT_EQ(parts.weight, 3.0);
    }
}

TEST(Recvae, GradientsAreThoseOfTheFunction) {
  for (const auto& options : every_kind()) {
    const auto model = make(options, /*training=*/true);  // with noise, which is the same each time
    model->to(torch::kDouble);
    const auto batch = batch_of(kPadded);
    const auto of = [&] { return model->loss(model->represent(batch, {}), {}, 3).sum; };
    std::vector<torch::Tensor> parameters;
    std::vector<std::string> names;
    for (const auto& item : model->named_parameters()) {
      if (!item.value().requires_grad()) continue;
      parameters.push_back(item.value());
      names.push_back(item.key());
    }
    const auto analytic = dense_gradients(of(), parameters);
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters.size(); ++i) {
      ASSERT_TRUE(analytic[i].defined()) << names[i];
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
            << names[i] << "[" << j << "]";
      }
    }
  }
}

TEST(Recvae, NeitherOrderNorRepetitionNorUnknownItemsChangeAScore) {
  for (const auto& options : every_kind()) expect_scores_of_a_set(*make(options));
}

TEST(Recvae, NoiseIsThatOfUserAndStepHoweverAStepIsCut) {
  expect_noise_of_user_and_step(*make(every_kind()[2], /*training=*/true));
}

// What learns at each step of 3 an epoch, `E` the encoder, `D` the decoder, with `*` in front where the
// old encoder is the encoder as the step begins.
std::string turns(const Recvae::Options& options, int64_t num_steps) {
  const auto model = make(options, /*training=*/true);
  const auto batch = batch_of(kPadded);
  const auto differs = [&] {
    const auto parameters = model->named_parameters();
    for (const auto& item : parameters)
      if (item.key().starts_with("encoder.") &&
          !torch::equal(item.value(), parameters["old_" + item.key()]))
        return true;
    return false;
  };
  std::string out;
  for (int64_t step = 0; step < num_steps; ++step) {
    model->begin_step(step, /*steps_per_epoch=*/3);
    if (!differs()) out += "*";
    std::vector<torch::Tensor> parameters;
    std::vector<std::string> names;
    for (const auto& item : model->named_parameters())
      if (item.value().requires_grad()) {
        parameters.push_back(item.value());
        names.push_back(item.key());
      }
    const auto gradients =
        dense_gradients(model->loss(model->represent(batch, {}), {}, step).sum, parameters);
    std::map<char, int> defined, all;
    for (size_t i = 0; i < names.size(); ++i) {
      const char part = names[i].starts_with("encoder.") ? 'E' : 'D';
      ++all[part];
      defined[part] += gradients[i].defined() ? 1 : 0;
    }
    for (const char part : {'E', 'D'}) {
      EXPECT_TRUE(defined[part] == 0 || defined[part] == all[part]) << part << " at " << step;
      if (defined[part] > 0) out += part;
    }
    // So that the next copy is another one.
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < names.size(); ++i)
      if (gradients[i].defined()) parameters[i].sub_(0.01 * gradients[i] + 0.001);
  }
  return out;
}

TEST(Recvae, EncoderAndDecoderLearnInTurnsAndTheOldEncoderIsThatBeforeTheDecodersTurn) {
  using Unit = Recvae::Alternation::Unit;
  Recvae::Options options = every_kind()[2];
  options.alternate = Recvae::Alternation{.encoder = 2, .decoder = 1, .unit = Unit::kEpochs};
  EXPECT_EQ(turns(options, 12), "EEEEEE*D*D*D*EEE");
  options.alternate = Recvae::Alternation{.encoder = 2, .decoder = 2, .unit = Unit::kSteps};
  EXPECT_EQ(turns(options, 6), "EE*D*D*EE");
  options.alternate.reset();
  EXPECT_EQ(turns(options, 5), "*EDEDED*EDED");
}

TEST(Recvae, LeavesItemsOutWhileTheEncoderLearnsOnly) {
  Recvae::Options options = every_kind()[0];
  options.dropout = 0.9;
  options.alternate = Recvae::Alternation{.encoder = 1, .decoder = 1};
  const auto model = make(options, /*training=*/true);
  const torch::NoGradGuard no_grad;
  const auto batch = batch_of(kPadded);
  const auto loss = [&](int64_t epoch) {
    model->begin_step(epoch, /*steps_per_epoch=*/1);
    return model->loss(model->represent(batch, {}), {}, /*step_number=*/5).sum.item<double>();
  };
  torch::manual_seed(3);
  loss(1);
  const double whole = loss(1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(loss(1), whole);
  bool has_changed = false;
  for (int i = 0; i < 20; ++i) has_changed = has_changed || std::abs(loss(0) - loss(0)) > 1e-3;
  EXPECT_TRUE(has_changed);
}

TEST(NormalNoise, HasMeanZeroAndVarianceOneAndDiffersBetweenUsersStepsAndSeeds) {
  const auto users = torch::arange(200);
  const auto noise = normal_noise(users, 101, 1, 2, torch::kDouble);
  EXPECT_NEAR(noise.mean().item<double>(), 0.0, 0.03);
  EXPECT_NEAR(noise.var().item<double>(), 1.0, 0.05);
  EXPECT_NEAR(noise.pow(4).mean().item<double>(), 3.0, 0.3);
  EXPECT_TRUE(torch::equal(normal_noise(users.slice(0, 7, 9), 101, 1, 2, torch::kDouble),
                           noise.slice(0, 7, 9)));
  for (const auto& other : {normal_noise(users + 1, 101, 1, 2, torch::kDouble),
                            normal_noise(users, 101, 2, 2, torch::kDouble),
                            normal_noise(users, 101, 1, 3, torch::kDouble)})
    EXPECT_LT((noise * other).mean().abs().item<double>(), 0.03);
}

}  // namespace
}  // namespace reckon::recvae_test
