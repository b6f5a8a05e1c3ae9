#include "kernels/bpr_update.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/functional/activation.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "core/random.h"
#include "tests/kernels/every_simd.h"

namespace reckon::bpr_update_test {
namespace {

struct Tables {
  torch::Tensor users, items, bias;

  static Tables random(int64_t num_users, int64_t num_items, int64_t width, bool with_bias) {
    torch::manual_seed(4);
    return {torch::randn({num_users, width}) * 0.5, torch::randn({num_items, width}) * 0.5,
            with_bias ? torch::randn({num_items}) : torch::Tensor()};
  }
  Tables copy() const {
    return {users.clone(), items.clone(), bias.defined() ? bias.clone() : torch::Tensor()};
  }
  double learn(std::span<const BprSample> samples, double lr, double l2) const {
    return bpr_update(users, items, bias, samples, lr, l2);
  }
};

std::vector<BprSample> random_samples(int64_t count, int64_t num_users, int64_t num_items) {
  CounterRng rng(RandomKey(5).child(1));
  std::vector<BprSample> samples;
  for (int64_t s = 0; s < count; ++s) {
    const auto positive = rng.below(static_cast<uint64_t>(num_items));
    const auto other = rng.below(static_cast<uint64_t>(num_items) - 1);
    samples.push_back({static_cast<int32_t>(rng.below(static_cast<uint64_t>(num_users))),
                       static_cast<int32_t>(positive),
                       static_cast<int32_t>(other < positive ? other : other + 1)});
  }
  return samples;
}

// The loss of one sample as it is written in the paper, in double precision.
torch::Tensor loss_of(const Tables& t, const BprSample& s, double l2) {
  const auto u = t.users[s.user], i = t.items[s.positive], j = t.items[s.negative];  // [D]
  auto x = u.dot(i - j);                                                             // []
  auto squares = u.square().sum() + i.square().sum() + j.square().sum();             // []
  if (t.bias.defined()) {
    x = x + t.bias[s.positive] - t.bias[s.negative];
    squares = squares + t.bias[s.positive].square() + t.bias[s.negative].square();
  }
  return -torch::log_sigmoid(x) + 0.5 * l2 * squares;
}

// Gradient descent through autograd, one sample after the other.
double descend(Tables& tables, std::span<const BprSample> samples, double lr, double l2) {
  std::vector<torch::Tensor> leaves = {tables.users.to(torch::kDouble),
                                       tables.items.to(torch::kDouble)};
  if (tables.bias.defined()) leaves.push_back(tables.bias.to(torch::kDouble));
  double sum = 0.0;
  for (const auto& sample : samples) {
    for (auto& leaf : leaves) leaf = leaf.detach().clone().set_requires_grad(true);
    const Tables t{leaves[0], leaves[1], leaves.size() > 2 ? leaves[2] : torch::Tensor()};
    sum += loss_of(t, sample, 0.0).item<double>();
    const auto grads = torch::autograd::grad({loss_of(t, sample, l2)}, leaves);
    const torch::NoGradGuard no_grad;
    for (size_t k = 0; k < leaves.size(); ++k) leaves[k] = leaves[k].detach() - lr * grads[k];
  }
  tables = {leaves[0].detach(), leaves[1].detach(),
            leaves.size() > 2 ? leaves[2].detach() : torch::Tensor()};
  return sum;
}

TEST(BprUpdate, IsGradientDescentOnTheLossOfEachSampleInTurn) {
  for (const auto simd : runnable_simd())
    for (const int64_t width : {1, 7, 16, 33, 64})
      for (const bool with_bias : {false, true}) {
        const ForcedSimd forced(simd);
        const auto before = Tables::random(5, 9, width, with_bias);
        const auto samples = random_samples(60, 5, 9);
        auto expected = before.copy();
        const double expected_loss = descend(expected, samples, 0.1, 0.03);
        const auto learnt = before.copy();
        const double loss = learnt.learn(samples, 0.1, 0.03);
        EXPECT_NEAR(loss, expected_loss, 1e-4 * expected_loss) << simd_name(simd) << " " << width;
        const auto close = [](const torch::Tensor& a, const torch::Tensor& b) {
          return torch::allclose(a.to(torch::kDouble), b, 1e-4, 1e-5);
        };
        EXPECT_TRUE(close(learnt.users, expected.users)) << simd_name(simd) << " " << width;
        EXPECT_TRUE(close(learnt.items, expected.items)) << simd_name(simd) << " " << width;
        EXPECT_TRUE(!with_bias || close(learnt.bias, expected.bias)) << simd_name(simd);
      }
}

TEST(BprUpdate, LeavesRowsAloneThatNoSampleNames) {
  const auto before = Tables::random(4, 6, 20, true);
  const auto after = before.copy();
  const std::vector<BprSample> samples = {{1, 2, 4}, {1, 4, 2}};
  after.learn(samples, 0.1, 0.1);
  for (const int64_t user : {0, 2, 3})
    EXPECT_TRUE(torch::equal(after.users[user], before.users[user])) << user;
  for (const int64_t item : {0, 1, 3, 5}) {
    EXPECT_TRUE(torch::equal(after.items[item], before.items[item])) << item;
    EXPECT_TRUE(torch::equal(after.bias[item], before.bias[item])) << item;
  }
  EXPECT_FALSE(torch::equal(after.users[1], before.users[1]));
}

TEST(BprUpdate, StaysFiniteWhereTheSigmoidIsZeroOrOne) {
  for (const double sign : {1.0, -1.0}) {
    const Tables t{torch::full({1, 3}, 100.0), torch::zeros({2, 3}), torch::Tensor()};
    t.items[0].fill_(100.0 * sign);
    const std::vector<BprSample> samples = {{0, 0, 1}};
    EXPECT_NEAR(t.learn(samples, 0.1, 0.0), sign > 0 ? 0.0 : 30'000.0, 1e-3);
    EXPECT_TRUE(torch::isfinite(t.users).all().item<bool>());
    EXPECT_TRUE(torch::isfinite(t.items).all().item<bool>());
  }
}

TEST(BprUpdate, OfNothingChangesNothing) {
  const auto before = Tables::random(2, 3, 4, false);
  const auto after = before.copy();
  EXPECT_EQ(after.learn({}, 0.1, 0.1), 0.0);
  EXPECT_TRUE(torch::equal(after.users, before.users));
  EXPECT_TRUE(torch::equal(after.items, before.items));
}

TEST(BprUpdate, RefusesTablesThatItCannotWriteTo) {
  const auto table = torch::zeros({3, 4});
  const auto learn = [](const torch::Tensor& users, const torch::Tensor& items,
                        const torch::Tensor& bias) { bpr_update(users, items, bias, {}, 1, 0); };
  EXPECT_THROW(learn(table.to(torch::kDouble), table, {}), c10::Error);
  EXPECT_THROW(learn(table.t(), table, {}), c10::Error);
  EXPECT_THROW(learn(table, torch::zeros({3, 5}), {}), c10::Error);
  EXPECT_THROW(learn(table, table, torch::zeros({4})), c10::Error);
}

}  // namespace
}  // namespace reckon::bpr_update_test
