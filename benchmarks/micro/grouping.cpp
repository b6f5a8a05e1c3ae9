// Rows put together by user, as the preparation of data does, beside a counting sort that writes where each row belongs.
#include "core/grouping.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

#include "benchmarks/micro/limits.h"
#include "core/random.h"

namespace reckon::bench {
namespace {

struct Row {
  int64_t time;
  int32_t row, key;
};

/// As many interactions as `millions` says, fifty for each user: few users have many of them, all in the order of time.
struct Log {
  int64_t count, num_users;
  std::vector<int32_t> user;
  std::vector<int64_t> offsets;
  std::vector<Row> grouped;

  explicit Log(int64_t millions)
      : count(millions * 1000000),
        num_users(count / 50),
        user(static_cast<size_t>(count)),
        offsets(static_cast<size_t>(num_users) + 1),
        grouped(static_cast<size_t>(count)) {
    CounterRng rng(RandomKey(1));
    constexpr double kScale = 0x1p-64;
    constexpr int64_t kScatter = 7919;  // users of many rows do not lie next to each other
    for (auto& one : user) {
      const double share = static_cast<double>(rng()) * kScale;
      const auto rank =
          std::min(static_cast<int64_t>(static_cast<double>(num_users) * share * share),
                   num_users - 1);
      one = static_cast<int32_t>(rank * kScatter % num_users);
    }
  }

  Row row(int64_t i) const { return {i, static_cast<int32_t>(i), user[static_cast<size_t>(i)]}; }

  // Users are read, rows are written.
  Work least() const {
    return {.bytes = static_cast<double>(count) * (sizeof(int32_t) + sizeof(Row))};
  }
};

void BM_GroupByKey(benchmark::State& state) {
  Log log(state.range(0));
  for (auto _ : state)
    group_by_key<Row>(
        log.count, log.num_users, log.offsets.data(), at::get_num_threads(),
        [&log](int64_t begin, int64_t end, const auto& emit) {
          for (auto i = begin; i < end; ++i) emit(log.row(i));
        },
        [&log](int64_t place, const Row& row) { log.grouped[static_cast<size_t>(place)] = row; });
  report(state, log.least());
}
BENCHMARK(BM_GroupByKey)->Arg(1)->Arg(20)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_GroupByKeyAtOnce(benchmark::State& state) {
  Log log(state.range(0));
  for (auto _ : state) {
    std::fill(log.offsets.begin(), log.offsets.end(), 0);
    for (const auto user : log.user) ++log.offsets[static_cast<size_t>(user) + 1];
    std::partial_sum(log.offsets.begin(), log.offsets.end(), log.offsets.begin());
    auto next = log.offsets;
    for (int64_t i = 0; i < log.count; ++i) {
      const auto row = log.row(i);
      log.grouped[static_cast<size_t>(next[static_cast<size_t>(row.key)]++)] = row;
    }
    benchmark::DoNotOptimize(log.grouped.data());
  }
  report(state, log.least());
}
BENCHMARK(BM_GroupByKeyAtOnce)->Arg(1)->Arg(20)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace reckon::bench
