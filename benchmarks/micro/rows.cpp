// Dropout, sums of rows, the optimiser steps on single rows, and descent pair by pair.
#include <ATen/Parallel.h>
#include <ATen/ops/_fused_adam.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <vector>

#include "benchmarks/micro/limits.h"
#include "kernels/bpr_update.h"
#include "kernels/deferred_adam.h"
#include "kernels/dropout.h"
#include "kernels/row_sums.h"
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

// The items of 512 users, a hundred on average and five hundred at most, added up and learnt from; the table is as high
// as Gowalla has items.
struct Sets {
  static constexpr int64_t kSets = 512, kLongest = 500, kItems = 40981;
  torch::Tensor table = torch::randn({kItems, kWidth}).requires_grad_();
  torch::Tensor rows = torch::randint(kItems, {kSets, kLongest}, torch::kLong);
  torch::Tensor weights = torch::arange(kLongest)
                              .lt((20.0 / torch::rand({kSets, 1})).clamp_max(kLongest))
                              .to(torch::kFloat);  // [B, T]
  torch::Tensor direction = torch::randn({kSets, kWidth});

  template <class Sum>
  void run(benchmark::State& state, const Sum& sum) const {
    for (auto _ : state)
      benchmark::DoNotOptimize(torch::autograd::grad({sum()}, {table}, {direction})[0]);
    const auto gathered = weights.sum().item<double>() * kWidth * sizeof(float);
    report(state,
           {.bytes = static_cast<double>(direction.nbytes()), .gathered_bytes = 2 * gathered});
  }
};

void BM_WeightedRowSums(benchmark::State& state) {
  const Sets s;
  s.run(state, [&] { return weighted_row_sums(s.table, s.rows, s.weights); });
}
BENCHMARK(BM_WeightedRowSums)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_WeightedRowSumsOfAten(benchmark::State& state) {
  const Sets s;
  const auto offsets = torch::arange(0, Sets::kSets * Sets::kLongest, Sets::kLongest);
  s.run(state, [&] {
    return std::get<0>(at::embedding_bag(s.table, s.rows.flatten(), offsets, false, 0,
                                         /*sparse=*/true, s.weights.flatten(), false));
  });
}
BENCHMARK(BM_WeightedRowSumsOfAten)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_WeightedRowSumsGathered(benchmark::State& state) {
  const Sets s;
  s.run(state, [&] {
    return (at::embedding(s.table, s.rows, -1, false, /*sparse=*/true) * s.weights.unsqueeze(-1))
        .sum(1);
  });
}
BENCHMARK(BM_WeightedRowSumsGathered)->Unit(benchmark::kMicrosecond)->UseRealTime();

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

// Adam over tables of Gowalla's users and items, of which a step reads some rows; every row makes every step.
struct WholeTable {
  static constexpr int64_t kAll = 70839, kRead = 2624;
  torch::Tensor weight = torch::randn({kAll, kWidth});
  torch::Tensor first = torch::zeros({kAll, kWidth}), second = torch::zeros({kAll, kWidth});
  torch::Tensor rows = torch::randperm(kAll, torch::kLong).slice(0, 0, kRead);
  torch::Tensor grads = torch::randn({kRead, kWidth});
  // The moments of a weight: nine operations, a root and a quotient.
  static constexpr double kFlops = 11.0 * kAll * kWidth;
  static constexpr double kRowBytes = static_cast<double>(kRead * kWidth * sizeof(float));
};

void BM_DeferredAdam(benchmark::State& state) {
  const WholeTable t;
  DeferredAdam adam({.l2 = 1e-7});
  int64_t number = 0;
  for (auto _ : state) {
    if (adam.num_open() == 64) {
      at::parallel_for(0, t.kAll, 2048,
                       [&](int64_t begin, int64_t end) { adam.settle(begin, end); });
      adam.clear();
    }
    at::parallel_for(0, t.kRead, 512,
                     [&](int64_t begin, int64_t end) { adam.settle(t.rows.slice(0, begin, end)); });
    adam.begin_step(t.weight, t.first, t.second, ++number, 1e-3);
    at::parallel_for(0, t.kRead, 512, [&](int64_t begin, int64_t end) {
      adam.step_rows(t.rows.slice(0, begin, end), t.grads.slice(0, begin, end));
    });
  }
  report(state, {.flops = WholeTable::kFlops,
                 .bytes = WholeTable::kRowBytes,
                 .gathered_bytes = 6.0 * WholeTable::kRowBytes});
}
BENCHMARK(BM_DeferredAdam)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_DeferredAdamOfAten(benchmark::State& state) {
  const WholeTable t;
  const auto gradient = torch::zeros({t.kAll, kWidth}), step = torch::zeros({});
  for (auto _ : state) {
    step.add_(1);
    gradient.zero_();
    gradient.index_add_(0, t.rows, t.grads);
    at::_fused_adam_({t.weight}, {gradient}, {t.first}, {t.second}, {}, {step}, 1e-3, 0.9, 0.999,
                     1e-7, 1e-8, /*amsgrad=*/false, /*maximize=*/false);
  }
  report(state, {.flops = WholeTable::kFlops,
                 .bytes = WholeTable::kRowBytes,
                 .gathered_bytes = 6.0 * WholeTable::kRowBytes});
}
BENCHMARK(BM_DeferredAdamOfAten)->Unit(benchmark::kMicrosecond)->UseRealTime();

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
