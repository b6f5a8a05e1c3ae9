// The encoders over session graphs, srgnn and gcsan: each prefix against its own graph.
#include "layers/session_graph.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/ids.h"
#include "layers/gcsan_encoder.h"
#include "layers/srgnn_encoder.h"
#include "tests/layers/trace_support.h"
#include "tests/support/gradients.h"
#include "tests/support/reference.h"

namespace reckon::session_graph_test {
namespace {

constexpr int64_t kWidth = 4;
constexpr SequenceEncoder::Deps kDeps{.width = kWidth, .max_length = 20};
using Parameters = torch::OrderedDict<std::string, torch::Tensor>;

// What the formulas say of one session, item after item.   Shapes   x [n, D] -> [n, D]
torch::Tensor graph_by_formula(const Parameters& p, const torch::Tensor& x,
                               const std::vector<int64_t>& items, int64_t steps) {
  std::vector<int64_t> nodes, node_of;  // in the order of their coming
  std::vector<torch::Tensor> of_nodes;
  for (size_t s = 0; s < items.size(); ++s) {
    const auto found = std::find(nodes.begin(), nodes.end(), items[s]);
    node_of.push_back(found - nodes.begin());
    if (found != nodes.end()) continue;
    nodes.push_back(items[s]);
    of_nodes.push_back(x[static_cast<int64_t>(s)]);
  }
  const auto num_nodes = static_cast<int64_t>(nodes.size());
  auto edges = torch::zeros({num_nodes, num_nodes}, x.options());
  for (size_t s = 0; s + 1 < items.size(); ++s) edges[node_of[s]][node_of[s + 1]] += 1.0;
  auto h = torch::stack(of_nodes);  // [N, D]
  for (int64_t step = 0; step < steps; ++step) {
    std::vector<torch::Tensor> next;
    for (int64_t i = 0; i < num_nodes; ++i) {
      const auto mean = [&](const std::string& name, const torch::Tensor& weights) {
        auto sum = torch::zeros({x.size(1)}, x.options());
        for (int64_t j = 0; j < num_nodes; ++j)
          sum = sum + weights[j] * at::linear(h[j], p[name + ".weight"], p[name + ".bias"]);
        return sum / weights.sum().clamp_min(1.0);
      };
      const auto a = torch::cat(
          {mean("graph.incoming", edges.select(1, i)), mean("graph.outgoing", edges[i])});
      const auto of_a = at::linear(a, p["graph.input.weight"], p["graph.input.bias"]).chunk(3);
      const auto of_h = at::linear(h[i], p["graph.state.weight"], p["graph.state.bias"]).chunk(3);
      const auto r = (of_a[0] + of_h[0]).sigmoid(), z = (of_a[1] + of_h[1]).sigmoid();
      next.push_back((1.0 - z) * h[i] + z * (of_a[2] + r * of_h[2]).tanh());
    }
    h = torch::stack(next);
  }
  return h.index_select(0, torch::tensor(node_of, torch::kLong));
}

/// An encoder, and what its paper says of one session.
struct Kind {
  std::string name;
  std::function<std::shared_ptr<SequenceEncoder>()> make;
  // Shapes   x [n, D] -> [D]
  std::function<torch::Tensor(const Parameters&, const torch::Tensor&, const std::vector<int64_t>&)>
      by_formula;
};

Kind srgnn(int64_t steps) {
  return {"srgnn_of_" + std::to_string(steps) + "_steps",
          [steps] {
            return std::make_shared<SrgnnEncoder>(SrgnnEncoder::Options{.steps = steps}, kDeps);
          },
          [steps](const Parameters& p, const torch::Tensor& x, const std::vector<int64_t>& items) {
            const auto v = graph_by_formula(p, x, items, steps), last = v[-1];
            auto global = torch::zeros_like(last);
            for (int64_t s = 0; s < v.size(0); ++s) {
              const auto inner = at::linear(last, p["query.weight"], p["query.bias"]) +
                                 at::linear(v[s], p["key.weight"]);
              global = global + at::linear(inner.sigmoid(), p["weight.weight"]) * v[s];
            }
            return at::linear(torch::cat({last, global}), p["output.weight"]);
          }};
}

Kind gcsan(int64_t steps, int64_t num_blocks, double attention_weight = 0.6) {
  const GcsanEncoder::Options options{.steps = steps,
                                      .num_blocks = num_blocks,
                                      .hidden = 5,
                                      .dropout = 0.0,
                                      .attention_weight = attention_weight};
  return {
      "gcsan_of_" + std::to_string(steps) + "_steps_and_" + std::to_string(num_blocks) + "_blocks",
      [options] { return std::make_shared<GcsanEncoder>(options, kDeps); },
      [options](const Parameters& p, const torch::Tensor& x, const std::vector<int64_t>& items) {
        const auto v = graph_by_formula(p, x, items, options.steps);
        auto e = v;  // [n, D]
        for (int64_t block = 0; block < options.num_blocks; ++block) {
          const auto at = "blocks." + std::to_string(block) + ".";
          const auto parts = at::linear(e, p[at + "input.weight"]).chunk(2, 1);
          const auto query = at::linear(e, p[at + "query.weight"]);
          const auto scores = query.matmul(parts[0].t()) / std::sqrt(static_cast<double>(kWidth));
          const auto f = scores.softmax(1).matmul(parts[1]);  // [n, D]
          const auto inner =
              at::linear(f, p[at + "feed_forward.input.weight"], p[at + "feed_forward.input.bias"]);
          e = f + at::linear(inner.relu(), p[at + "feed_forward.output.weight"],
                             p[at + "feed_forward.output.bias"]);
        }
        return options.attention_weight * e[-1] + (1.0 - options.attention_weight) * v[-1];
      }};
}

std::vector<Kind> every_kind() {
  return {srgnn(1), srgnn(3), gcsan(1, 1), gcsan(2, 1), gcsan(1, 3, 0.3), gcsan(2, 2)};
}

/// Sessions whose items come back, at once and later, with padding in front of some.
struct Sessions {
  torch::Tensor x, valid, ids;

  // Vectors are those of the items, or with `own_vectors` of every step.
  Sessions(int64_t batch, int64_t length, bool own_vectors = false,
           torch::ScalarType type = torch::kDouble) {
    constexpr int64_t kItems = 4;
    const auto start = torch::arange(batch).remainder(length).unsqueeze(1);  // [B, 1]
    valid = torch::arange(length).unsqueeze(0).ge(start);                    // [B, T]
    ids = torch::randint(kItems, {batch, length}, torch::kLong).masked_fill(~valid, kPaddingId);
    x = own_vectors ? torch::randn({batch, length, kWidth}, type)
                    : torch::randn({kItems, kWidth}, type)
                          .index_select(0, ids.clamp_min(0).flatten())
                          .view({batch, length, kWidth});  // [B, T, D]
  }
};

class SessionEncoder : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    torch::manual_seed(8);
    encoder_ = GetParam().make();
    // Away from biases of zero.
    const torch::NoGradGuard no_grad;
    for (auto& parameter : encoder_->parameters())
      parameter.add_(torch::randn_like(parameter) * 0.1);
    encoder_->to(torch::kDouble);
    encoder_->eval();
  }
  std::shared_ptr<SequenceEncoder> encoder_;
};

TEST_P(SessionEncoder, EqualsTheFormulaOnTheGraphOfEachPrefix) {
  for (const bool own_vectors : {false, true})
    for (const int64_t length : {1, 2, 3, 8}) {
      const Sessions in(5, length, own_vectors);
      const auto got = encoder_->forward_items(in.x, in.valid, in.ids);  // [B, T, D]
      for (int64_t b = 0; b < 5; ++b) {
        const int64_t start = length - in.valid[b].sum().item<int64_t>();
        std::vector<int64_t> items;
        for (int64_t t = start; t < length; ++t) {
          items.push_back(in.ids[b][t].item<int64_t>());
          const auto expected = GetParam().by_formula(encoder_->named_parameters(),
                                                      in.x[b].slice(0, start, t + 1), items);
          EXPECT_TRUE(torch::allclose(got[b][t], expected, 1e-9, 1e-12))
              << "row " << b << ", step " << t << " of " << length;
        }
      }
    }
}

TEST_P(SessionEncoder, TheLastStateIsThatOfTheLastStep) {
  for (const int64_t length : {1, 2, 9}) {
    const Sessions in(6, length);
    const auto all = encoder_->forward_items(in.x, in.valid, in.ids);
    const auto last = encoder_->last_state(in.x, in.valid, in.ids);
    ASSERT_EQ(last.sizes(), (std::vector<int64_t>{6, kWidth}));
    EXPECT_TRUE(torch::allclose(last, all.select(1, -1), 1e-9, 1e-12)) << length;
  }
}

TEST_P(SessionEncoder, ALaterItemChangesNoEarlierState) {
  const Sessions in(4, 7);
  const auto before = encoder_->forward_items(in.x, in.valid, in.ids);
  for (const int64_t step : {6, 3, 1}) {
    // An item that stood before comes back, and one that is new comes in.
    for (const int64_t id : {in.ids[0][0].item<int64_t>(), int64_t{50}}) {
      auto x = in.x.clone(), ids = in.ids.clone();
      ids.select(1, step).fill_(id);
      x.select(1, step).copy_(id == 50 ? torch::randn({4, kWidth}, torch::kDouble)
                                       : in.x[0][0].expand({4, kWidth}));
      const auto after = encoder_->forward_items(x, in.valid, ids);
      EXPECT_TRUE(torch::equal(after.slice(1, 0, step) * in.valid.slice(1, 0, step).unsqueeze(-1),
                               before.slice(1, 0, step) * in.valid.slice(1, 0, step).unsqueeze(-1)))
          << "step " << step << ", item " << id;
      if (id == 50) {
        EXPECT_FALSE(torch::allclose(after[0][step], before[0][step], 1e-6, 1e-6));
      }
    }
  }
}

TEST_P(SessionEncoder, PaddingInFrontChangesNoState) {
  const Sessions in(3, 5);
  const auto alone = encoder_->forward_items(in.x, in.valid, in.ids);
  const auto last = encoder_->last_state(in.x, in.valid, in.ids);
  const auto keep = in.valid.unsqueeze(-1);
  for (const int64_t padding : {1, 6}) {
    const auto x = torch::cat({torch::randn({3, padding, kWidth}, torch::kDouble), in.x}, 1);
    const auto valid = torch::cat({torch::zeros({3, padding}, torch::kBool), in.valid}, 1);
    // Neither the vectors nor the ids of padding matter.
    for (const int64_t id : {kPaddingId, int64_t{0}}) {
      const auto ids = torch::cat({torch::full({3, padding}, id, torch::kLong), in.ids}, 1);
      const auto got = encoder_->forward_items(x, valid, ids).slice(1, padding);
      EXPECT_TRUE(torch::allclose(got * keep, alone * keep, 1e-9, 1e-12));
      EXPECT_TRUE(torch::allclose(encoder_->last_state(x, valid, ids), last, 1e-9, 1e-12));
    }
  }
}

TEST_P(SessionEncoder, StepsOfOneItemAreOneNode) {
  const auto item = torch::randn({3, kWidth}, torch::kDouble);
  const auto order = torch::tensor(std::vector<int64_t>{0, 1, 0, 2, 0}, torch::kLong);
  const auto x = item.index_select(0, order).unsqueeze(0);  // [1, T, D]
  const auto valid = torch::ones({1, 5}, torch::kBool);
  const auto together = encoder_->forward_items(x, valid, order.unsqueeze(0));
  const auto apart = encoder_->forward(x, valid);
  EXPECT_TRUE(torch::allclose(apart.slice(1, 0, 2), together.slice(1, 0, 2), 1e-9, 1e-12));
  for (int64_t t = 2; t < 5; ++t) {
    EXPECT_FALSE(torch::allclose(apart[0][t], together[0][t], 1e-5, 1e-6)) << t;
  }
  // Whatever the items are called.
  const auto names = torch::tensor(std::vector<int64_t>{7, 1000000, 3}, torch::kLong);
  const auto renamed = encoder_->forward_items(x, valid, names.index_select(0, order).unsqueeze(0));
  EXPECT_TRUE(torch::equal(renamed, together));
  // A node has one vector, that of its first step.
  auto other = x.clone();
  other[0][2].normal_();
  other[0][4].normal_();
  EXPECT_TRUE(torch::equal(encoder_->forward_items(other, valid, order.unsqueeze(0)), together));
}

TEST_P(SessionEncoder, WithoutIdsEveryStepIsAnItemOfItsOwn) {
  const Sessions in(4, 6);
  const auto numbers = torch::arange(6).unsqueeze(0).expand({4, 6});
  EXPECT_TRUE(torch::equal(encoder_->forward(in.x, in.valid),
                           encoder_->forward_items(in.x, in.valid, numbers)));
}

TEST_P(SessionEncoder, GradientsAreThoseOfTheFunction) {
  const Sessions in(3, 4, /*own_vectors=*/true);
  const auto direction = torch::randn({3, 4, kWidth}, torch::kDouble) * in.valid.unsqueeze(-1);
  const auto of = [&](const torch::Tensor& x) {
    return (encoder_->forward_items(x, in.valid, in.ids) * direction).sum() +
           encoder_->last_state(x, in.valid, in.ids).square().sum();
  };
  expect_gradients([&](const std::vector<torch::Tensor>& x) { return of(x[0]); }, {in.x});
  expect_parameter_gradients(*encoder_, [&] { return of(in.x); });
}

TEST_P(SessionEncoder, ATraceOfItIsGeneral) {
  const auto all = [&](const std::vector<torch::Tensor>& in) {
    return encoder_->forward_items(in[0], in[1], in[2]) * in[1].unsqueeze(-1);
  };
  const auto last = [&](const std::vector<torch::Tensor>& in) {
    return encoder_->last_state(in[0], in[1], in[2]);
  };
  const Sessions example(2, 4);
  for (const TensorFunction& run : {TensorFunction(all), TensorFunction(last)}) {
    const auto recorded = record(*encoder_, {example.x, example.valid, example.ids}, run);
    for (const auto& [batch, length] : {std::pair<int64_t, int64_t>{1, 1}, {3, 9}, {7, 2}}) {
      const Sessions at(batch, length);
      const std::vector<torch::Tensor> in = {at.x, at.valid, at.ids};
      const auto got = recorded(in), expected = run(in);
      ASSERT_EQ(got.sizes(), expected.sizes());
      EXPECT_TRUE(torch::allclose(got, expected, 1e-9, 1e-12)) << batch << " by " << length;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, SessionEncoder, ::testing::ValuesIn(every_kind()),
                         [](const auto& info) { return info.param.name; });

// Without a neighbour only the biases speak to the gates.
TEST(SessionGraph, AnItemAloneIsMovedByTheGatesOfItself) {
  torch::manual_seed(9);
  SessionGraph graph(kWidth, 1);
  graph->to(torch::kDouble);
  const auto p = graph->named_parameters();
  const auto x = torch::randn({1, 1, kWidth}, torch::kDouble), h = x[0][0];
  const auto u = (at::linear(h, p["state.weight"]) + p["state.bias"]).chunk(3);
  const auto b = p["input.bias"].chunk(3);
  const auto reset = (b[0] + u[0]).sigmoid(), update = (b[1] + u[1]).sigmoid();
  const auto expected = (1.0 - update) * h + update * (b[2] + reset * u[2]).tanh();
  const auto states = graph->forward(x, torch::ones({1, 1}, torch::kBool),
                                     torch::zeros({1, 1}, torch::kLong), Prefixes::kAll);
  EXPECT_TRUE(torch::allclose(states.newest[0][0], expected, 1e-12, 1e-12));
  EXPECT_EQ(states.newest_count.item<double>(), 1.0);
  EXPECT_EQ(states.counts.item<double>(), 0.0);
}

TEST(SessionGraph, EachItemIsSpokenForByItsLastStepOfThePrefix) {
  SessionGraph graph(kWidth, 1);
  const auto ids = torch::tensor(std::vector<int64_t>{kPaddingId, 5, 3, 5, 5, 8}).unsqueeze(0);
  const auto x = torch::randn({1, 6, kWidth});
  const auto all = graph->forward(x, ids.ge(0), ids, Prefixes::kAll);
  const auto expected = torch::tensor({{0.0, 0.0, 0.0, 0.0, 0.0, 0.0},
                                       {0.0, 0.0, 0.0, 0.0, 0.0, 0.0},
                                       {0.0, 1.0, 0.0, 0.0, 0.0, 0.0},
                                       {0.0, 0.0, 1.0, 0.0, 0.0, 0.0},
                                       {0.0, 0.0, 1.0, 0.0, 0.0, 0.0},
                                       {0.0, 0.0, 1.0, 0.0, 3.0, 0.0}},
                                      torch::kFloat);
  EXPECT_TRUE(torch::equal(all.counts[0], expected)) << all.counts[0];
  EXPECT_TRUE(torch::equal(all.newest_count[0],
                           torch::tensor({0.0, 1.0, 1.0, 2.0, 3.0, 1.0}, torch::kFloat)));
  EXPECT_TRUE(torch::equal(all.is_newest[0], torch::eye(6).to(torch::kBool)));
  const auto longest = graph->forward(x, ids.ge(0), ids, Prefixes::kLongest);
  EXPECT_TRUE(torch::equal(longest.counts[0][0], expected[5]));
  EXPECT_TRUE(torch::equal(longest.is_newest[0][0], torch::eye(6)[5].to(torch::kBool)));
}

TEST(SessionGraph, RefusesShapesThatDoNotFit) {
  SessionGraph graph(kWidth, 1);
  const auto x = torch::randn({2, 3, kWidth});
  const auto valid = torch::ones({2, 3}, torch::kBool);
  const auto forward = [&](const torch::Tensor& vectors, const torch::Tensor& ids) {
    return graph->forward(vectors, valid, ids, Prefixes::kAll);
  };
  EXPECT_NO_THROW(forward(x, {}));
  EXPECT_THROW(forward(x.slice(2, 1), {}), c10::Error);
  EXPECT_THROW(forward(x, torch::zeros({2, 2}, torch::kLong)), c10::Error);
}

// Against tests/references/session_graph_reference.py, which builds every graph as a matrix.
class SessionReference : public ::testing::Test {
 protected:
  static constexpr int64_t kReferenceWidth = 3, kSteps = 6;
  static constexpr SequenceEncoder::Deps kReferenceDeps{.width = kReferenceWidth,
                                                        .max_length = kSteps};

  static void expect_reference(const std::string& name, SequenceEncoder& encoder) {
    at::set_num_threads(1);
    static const auto values = read_reference("session_graph");
    const auto& expected = values["encoders"][name];
    encoder.to(torch::kDouble);
    std::map<std::string, torch::Tensor> parameters;
    for (const auto& item : encoder.named_parameters()) parameters[item.key()] = item.value();
    ASSERT_EQ(parameters.size(), expected["parameter_gradients"].size()) << name;
    {
      const torch::NoGradGuard no_grad;
      int64_t salt = 0;
      for (auto& [key, parameter] : parameters) parameter.copy_(fill(parameter.sizes(), salt++));
    }
    const auto ids =
        torch::tensor(std::vector<int64_t>{4, 1, 4, 4, 2, 1, -2, -2, 0, 3, 0, 3}).view({2, kSteps});
    const auto valid = ids.ge(0);
    const auto keep = valid.unsqueeze(-1);
    const auto x = fill({2, kSteps, kReferenceWidth}, 3).requires_grad_();
    const auto direction = fill({2, kSteps, kReferenceWidth}, 4) * keep;
    const auto output = encoder.forward_items(x, valid, ids);
    expect_numbers(output * keep, expected["output"], name + " output");
    std::vector<torch::Tensor> inputs = {x};
    for (const auto& [key, parameter] : parameters) inputs.push_back(parameter);
    const auto gradients = torch::autograd::grad({(output * direction).sum()}, inputs);
    expect_numbers(gradients[0], expected["input_gradient"], name + " input gradient");
    size_t i = 1;
    for (const auto& [key, parameter] : parameters)
      expect_numbers(gradients[i++], expected["parameter_gradients"][key], name + " " + key);
  }
};

TEST_F(SessionReference, SrgnnEqualsThePapersFormulas) {
  SrgnnEncoder one({}, kReferenceDeps);
  expect_reference("srgnn", one);
  SrgnnEncoder two({.steps = 2}, kReferenceDeps);
  expect_reference("srgnn_2_steps", two);
}

TEST_F(SessionReference, GcsanEqualsThePapersFormulas) {
  using Options = GcsanEncoder::Options;
  GcsanEncoder one(Options{.hidden = 5, .dropout = 0.0}, kReferenceDeps);
  expect_reference("gcsan", one);
  GcsanEncoder blocks(Options{.num_blocks = 2, .hidden = 5, .dropout = 0.0}, kReferenceDeps);
  expect_reference("gcsan_2_blocks", blocks);
  GcsanEncoder steps(Options{.steps = 2, .hidden = 5, .dropout = 0.0, .attention_weight = 0.3},
                     kReferenceDeps);
  expect_reference("gcsan_2_steps", steps);
}

}  // namespace
}  // namespace reckon::session_graph_test
