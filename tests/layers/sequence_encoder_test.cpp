// What every sequence encoder promises, whatever its kind and options.
#include "layers/sequence_encoder.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <functional>
#include <string>
#include <vector>

#include "kernels/dropout.h"
#include "layers/gcsan_encoder.h"
#include "layers/mean_pooling_encoder.h"
#include "layers/recurrent_encoder.h"
#include "layers/srgnn_encoder.h"
#include "layers/transformer_encoder.h"
#include "tests/support/gradients.h"

namespace reckon::sequence_encoder_test {
namespace {

constexpr SequenceEncoder::Deps kDeps{.width = 8, .max_length = 12};

struct Named {
  std::string name;
  std::function<std::shared_ptr<SequenceEncoder>()> make;
};

std::vector<Named> all_encoders() {
  std::vector<Named> out;
  const auto transformer = [&](const std::string& name, TransformerEncoder::Options options) {
    options.num_heads = 2;
    out.push_back({"transformer " + name,
                   [options] { return std::make_shared<TransformerEncoder>(options, kDeps); }});
  };
  transformer("pre", {});
  transformer("post", {.norm = NormPlace::kPost});
  transformer("gated swiglu",
              {.activation = FeedForwardKind::kSwiglu, .residual = ResidualKind::kGated});
  transformer("gated post", {.residual = ResidualKind::kGated, .norm = NormPlace::kPost});
  transformer("sasrec", {.activation = FeedForwardKind::kRelu, .residual = ResidualKind::kSasrec});
  transformer("rms", {.hidden = 5, .norm_type = NormKind::kRms, .final_norm = false});
  transformer("attention dropout", {.attention_dropout = 0.3});
  const auto recurrent = [&](const std::string& name, RecurrentOptions options) {
    out.push_back(
        {"gru " + name, [options] { return std::make_shared<GruEncoder>(options, kDeps); }});
    out.push_back(
        {"lstm " + name, [options] { return std::make_shared<LstmEncoder>(options, kDeps); }});
  };
  recurrent("one layer", {});
  recurrent("two layers", {.num_layers = 2, .hidden = 5, .dropout = 0.1});
  for (const double decay : {1.0, 0.5})
    out.push_back({"mean pooling " + std::to_string(decay), [decay] {
                     return std::make_shared<MeanPoolingEncoder>(
                         MeanPoolingEncoder::Options{.decay = decay}, kDeps);
                   }});
  for (const int64_t steps : {1, 2}) {
    const auto named = std::to_string(steps) + " steps";
    out.push_back({"srgnn " + named, [steps] {
                     return std::make_shared<SrgnnEncoder>(SrgnnEncoder::Options{.steps = steps},
                                                           kDeps);
                   }});
    for (const int64_t blocks : {1, 2})
      out.push_back({"gcsan " + named + " " + std::to_string(blocks) + " blocks", [steps, blocks] {
                       return std::make_shared<GcsanEncoder>(
                           GcsanEncoder::Options{.steps = steps, .num_blocks = blocks}, kDeps);
                     }});
  }
  return out;
}

// Rows of every kind: full, padded in front, one item alone, nothing at all.
torch::Tensor mixed_valid(int64_t num_steps) {
  auto valid = torch::zeros({4, num_steps}, torch::kBool);
  valid[0].fill_(true);
  valid[1].slice(0, num_steps / 2).fill_(true);
  valid[2][num_steps - 1] = true;
  return valid;
}

class EverySequenceEncoder : public ::testing::TestWithParam<Named> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);  // tensors are so small that waking threads is most of the work
    torch::manual_seed(3);
    encoder_ = GetParam().make();
    encoder_->eval();
  }
  std::shared_ptr<SequenceEncoder> encoder_;
};

TEST_P(EverySequenceEncoder, GivesOneStateOfItsWidthForEachStep) {
  const auto out = encoder_->forward(torch::randn({4, 6, 8}), mixed_valid(6));
  EXPECT_EQ(encoder_->output_spec(), (OutputSpec{.width = 8}));
  EXPECT_EQ(out.sizes(), (std::vector<int64_t>{4, 6, 8}));
}

TEST_P(EverySequenceEncoder, IsNeverNotANumberAlsoWhereNothingIsValid) {
  for (const bool training : {false, true}) {
    encoder_->train(training);
    auto x = torch::randn({4, 6, 8}).requires_grad_();
    const auto out = encoder_->forward(x, mixed_valid(6));
    EXPECT_TRUE(out.isfinite().all().item<bool>());
    const auto gradient = torch::autograd::grad({out.square().sum()}, {x})[0];
    EXPECT_TRUE(gradient.isfinite().all().item<bool>());
  }
}

TEST_P(EverySequenceEncoder, PaddingInFrontChangesNoValidState) {
  const auto x = torch::randn({3, 5, 8});
  const auto alone = encoder_->forward(x, torch::ones({3, 5}, torch::kBool));
  for (const int64_t padding : {1, 4}) {
    // The content of padded steps must not matter either.
    const auto padded = torch::cat({torch::randn({3, padding, 8}), x}, 1);
    const auto valid =
        torch::cat({torch::zeros({3, padding}, torch::kBool), torch::ones({3, 5}, torch::kBool)},
                   1);
    const auto out = encoder_->forward(padded, valid).slice(1, padding);
    EXPECT_TRUE(torch::allclose(out, alone, 1e-4, 1e-5)) << (out - alone).abs().max().item<float>();
  }
}

TEST_P(EverySequenceEncoder, ALaterItemChangesNoEarlierState) {
  const auto valid = mixed_valid(7);
  const auto x = torch::randn({4, 7, 8});
  const auto before = encoder_->forward(x, valid);
  for (const int64_t step : {6, 4, 1}) {
    auto changed = x.clone();
    changed.slice(1, step).normal_();
    const auto after = encoder_->forward(changed, valid);
    EXPECT_TRUE(torch::allclose(after.slice(1, 0, step), before.slice(1, 0, step), 1e-5, 1e-6));
    EXPECT_FALSE(torch::allclose(after[0].slice(0, step), before[0].slice(0, step)));
  }
}

TEST_P(EverySequenceEncoder, RowsOfABatchDoNotMeet) {
  const auto valid = mixed_valid(6);
  const auto x = torch::randn({4, 6, 8});
  const auto together = encoder_->forward(x, valid);
  for (int64_t b = 0; b < 4; ++b) {
    const auto alone = encoder_->forward(x.slice(0, b, b + 1), valid.slice(0, b, b + 1));
    const auto keep = valid[b].unsqueeze(-1);
    EXPECT_TRUE(torch::allclose(alone[0] * keep, together[b] * keep, 1e-4, 1e-5));
  }
}

TEST_P(EverySequenceEncoder, GradientsAreThoseOfTheFunction) {
  encoder_->to(torch::kDouble);
  const auto valid = mixed_valid(3).slice(0, 0, 3);
  const auto direction = torch::randn({3, 3, 8}, torch::kDouble) * valid.unsqueeze(-1);
  const auto x = torch::randn({3, 3, 8}, torch::kDouble);
  expect_gradients(
      [&](const std::vector<torch::Tensor>& in) {
        return (encoder_->forward(in[0], valid) * direction).sum();
      },
      {x}, 1e-6, 1e-5);
  if (encoder_->parameters().empty()) return;
  expect_parameter_gradients(*encoder_,
                             [&] { return (encoder_->forward(x, valid) * direction).sum(); });
}

TEST_P(EverySequenceEncoder, TrainingIsRepeatableInsideAScope) {
  encoder_->train();
  const auto x = torch::randn({4, 6, 8});
  const auto valid = mixed_valid(6);
  const auto run = [&](int64_t step) {
    const DropoutScope scope(1, step, 0);
    return encoder_->forward(x, valid);
  };
  EXPECT_TRUE(run(1).equal(run(1)));
}

INSTANTIATE_TEST_SUITE_P(Layers, EverySequenceEncoder, ::testing::ValuesIn(all_encoders()),
                         [](const auto& info) {
                           std::string name;
                           for (const char c : info.param.name)
                             name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST(TransformerEncoder, RefusesHeadsThatDoNotDivideTheWidth) {
  EXPECT_THROW(TransformerEncoder({.num_heads = 3}, kDeps), std::invalid_argument);
}

TEST(TransformerEncoder, AttentionAloneEqualsAnAverageByHand) {
  torch::manual_seed(5);
  SelfAttention attention(6, 2, 0.0, /*separate_query=*/false);
  const auto x = torch::randn({1, 4, 6});
  const auto valid = torch::tensor({{false, true, true, true}});
  const auto got = attention->forward(x, causal_mask(valid));
  const auto parameters = attention->named_parameters();
  const auto projected = at::linear(x[0], parameters["input.weight"], parameters["input.bias"]);
  auto joined = torch::zeros({4, 6});
  for (int64_t head = 0; head < 2; ++head) {
    const auto slice = [&](int64_t part) {
      return projected.slice(1, part * 6 + head * 3, part * 6 + head * 3 + 3);
    };
    const auto q = slice(0), k = slice(1), v = slice(2);
    for (int64_t t = 1; t < 4; ++t) {
      const auto weights = (at::matmul(k.slice(0, 1, t + 1), q[t]) / std::sqrt(3.0)).softmax(0);
      joined[t].slice(0, head * 3, head * 3 + 3) =
          at::matmul(weights.unsqueeze(0), v.slice(0, 1, t + 1)).squeeze(0);
    }
  }
  const auto expected = at::linear(joined, parameters["output.weight"], parameters["output.bias"]);
  EXPECT_TRUE(torch::allclose(got[0].slice(0, 1), expected.slice(0, 1), 1e-4, 1e-5));
}

TEST(MeanPoolingEncoder, EqualsTheWeightedMeanByHand) {
  torch::manual_seed(6);
  const auto x = torch::randn({1, 5, 8});
  const auto valid = torch::tensor({{false, true, true, false, true}});
  for (const double decay : {1.0, 0.3}) {
    MeanPoolingEncoder encoder({.decay = decay}, kDeps);
    const auto got = encoder.forward(x, valid);
    const auto at_step = [&](std::vector<int64_t> items) {
      auto sum = torch::zeros({8});
      double weight = 1.0, total = 0.0;
      for (auto it = items.rbegin(); it != items.rend(); ++it, weight *= decay) {
        sum += weight * x[0][*it];
        total += weight;
      }
      return sum / total;
    };
    EXPECT_TRUE(torch::allclose(got[0][1], at_step({1}), 1e-5, 1e-6));
    EXPECT_TRUE(torch::allclose(got[0][2], at_step({1, 2}), 1e-5, 1e-6));
    EXPECT_TRUE(torch::allclose(got[0][4], at_step({1, 2, 4}), 1e-5, 1e-6));
  }
}

}  // namespace
}  // namespace reckon::sequence_encoder_test
