#pragma once

#include <atomic>
#include <barrier>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

namespace reckon {

/// Sets the number of threads inside of torch's operations for this thread while it lives.
class IntraOpThreads {
 public:
  explicit IntraOpThreads(int threads);
  ~IntraOpThreads();
  IntraOpThreads(const IntraOpThreads&) = delete;
  IntraOpThreads& operator=(const IntraOpThreads&) = delete;

 private:
  int previous_;
};

/// Cores that this process may run on.
int64_t num_cores();

/// Threads that live as long as the pool and execute numbered tasks, each with one thread inside of
/// torch's operations; the calling thread is one of them.
///
/// Which thread executes a task is a matter of timing, so tasks write only to what is theirs.
class WorkerPool {
 public:
  /// Throws   c10::Error when `threads` is less than one.
  explicit WorkerPool(int64_t threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int64_t num_threads() const { return static_cast<int64_t>(threads_.size()) + 1; }

  /// Calls `task(i)` for every i in [0, count) and returns when all are done. Of the exceptions that
  /// tasks throw, the one of the lowest i is thrown here; all other tasks are executed nevertheless.
  void run(int64_t count, const std::function<void(int64_t)>& task);

 private:
  void work();

  std::barrier<> begin_, end_;
  std::atomic<int64_t> next_{0};
  int64_t count_ = 0;
  const std::function<void(int64_t)>* task_ = nullptr;
  std::vector<std::exception_ptr> errors_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace reckon
