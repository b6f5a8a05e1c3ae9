#include "benchmarks/micro/limits.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <numeric>

#include "core/memory.h"
#include "kernels/cpu_features.h"

namespace reckon::bench {

namespace {

constexpr int kRepetitions = 5;

double best_seconds(const std::function<void()>& work) {
  double best = 1e30;
  for (int i = 0; i < kRepetitions; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    best = std::min(best, took.count());
  }
  return best;
}

double measure_flops() {
  constexpr int64_t kSize = 2048;
  const auto a = torch::randn({kSize, kSize}), b = torch::randn({kSize, kSize});
  auto c = torch::empty({kSize, kSize});
  return 2.0 * kSize * kSize * kSize / best_seconds([&] { at::mm_out(c, a, b); });
}

double measure_read() {
  const auto x = torch::ones({64 << 20});
  return static_cast<double>(x.nbytes()) /
         best_seconds([&] { benchmark::DoNotOptimize(x.sum().item<float>()); });
}

double measure_gather() {
  constexpr int64_t kRows = 1 << 20, kWidth = 64, kReads = 1 << 20;
  const auto table = torch::ones({kRows, kWidth});
  const auto ids = torch::randint(kRows, {kReads}, torch::kLong);
  const auto* values = table.const_data_ptr<float>();
  const auto* id = ids.const_data_ptr<int64_t>();
  const double seconds = best_seconds([&] {
    std::atomic<float> total{0.0f};
    at::parallel_for(0, kReads, 1 << 12, [&](int64_t begin, int64_t end) {
      float sums[kWidth] = {};
      for (int64_t i = begin; i < end; ++i) {
        const float* row = values + id[i] * kWidth;
        for (int64_t d = 0; d < kWidth; ++d) sums[d] += row[d];
      }
      total.fetch_add(std::accumulate(sums, sums + kWidth, 0.0f));
    });
    benchmark::DoNotOptimize(total.load());
  });
  return static_cast<double>(kReads * kWidth * sizeof(float)) / seconds;
}

}  // namespace

const Limits& limits() {
  static const Limits measured{measure_flops(), measure_read(), measure_gather()};
  return measured;
}

void report(benchmark::State& state, const Work& work) {
  const auto& limit = limits();
  const double seconds =
      std::max(work.flops / limit.flops,
               work.bytes / limit.read_bytes + work.gathered_bytes / limit.gather_bytes);
  state.counters["limit_ms"] = seconds * 1e3;
  state.counters["of_limit"] = benchmark::Counter(seconds * static_cast<double>(state.iterations()),
                                                  benchmark::Counter::kIsRate);
}

}  // namespace reckon::bench

int main(int argc, char** argv) {
  reckon::tune_allocator();  // as the program does
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const auto& limit = reckon::bench::limits();
  benchmark::AddCustomContext("limit_gflops", std::to_string(limit.flops / 1e9));
  benchmark::AddCustomContext("limit_read_gb", std::to_string(limit.read_bytes / 1e9));
  benchmark::AddCustomContext("limit_gather_gb", std::to_string(limit.gather_bytes / 1e9));
  benchmark::AddCustomContext("threads", std::to_string(at::get_num_threads()));
  benchmark::AddCustomContext("simd", reckon::simd_name(reckon::active_simd()));
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
