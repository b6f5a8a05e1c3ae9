#include "training/workers.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <atomic>
#include <mutex>
#include <set>

namespace reckon::workers_test {
namespace {

TEST(WorkerPool, EveryTaskRunsExactlyOnce) {
  for (const int64_t threads : {1, 2, 5}) {
    WorkerPool pool(threads);
    EXPECT_EQ(pool.num_threads(), threads);
    for (const int64_t count : {0, 1, 2, 3, 100}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(count));
      pool.run(count, [&](int64_t i) { runs[static_cast<size_t>(i)]++; });
      for (int64_t i = 0; i < count; ++i)
        EXPECT_EQ(runs[static_cast<size_t>(i)].load(), 1)
            << i << " of " << count << " on " << threads;
    }
  }
}

TEST(WorkerPool, SeveralThreadsWorkAtTheSameTime) {
  WorkerPool pool(2);
  // Each task waits for the other, so one thread alone would never end.
  std::atomic<int> arrived{0};
  std::set<std::thread::id> threads;
  std::mutex mutex;
  pool.run(2, [&](int64_t) {
    arrived++;
    while (arrived < 2) std::this_thread::yield();
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(threads.size(), 2u);
}

TEST(WorkerPool, TheFailureOfTheLowestTaskIsThrownAndThePoolLivesOn) {
  WorkerPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> executed{0};
    try {
      pool.run(8, [&](int64_t i) {
        executed++;
        if (i >= 3) throw std::runtime_error("task " + std::to_string(i));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "task 3");
    }
    EXPECT_EQ(executed.load(), 8);
  }
  int sum = 0;
  pool.run(1, [&](int64_t) { sum = 5; });
  EXPECT_EQ(sum, 5);
}

TEST(WorkerPool, TasksHaveOneIntraOpThreadAndTheCallerKeepsItsOwn) {
  const IntraOpThreads outer(3);
  WorkerPool pool(2);
  EXPECT_EQ(at::get_num_threads(), 3);
  std::atomic<int> most{0};
  pool.run(16, [&](int64_t) { most = std::max(most.load(), at::get_num_threads()); });
  EXPECT_EQ(most.load(), 1);
  EXPECT_EQ(at::get_num_threads(), 3);
}

TEST(WorkerPool, RefusesToHaveNoThreads) { EXPECT_THROW(WorkerPool(0), c10::Error); }

}  // namespace
}  // namespace reckon::workers_test
