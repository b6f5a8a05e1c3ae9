// Cross-entropy over all items and over sampled ones, loss and gradients: the work of one step.
#include <torch/autograd.h>
#include <torch/types.h>

#include "benchmarks/micro/limits.h"
#include "kernels/sampled_softmax.h"
#include "kernels/shared_logistic.h"
#include "kernels/softmax_cross_entropy.h"

namespace reckon::bench {
namespace {

constexpr int64_t kTokens = 6400, kWidth = 64;

torch::Tensor leaf(const torch::Tensor& t) { return t.detach().requires_grad_(); }

// Three products of [tokens, rows, width]: scores, gradient of the queries, gradient of the rows.
Work three_products(int64_t rows) {
  return {.flops = 3.0 * 2.0 * kTokens * static_cast<double>(rows) * kWidth};
}

void softmax_over_all(benchmark::State& state, bool is_fused) {
  torch::manual_seed(1);
  const int64_t num_items = state.range(0);
  const auto queries = leaf(torch::randn({kTokens, kWidth}) * 0.1);
  const auto items = leaf(torch::randn({num_items, kWidth}) * 0.1);
  const auto targets = torch::randint(num_items, {kTokens}, torch::kLong);
  for (auto _ : state) {
    const auto loss = is_fused ? softmax_cross_entropy(queries, items, {}, targets, {})
                               : at::cross_entropy_loss(at::matmul(queries, items.t()), targets, {},
                                                        at::Reduction::Sum);
    benchmark::DoNotOptimize(torch::autograd::grad({loss}, {queries, items}));
  }
  report(state, three_products(num_items));
}
void BM_SoftmaxCrossEntropy(benchmark::State& state) { softmax_over_all(state, true); }
void BM_SoftmaxCrossEntropyOfPlainAten(benchmark::State& state) { softmax_over_all(state, false); }
BENCHMARK(BM_SoftmaxCrossEntropy)
    ->Arg(3500)
    ->Arg(12101)
    ->Arg(40981)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_SoftmaxCrossEntropyOfPlainAten)
    ->Arg(3500)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void BM_SharedSampledSoftmax(benchmark::State& state) {
  torch::manual_seed(1);
  const int64_t count = state.range(0);
  const auto queries = leaf(torch::randn({kTokens, kWidth}) * 0.1),
             chosen = leaf(torch::randn({kTokens}));
  const auto negatives = leaf(torch::randn({count, kWidth}) * 0.1);
  const auto targets = torch::randint(12101, {kTokens}, torch::kLong);
  const auto ids = torch::randint(12101, {count}, torch::kLong);
  for (auto _ : state)
    benchmark::DoNotOptimize(torch::autograd::grad(
        {shared_sampled_softmax(queries, negatives, {}, chosen, targets, ids, {})},
        {queries, negatives, chosen}));
  report(state, three_products(count));
}
BENCHMARK(BM_SharedSampledSoftmax)
    ->Arg(256)
    ->Arg(1024)
    ->Arg(6000)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// BPR with negatives of the whole step.
void shared_logistic_losses(benchmark::State& state, bool is_fused) {
  torch::manual_seed(1);
  const int64_t count = state.range(0);
  const auto queries = leaf(torch::randn({kTokens, kWidth}) * 0.1),
             chosen = leaf(torch::randn({kTokens}));
  const auto negatives = leaf(torch::randn({count, kWidth}) * 0.1);
  for (auto _ : state) {
    const auto loss =
        is_fused ? shared_logistic(queries, negatives, {}, chosen)
                 : at::softplus(at::matmul(queries, negatives.t()) - chosen.unsqueeze(1)).sum();
    benchmark::DoNotOptimize(torch::autograd::grad({loss}, {queries, negatives, chosen}));
  }
  report(state, three_products(count));
}
void BM_SharedLogistic(benchmark::State& state) { shared_logistic_losses(state, true); }
void BM_SharedLogisticOfPlainAten(benchmark::State& state) { shared_logistic_losses(state, false); }
BENCHMARK(BM_SharedLogistic)->Arg(1024)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_SharedLogisticOfPlainAten)->Arg(1024)->Unit(benchmark::kMillisecond)->UseRealTime();

// Negatives of each position alone; one thread, as a worker of a training step has.
void BM_PositionSampledSoftmax(benchmark::State& state) {
  torch::manual_seed(1);
  const int64_t num_items = state.range(0), count = 256;
  const auto queries = leaf(torch::randn({kTokens, kWidth}) * 0.1),
             chosen = leaf(torch::randn({kTokens}));
  const auto items = leaf(torch::randn({num_items, kWidth}) * 0.1);
  const auto targets = torch::randint(num_items, {kTokens}, torch::kLong);
  const auto ids = torch::randint(num_items, {kTokens, count}, torch::kLong);
  for (auto _ : state)
    benchmark::DoNotOptimize(torch::autograd::grad(
        {position_sampled_softmax(queries, items, {}, chosen, targets, ids, {})},
        {queries, items, chosen}));
  // Each named row is read, and its gradient read and written.
  report(state, {.gathered_bytes = 3.0 * kTokens * count * kWidth * sizeof(float)});
}
BENCHMARK(BM_PositionSampledSoftmax)
    ->Arg(12101)
    ->Arg(1000000)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace reckon::bench
