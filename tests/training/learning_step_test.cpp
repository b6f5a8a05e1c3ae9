#include "training/learning_step.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "tests/training/tiny_model.h"

namespace reckon::learning_step_test {
namespace {

constexpr int64_t kUsers = 9, kItems = 11, kBatch = 8;

Batch make_batch(int64_t begin, int64_t end) {
  Batch batch(end - begin);
  const auto rows = torch::arange(begin, end, torch::kLong);
  batch.set(batch_key::kUsers, (rows * 5 + 1) % kUsers);
  batch.set(batch_key::kTargets, (rows * 7 + 2) % kItems);
  batch.set(batch_key::kNegatives, torch::stack({(rows * 3) % kItems, (rows + 4) % kItems}, 1));
  return batch;
}

StepBatch cut(const std::vector<int64_t>& edges) {
  StepBatch step;
  for (size_t i = 0; i + 1 < edges.size(); ++i)
    step.shards.push_back(make_batch(edges[i], edges[i + 1]));
  step.num_examples = step.num_targets = edges.back() - edges.front();
  return step;
}

TinyModel make_model(const TinyModel::Options& options) {
  torch::manual_seed(5);
  return TinyModel(options, kUsers, kItems);
}

torch::Tensor densify(const Gradient& gradient, const torch::Tensor& parameter) {
  if (gradient.is_dense()) return gradient.dense;
  auto dense = torch::zeros_like(parameter);
  if (gradient.is_sparse()) dense.index_add_(0, gradient.rows, gradient.values);
  return dense;
}

std::vector<TinyModel::Options> all_ways() {
  using Coupling = Objective::Coupling;
  std::vector<TinyModel::Options> ways;
  for (const auto coupling : {Coupling::kExample, Coupling::kBatch})
    for (const bool shared : {false, true})
      for (const bool sparse : {false, true})
        ways.push_back({.sparse = sparse, .shared = shared, .coupling = coupling});
  return ways;
}

std::string describe(const TinyModel::Options& way) {
  return std::string(way.coupling == Objective::Coupling::kBatch ? "batch" : "example") +
         (way.shared ? ", shared" : "") + (way.sparse ? ", sparse" : "");
}

// The obvious way: the whole batch at once, one backward pass.
std::vector<torch::Tensor> plain_gradients(TinyModel& model,
                                           const std::vector<OptimizedParameter>& parameters,
                                           double& loss) {
  const auto shared = model.shared({});
  const auto parts = model.loss(model.represent(make_batch(0, kBatch), shared), shared, 0);
  loss = parts.sum.item<double>() / parts.weight;
  std::vector<torch::Tensor> inputs;
  for (const auto& parameter : parameters) inputs.push_back(parameter.tensor);
  auto gradients =
      torch::autograd::grad({parts.sum / parts.weight}, inputs, {}, std::nullopt, false, true);
  for (auto& gradient : gradients)
    if (gradient.defined() && gradient.is_sparse()) gradient = gradient.to_dense();
  return gradients;
}

TEST(LearningStep, GradientsEqualThoseOfTheWholeBatchAtOnce) {
  for (const auto& way : all_ways()) {
    SCOPED_TRACE(describe(way));
    auto model = make_model(way);
    const auto parameters = trained_parameters(model, {});
    double loss = 0.0;
    const auto expected = plain_gradients(model, parameters, loss);
    // Even and uneven shards, one without rows, a single one.
    for (const auto& edges :
         std::vector<std::vector<int64_t>>{{0, 4, 8}, {0, 1, 1, 6, 8}, {0, 8}}) {
      WorkerPool workers(2);
      LearningStep step(model, parameters, workers, 1);
      const std::vector<StepBatch> batches = {cut(edges)};
      const auto result = step.run(batches, 0, 0);
      EXPECT_NEAR(result.loss(), loss, 1e-6);
      EXPECT_NEAR(result.logged.at("tiny") / result.weight, loss, 1e-6);
      double squares = 0.0;
      for (size_t i = 0; i < parameters.size(); ++i) {
        const auto gradient = densify(result.gradients[i], parameters[i].tensor);
        ASSERT_TRUE(expected[i].defined()) << parameters[i].name;
        EXPECT_TRUE(torch::allclose(gradient, expected[i], 1e-5, 1e-7))
            << parameters[i].name << "\n"
            << gradient << "\n"
            << expected[i];
        squares += expected[i].square().sum().item<double>();
      }
      EXPECT_NEAR(result.squared_norm, squares, 1e-5 * squares);
    }
  }
}

TEST(LearningStep, ThreadsDoNotChangeABit) {
  for (auto way : all_ways()) {
    way.dropout = 0.3;
    SCOPED_TRACE(describe(way));
    std::vector<StepResult> results;
    for (const int64_t threads : {1, 2, 4}) {
      auto model = make_model(way);
      model.train();
      WorkerPool workers(threads);
      LearningStep step(model, trained_parameters(model, {}), workers, 1);
      const std::vector<StepBatch> batches = {cut({0, 2, 3, 6, 8})};
      auto result = step.run(batches, 17, 4);
      for (auto& gradient : result.gradients)
        if (gradient.is_dense()) gradient.dense = gradient.dense.clone();
      results.push_back(result);
    }
    for (size_t r = 1; r < results.size(); ++r) {
      EXPECT_EQ(results[0].loss_sum, results[r].loss_sum);
      EXPECT_EQ(results[0].squared_norm, results[r].squared_norm);
      for (size_t i = 0; i < results[0].gradients.size(); ++i) {
        const auto &a = results[0].gradients[i], &b = results[r].gradients[i];
        ASSERT_EQ(a.is_dense(), b.is_dense());
        if (a.is_dense()) {
          EXPECT_TRUE(torch::equal(a.dense, b.dense));
        } else {
          EXPECT_TRUE(torch::equal(a.rows, b.rows));
          EXPECT_TRUE(torch::equal(a.values, b.values));
        }
      }
    }
  }
}

TEST(LearningStep, DropoutChangesWithSeedAndBatchAlone) {
  auto model = make_model({.dropout = 0.5});
  model.train();
  WorkerPool workers(2);
  const std::vector<StepBatch> batches = {cut({0, 4, 8})};
  const auto loss = [&](uint64_t seed, int64_t batch) {
    LearningStep step(model, trained_parameters(model, {}), workers, seed);
    return step.run(batches, batch, 0).loss_sum;
  };
  EXPECT_EQ(loss(1, 0), loss(1, 0));
  EXPECT_NE(loss(1, 0), loss(1, 1));
  EXPECT_NE(loss(1, 0), loss(2, 0));
}

TEST(LearningStep, SeveralBatchesOfOneStepEqualOneLargeBatch) {
  for (const auto& way : all_ways()) {
    // A batch-coupled loss over halves is another loss than that over the whole.
    if (way.coupling == Objective::Coupling::kBatch) continue;
    SCOPED_TRACE(describe(way));
    auto model = make_model(way);
    const auto parameters = trained_parameters(model, {});
    WorkerPool workers(2);
    LearningStep in_one(model, parameters, workers, 1), in_parts(model, parameters, workers, 1);
    const std::vector<StepBatch> whole = {cut({0, 4, 8})}, parts = {cut({0, 2, 3}), cut({3, 4, 8})};
    const auto a = in_one.run(whole, 0, 0), b = in_parts.run(parts, 0, 0);
    EXPECT_NEAR(a.loss(), b.loss(), 1e-6);
    EXPECT_EQ(b.num_targets, 8);
    for (size_t i = 0; i < parameters.size(); ++i)
      EXPECT_TRUE(torch::allclose(densify(a.gradients[i], parameters[i].tensor),
                                  densify(b.gradients[i], parameters[i].tensor), 1e-5, 1e-7))
          << parameters[i].name;
  }
}

TEST(LearningStep, AStepWithoutRowsHasNoWeight) {
  for (const auto& way : all_ways()) {
    auto model = make_model(way);
    WorkerPool workers(2);
    LearningStep step(model, trained_parameters(model, {}), workers, 1);
    const std::vector<StepBatch> batches = {cut({3, 3, 3})};
    EXPECT_EQ(step.run(batches, 0, 0).weight, 0.0);
  }
}

// Fails in the shard that holds user 3.
class Failing : public Learnable {
 public:
  Needs needs() const override { return {}; }
  Objective::Coupling coupling() const override { return Objective::Coupling::kExample; }
  Represented represent(const Batch& shard, const std::vector<torch::Tensor>&) override {
    TORCH_CHECK(shard.at(batch_key::kUsers).ne(3).all().item<bool>(), "user 3 is not welcome");
    return {};
  }
  LossParts loss(const Represented&, const std::vector<torch::Tensor>&, int64_t) override {
    LossParts parts;
    parts.sum = torch::zeros({}, torch::requires_grad());
    parts.weight = 1.0;
    return parts;
  }
};

TEST(LearningStep, WhatAShardThrowsReachesTheCaller) {
  Failing model;
  WorkerPool workers(2);
  LearningStep step(model, {}, workers, 1);
  const std::vector<StepBatch> batches = {cut({0, 4, 8})};
  EXPECT_THROW(step.run(batches, 0, 0), c10::Error);
}

}  // namespace
}  // namespace reckon::learning_step_test
