#include "training/workers.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include "kernels/vector_math.h"

namespace reckon {

IntraOpThreads::IntraOpThreads(int threads) : previous_(at::get_num_threads()) {
  if (threads != previous_) at::set_num_threads(threads);
}

IntraOpThreads::~IntraOpThreads() {
  if (at::get_num_threads() != previous_) at::set_num_threads(previous_);
}

int64_t num_cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) return CPU_COUNT(&allowed);
  return std::max(1u, std::thread::hardware_concurrency());
}

WorkerPool::WorkerPool(int64_t threads) : begin_(threads), end_(threads) {
  TORCH_CHECK(threads >= 1, "WorkerPool: expected at least one thread, got ", threads);
  prepare_vector_math();
  const int intra_op_threads = at::get_num_threads();
  for (int64_t i = 1; i < threads; ++i)
    threads_.emplace_back([this] {
      at::get_num_threads();  // torch sets a thread up at its first question, over what we set before
      at::set_num_threads(1);
      end_.arrive_and_wait();
      for (;;) {
        begin_.arrive_and_wait();
        if (stop_) return;
        work();
        end_.arrive_and_wait();
      }
    });
  if (threads == 1) return;
  end_.arrive_and_wait();
  // One part of the setting belongs to the whole process, and the workers have just changed it.
  at::set_num_threads(intra_op_threads);
}

WorkerPool::~WorkerPool() {
  if (threads_.empty()) return;
  stop_ = true;
  begin_.arrive_and_wait();
  for (auto& thread : threads_) thread.join();
}

void WorkerPool::run(int64_t count, const std::function<void(int64_t)>& task) {
  if (count == 0) return;
  const IntraOpThreads one(1);
  count_ = count;
  task_ = &task;
  next_ = 0;
  errors_.assign(count, nullptr);
  if (threads_.empty() || count == 1) {
    work();
  } else {
    begin_.arrive_and_wait();
    work();
    end_.arrive_and_wait();
  }
  for (const auto& error : errors_)
    if (error) std::rethrow_exception(error);
}

void WorkerPool::work() {
  for (;;) {
    const int64_t i = next_.fetch_add(1);
    if (i >= count_) return;
    try {
      (*task_)(i);
    } catch (...) {
      errors_[i] = std::current_exception();
    }
  }
}

}  // namespace reckon
