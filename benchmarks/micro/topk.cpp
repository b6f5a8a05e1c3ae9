// Exact top-k over all items, with seen items left out.
#include "kernels/topk.h"

#include "benchmarks/micro/limits.h"
#include "kernels/cpu_features.h"

namespace reckon::bench {
namespace {

constexpr int64_t kUsers = 2048, kWidth = 64, kSeen = 27;

void top_20(benchmark::State& state, Simd simd) {
  if (simd > detected_simd()) return state.SkipWithError("this machine has not these instructions");
  const ForcedSimd forced(simd);
  torch::manual_seed(1);
  const int64_t num_items = state.range(0);
  const auto queries = torch::randn({kUsers, 1, kWidth}), items = torch::randn({num_items, kWidth});
  const SeenItems seen{torch::arange(kUsers + 1, torch::kLong) * kSeen,
                       torch::randint(num_items, {kUsers * kSeen}, torch::kInt)};
  for (auto _ : state) benchmark::DoNotOptimize(topk(queries, items, {}, false, seen, 20));
  report(state, {.flops = 2.0 * kUsers * static_cast<double>(num_items) * kWidth});
}
void BM_TopK(benchmark::State& state) { top_20(state, detected_simd()); }
void BM_TopKPortable(benchmark::State& state) { top_20(state, Simd::kPortable); }
BENCHMARK(BM_TopK)->Arg(3500)->Arg(40981)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_TopKPortable)->Arg(40981)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace reckon::bench
