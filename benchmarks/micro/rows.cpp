// Dropout, the optimiser steps on single rows, and descent pair by pair.
#include <torch/types.h>

#include <vector>

#include "benchmarks/micro/limits.h"
#include "kernels/bpr_update.h"
#include "kernels/dropout.h"
#include "kernels/row_update.h"

namespace reckon::bench {
namespace {

constexpr int64_t kWidth = 64, kRows = 1000000, kTouched = 6144;

void BM_Dropout(benchmark::State& state) {
  const auto x = torch::randn({state.range(0), kWidth});
  const DropoutScope scope(1, 0, 0);
  for (auto _ : state) benchmark::DoNotOptimize(reckon::dropout(x, 0.2, true));
  report(state, {.bytes = 2.0 * static_cast<double>(x.nbytes())});
}
BENCHMARK(BM_Dropout)->Arg(6400)->Arg(400000)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_DropoutOfAten(benchmark::State& state) {
  const auto x = torch::randn({state.range(0), kWidth});
  for (auto _ : state) benchmark::DoNotOptimize(at::dropout(x, 0.2, true));
  report(state, {.bytes = 2.0 * static_cast<double>(x.nbytes())});
}
BENCHMARK(BM_DropoutOfAten)->Arg(6400)->Arg(400000)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_DropoutRows(benchmark::State& state) {
  const auto x = torch::randn({state.range(0), kWidth});
  const auto ids = torch::randint(12101, {state.range(0)}, torch::kLong);
  const DropoutScope scope(1, 0, 0);
  for (auto _ : state) benchmark::DoNotOptimize(dropout_rows(x, ids, 0.2, true));
  report(state, {.bytes = 2.0 * static_cast<double>(x.nbytes())});
}
BENCHMARK(BM_DropoutRows)->Arg(6400)->Arg(400000)->Unit(benchmark::kMicrosecond)->UseRealTime();

struct Update {
  torch::Tensor weight = torch::randn({kRows, kWidth});
  torch::Tensor rows =
      std::get<0>(torch::randperm(kRows, torch::kLong).slice(0, 0, kTouched).sort());
  torch::Tensor grads = torch::randn({kTouched, kWidth});
  static constexpr double kRowBytes = static_cast<double>(kTouched * kWidth * sizeof(float));
};

void BM_RowAdagrad(benchmark::State& state) {
  const Update u;
  const auto sums = torch::zeros({kRows});
  for (auto _ : state) row_adagrad(u.weight, sums, u.rows, u.grads, {});
  // The gradient is read; weights are read and written wherever they lie.
  report(state, {.bytes = Update::kRowBytes, .gathered_bytes = 2.0 * Update::kRowBytes});
}
BENCHMARK(BM_RowAdagrad)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_RowLazyAdam(benchmark::State& state) {
  const Update u;
  const auto first = torch::zeros({kRows, kWidth}), second = torch::zeros({kRows, kWidth});
  int64_t step = 0;
  for (auto _ : state) row_lazy_adam(u.weight, first, second, u.rows, u.grads, ++step, {});
  report(state, {.bytes = Update::kRowBytes, .gathered_bytes = 6.0 * Update::kRowBytes});
}
BENCHMARK(BM_RowLazyAdam)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_SumRows(benchmark::State& state) {
  const auto ids = torch::randint(kRows, {kTouched}, torch::kLong);
  const auto grads = torch::randn({kTouched, kWidth});
  for (auto _ : state) benchmark::DoNotOptimize(sum_rows(ids, grads));
  report(state, {.bytes = 2.0 * Update::kRowBytes});
}
BENCHMARK(BM_SumRows)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_BprUpdate(benchmark::State& state) {
  const auto users = torch::randn({kRows, kWidth}), items = torch::randn({kRows, kWidth});
  const auto ids = torch::randint(kRows, {kTouched, 3}, torch::kInt);
  const auto* id = ids.const_data_ptr<int32_t>();
  std::vector<BprSample> samples;
  for (int64_t s = 0; s < kTouched; ++s, id += 3) samples.push_back({id[0], id[1], id[2]});
  for (auto _ : state) benchmark::DoNotOptimize(bpr_update(users, items, {}, samples, 0.01, 0.01));
  report(state, {.gathered_bytes = 6.0 * Update::kRowBytes});
}
BENCHMARK(BM_BprUpdate)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace reckon::bench
