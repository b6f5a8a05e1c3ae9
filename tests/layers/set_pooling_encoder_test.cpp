#include "layers/set_pooling_encoder.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "layers/catalog.h"
#include "tests/layers/trace_support.h"
#include "tests/support/gradients.h"

namespace reckon::set_pooling_encoder_test {
namespace {

using Pooling = SetPoolingEncoder::Pooling;
constexpr SequenceEncoder::Deps kDeps{.width = 4, .max_length = 9};

std::vector<SetPoolingEncoder::Options> every_kind() {
  return {{},
          {.projection = false},
          {.leave_out_target = true},
          {.leave_out_target = true, .hidden_units = {5, 3}},
          {.pooling = Pooling::kAttention},
          {.pooling = Pooling::kAttention, .hidden_units = {6}}};
}

torch::Tensor mixed_valid(int64_t length) {
  auto valid = torch::zeros({3, length}, torch::kBool);
  valid[0].fill_(true);
  valid[1][length - 1] = true;  // one item alone; nothing at all in the third row
  return valid;
}

// One item after another. `without` is an item that does not count.
torch::Tensor oracle(SetPoolingEncoder& encoder, const SetPoolingEncoder::Options& o,
                     const torch::Tensor& x, const torch::Tensor& valid, int64_t without) {
  const auto p = encoder.named_parameters();
  auto sum = torch::zeros({4}, x.options());
  double total = 0.0;
  for (int64_t s = 0; s < x.size(0); ++s) {
    if (!valid[s].item<bool>() || s == without) continue;
    double weight = 1.0;
    if (o.pooling == Pooling::kAttention) {
      const auto key = at::linear(x[s], p["key.weight"], p["key.bias"]).tanh();
      weight = std::exp((p["query.weight"][0] * key).sum().item<double>());
    }
    sum = sum + weight * x[s];
    total += weight;
  }
  auto h = total > 0.0 ? sum / total : sum;
  for (size_t layer = 0; layer < o.hidden_units.size(); ++layer) {
    const auto name = "tower.layers." + std::to_string(layer);
    h = at::linear(h, p[name + ".weight"], p[name + ".bias"]).relu();
  }
  return o.projection ? at::linear(h, p["output.weight"]) : h;
}

TEST(SetPoolingEncoder, EqualsTheFormulaForTheWholeSetAndForItsTargets) {
  torch::manual_seed(1);
  for (const auto& options : every_kind())
    for (const int64_t length : {1, 5}) {
      SetPoolingEncoder encoder(options, kDeps);
      encoder.to(torch::kDouble);
      const auto x = torch::randn({3, length, 4}, torch::kDouble);
      const auto valid = mixed_valid(length);
      const auto whole = encoder.forward(x, valid);
      const auto learnt = encoder.forward_for_targets(x, valid).expand_as(whole);
      for (int64_t b = 0; b < 3; ++b)
        for (int64_t t = 0; t < length; ++t) {
          EXPECT_TRUE(torch::allclose(whole[b][t], oracle(encoder, options, x[b], valid[b], -1)));
          if (!valid[b][t].item<bool>()) continue;
          const auto own = options.leave_out_target ? t : -1;
          EXPECT_TRUE(torch::allclose(learnt[b][t], oracle(encoder, options, x[b], valid[b], own)));
        }
    }
}

TEST(SetPoolingEncoder, NeitherOrderNorPaddingChangesTheState) {
  torch::manual_seed(2);
  for (const auto& options : every_kind()) {
    SetPoolingEncoder encoder(options, kDeps);
    const auto x = torch::randn({2, 5, 4});
    const auto all = torch::ones({2, 5}, torch::kBool);
    const auto state = encoder.forward(x, all).select(1, -1);
    const auto turned = encoder.forward(x.flip(1), all).select(1, -1);
    EXPECT_TRUE(torch::allclose(turned, state, 1e-4, 1e-6));
    const auto padded = torch::cat({torch::randn({2, 3, 4}), x}, 1);
    const auto valid = torch::cat({torch::zeros({2, 3}, torch::kBool), all}, 1);
    EXPECT_TRUE(torch::allclose(encoder.forward(padded, valid).select(1, -1), state, 1e-4, 1e-6));
    EXPECT_TRUE(torch::allclose(encoder.forward_for_targets(padded, valid).slice(1, 3),
                                encoder.forward_for_targets(x, all), 1e-4, 1e-6));
  }
}

TEST(SetPoolingEncoder, ATargetThatIsLeftOutDoesNotKnowItself) {
  torch::manual_seed(3);
  SetPoolingEncoder encoder({.leave_out_target = true}, kDeps);
  auto x = torch::randn({1, 4, 4});
  const auto all = torch::ones({1, 4}, torch::kBool);
  const auto before = encoder.forward_for_targets(x, all).clone();
  x[0][2].normal_();
  const auto after = encoder.forward_for_targets(x, all);
  EXPECT_TRUE(torch::allclose(after[0][2], before[0][2], 1e-4, 1e-5));
  EXPECT_FALSE(torch::allclose(after[0][1], before[0][1], 1e-4, 1e-5));
}

TEST(SetPoolingEncoder, GradientsAreThoseOfTheFunction) {
  torch::manual_seed(4);
  for (const auto& options : every_kind()) {
    SetPoolingEncoder encoder(options, kDeps);
    encoder.to(torch::kDouble);
    const auto valid = mixed_valid(3);
    const auto direction = torch::randn({3, 3, 4}, torch::kDouble) * valid.unsqueeze(-1);
    const auto x = torch::randn({3, 3, 4}, torch::kDouble);
    const auto of = [&](const torch::Tensor& in) {
      return (encoder.forward(in, valid) * direction).sum() +
             (encoder.forward_for_targets(in, valid) * direction).square().sum();
    };
    expect_gradients([&](const std::vector<torch::Tensor>& in) { return of(in[0]); }, {x});
    if (options.projection) expect_parameter_gradients(encoder, [&] { return of(x); });
  }
}

TEST(SetPoolingEncoder, ATraceOfItIsGeneral) {
  torch::manual_seed(5);
  for (const auto& options : every_kind()) {
    SetPoolingEncoder encoder(options, kDeps);
    const auto run = [&](const std::vector<torch::Tensor>& in) {
      return encoder.forward(in[0], in[1]).select(1, -1);
    };
    const auto recorded = record(encoder, {torch::randn({3, 4, 4}), mixed_valid(4)}, run);
    for (const int64_t length : {1, 7}) {
      const std::vector<torch::Tensor> in = {torch::randn({3, length, 4}), mixed_valid(length)};
      EXPECT_TRUE(torch::allclose(recorded(in), run(in), 1e-4, 1e-6));
    }
  }
}

TEST(SetPoolingEncoder, RefusesWhatCannotBeTogether) {
  struct Slot {
    Component<SequenceEncoder> encoder;
    static void describe(Schema<Slot>& schema) {
      schema.field("encoder", &Slot::encoder).required();
    }
  };
  Catalog catalog;
  add_layers(catalog);
  const auto problem_of = [&](const std::string& options) -> std::string {
    try {
      read_config<Slot>(parse_yaml("encoder: {type: set_pooling" + options + "}\n", "e.yaml"),
                        catalog);
      return "";
    } catch (const ConfigError& error) {
      return error.what();
    }
  };
  EXPECT_EQ(problem_of(""), "");
  EXPECT_NE(
      problem_of(", pooling: attention, leave_out_target: true").find("needs `pooling: mean`"),
      std::string::npos);
  EXPECT_NE(problem_of(", hidden_units: [3], projection: false").find("cannot be false behind"),
            std::string::npos);
}

}  // namespace
}  // namespace reckon::set_pooling_encoder_test
